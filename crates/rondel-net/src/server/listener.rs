//! One listening socket, and the file of a unix socket.
//!
//! # asyncio
//!
//! `_start_serving`, `_stop_serving`, and the clean-up of unix sockets.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    rc::Rc,
};

use rondel_reactor::{Direction, FdWatch};
use rondel_task::EventLoop;
use socket2::Socket;

use crate::transport::socket_name::{SocketName, TransportSocket};

/// A socket that listens or is about to; closed when it is dropped.
pub(super) struct Listener {
    watch: Rc<FdWatch<Socket>>,
    /// Removed with it.
    _file: Option<SocketFile>,
}

impl Listener {
    pub(super) fn new(
        event_loop: &EventLoop,
        socket: Socket,
        file: Option<SocketFile>,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            watch: Rc::new(event_loop.watch_fd(socket)?),
            _file: file,
        })
    }

    pub(super) fn socket(&self) -> TransportSocket {
        TransportSocket::new(&self.watch)
    }

    pub(super) fn listen(&self, backlog: u16) -> io::Result<()> {
        self.watch.get_ref().listen(backlog.into())
    }

    /// Has the loop call `ready` whenever there is a connection to accept.
    pub(super) fn set(&self, ready: impl FnMut() + 'static) -> io::Result<()> {
        self.watch.set(Direction::Read, ready)
    }

    pub(super) fn pause(&self) {
        self.watch.pause(Direction::Read);
    }

    pub(super) fn resume(&self) -> io::Result<()> {
        self.watch.resume(Direction::Read)
    }

    /// Accepts one connection.
    pub(super) fn accept(&self) -> io::Result<(Socket, SocketName)> {
        let (socket, address) = self.watch.get_ref().accept()?;
        Ok((socket, SocketName::from(&address)))
    }
}

/// The file by which a unix socket is known.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl SocketFile {
    /// Remembers the file of a socket that was just bound; none where it is gone already.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let inode = fs::metadata(path).ok()?.ino();
        Some(Self {
            path: path.to_owned(),
            inode,
        })
    }
}

impl Drop for SocketFile {
    /// Removes the file, unless it is another one's by now.
    fn drop(&mut self) {
        let is_ours = fs::metadata(&self.path).is_ok_and(|file| file.ino() == self.inode);
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the file of a unix socket");
        }
    }
}
