//! Pipes: one transport for each end.
//!
//! They take what is a pipe, a socket or a character device; files on disk cannot be waited for.
//!
//! # asyncio
//!
//! [`loop.connect_read_pipe` and `connect_write_pipe`](https://docs.python.org/3/library/asyncio-eventloop.html#working-with-pipes).
//! A protocol that panics closes its pipe; there it is only logged.

mod read;
mod write;

use std::{
    fmt, io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    rc::{Rc, Weak},
};

use rondel_reactor::FdWatch;
use rondel_task::{EventLoop, Result, ValueError, get_running_loop};
use rustix::fs::FileType;

use self::{read::ReadPipe, write::WritePipe};
use super::{Transport, socket::Circumstances};
use crate::{
    connect::made,
    protocol::{AnyProtocol, StreamProtocol},
};

/// Reads from a pipe, whatever comes, for the protocol that `factory` makes.
///
/// The pipe is made non-blocking and closed with the transport, which only reads.
///
/// Mirrors
/// [`loop.connect_read_pipe`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.connect_read_pipe).
///
/// # Errors
///
/// A [`ValueError`] for what is no pipe, socket or character device; what the operating system says.
///
/// # Examples
///
/// See [`StreamReaderProtocol`](crate::StreamReaderProtocol).
pub async fn connect_read_pipe<P, Kind>(
    factory: impl FnOnce() -> P,
    pipe: impl Into<OwnedFd>,
) -> Result<(Transport, Rc<P>)>
where
    P: StreamProtocol<Kind>,
{
    connect(factory, pipe.into(), ReadPipe::open).await
}

/// Writes to a pipe what the protocol that `factory` makes has to say.
///
/// The pipe is made non-blocking and closed with the transport, which only writes. Its protocol is told when the other end is closed.
///
/// Mirrors
/// [`loop.connect_write_pipe`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.connect_write_pipe).
///
/// # Errors
///
/// As [`connect_read_pipe`].
///
/// # Examples
///
/// ```
/// use std::io::Read as _;
/// use rondel_net::{BaseProtocol, Protocol, connect_write_pipe};
///
/// struct Silent;
///
/// impl BaseProtocol for Silent {}
///
/// impl Protocol for Silent {
///     fn data_received(&self, _data: &[u8]) {}
/// }
///
/// let (mut other_end, pipe) = std::io::pipe()?;
/// rondel_task::run(async {
///     let (transport, _) = connect_write_pipe(|| Silent, pipe).await?;
///     transport.write("hello")?;
///     transport.close();
///     Ok(())
/// })
/// .unwrap();
/// let mut text = String::new();
/// other_end.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn connect_write_pipe<P, Kind>(
    factory: impl FnOnce() -> P,
    pipe: impl Into<OwnedFd>,
) -> Result<(Transport, Rc<P>)>
where
    P: StreamProtocol<Kind>,
{
    connect(factory, pipe.into(), WritePipe::open).await
}

async fn connect<P, Kind>(
    factory: impl FnOnce() -> P,
    pipe: OwnedFd,
    open: impl FnOnce(&EventLoop, OwnedFd, AnyProtocol, Circumstances) -> Result<Transport>,
) -> Result<(Transport, Rc<P>)>
where
    P: StreamProtocol<Kind>,
{
    let event_loop = get_running_loop()?;
    let protocol = Rc::new(factory());
    let any = Rc::clone(&protocol).into_any();
    let transport = made(&event_loop, |circumstances| {
        open(&event_loop, pipe, any, circumstances)
    })
    .await?;
    Ok((transport, protocol))
}

/// A pipe that belongs to a transport.
///
/// It does not keep the pipe open: once the transport has closed it, it says so.
#[derive(Clone)]
pub struct TransportPipe(Weak<FdWatch<OwnedFd>>);

impl TransportPipe {
    fn new(pipe: &Rc<FdWatch<OwnedFd>>) -> Self {
        Self(Rc::downgrade(pipe))
    }

    /// Calls `f` with the descriptor; reading from it or writing to it mixes up what the transport does.
    ///
    /// # Errors
    ///
    /// When the pipe is closed.
    pub fn with<R>(&self, f: impl FnOnce(BorrowedFd<'_>) -> R) -> io::Result<R> {
        match self.0.upgrade() {
            Some(pipe) => Ok(f(pipe.get_ref().as_fd())),
            None => Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the pipe is closed",
            )),
        }
    }
}

impl fmt::Debug for TransportPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.upgrade() {
            Some(pipe) => write!(f, "<TransportPipe fd={}>", pipe.get_ref().as_raw_fd()),
            None => f.write_str("<TransportPipe closed>"),
        }
    }
}

/// Checks that the descriptor can be waited for, makes it non-blocking, and has the loop watch it; tells its type, too.
fn watch(event_loop: &EventLoop, pipe: OwnedFd) -> Result<(Rc<FdWatch<OwnedFd>>, FileType)> {
    let status = rustix::fs::fstat(&pipe).map_err(io::Error::from)?;
    let file_type = FileType::from_raw_mode(status.st_mode);
    if !matches!(
        file_type,
        FileType::Fifo | FileType::Socket | FileType::CharacterDevice
    ) {
        return Err(ValueError::new(
            "pipe transport is only for pipes, sockets and character devices",
        )
        .into());
    }
    rustix::io::ioctl_fionbio(&pipe, true).map_err(io::Error::from)?;
    Ok((Rc::new(event_loop.watch_fd(pipe)?), file_type))
}
