//! `sock_sendfile`: a file through a socket, by the kernel alone where it can.
//!
//! # Invariants
//!
//! - S1. However it ends, by a cancellation too, the file's position is then behind the last byte that was sent.
//!
//! # asyncio
//!
//! `sock_sendfile` with `_sock_sendfile_native` and `_sock_sendfile_fallback`.
//! The fallback begins at the offset that was given, where asyncio's begins at the file's position if that offset is 0.

use std::{
    error::Error,
    fmt,
    fs::File,
    io::{self, Seek, SeekFrom},
    ops::{Bound, RangeBounds},
    os::{fd::AsFd, unix::fs::FileExt},
};

use rondel_task::{Result, ValueError, get_running_loop};
use socket2::{SockRef, Type};

use super::{AsyncFd, sock_sendall};

/// How much of a file is read at once where the kernel does not send it: asyncio's `SENDFILE_FALLBACK_READBUFFER_SIZE`.
const BLOCK: usize = 256 * 1024;

/// Sends a part of a file, `..` for all of it, and returns how many bytes were sent: fewer than wanted where the file ends before.
///
/// The kernel copies them from the file to the socket, with no detour through this process; where it cannot, the file is read in a thread and sent.
///
/// Mirrors [`loop.sock_sendfile`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_sendfile); the range stands for its `offset` and `count`.
///
/// # Errors
///
/// As [`sock_recv`](super::sock_recv); a [`ValueError`] for a socket that is no stream.
///
/// # Examples
///
/// ```
/// use std::{fs::File, os::unix::net::UnixStream};
/// use rondel_net::{AsyncFd, sock_recv, sock_sendfile};
/// use rondel_task::run;
///
/// let name = run(async {
///     let (one, two) = UnixStream::pair()?;
///     one.set_nonblocking(true)?;
///     two.set_nonblocking(true)?;
///     let (one, two) = (AsyncFd::new(one)?, AsyncFd::new(two)?);
///     let sent = sock_sendfile(&one, &File::open("Cargo.toml")?, ..9).await?;
///     assert_eq!(sent, 9);
///     sock_recv(&two, 1024).await
/// });
/// assert_eq!(name.unwrap(), b"[package]");
/// ```
pub async fn sock_sendfile<S: AsFd + 'static>(
    sock: &AsyncFd<S>,
    file: &File,
    range: impl RangeBounds<u64>,
) -> Result<u64> {
    let part = Part::new(sock, file, range)?;
    match part.send_native().await {
        Err(error) if error.is::<SendfileNotAvailableError>() => part.send_by_reading().await,
        outcome => outcome,
    }
}

/// As [`sock_sendfile`], by the kernel or not at all: asyncio's `fallback=False`.
///
/// # Errors
///
/// As [`sock_sendfile`]; [`SendfileNotAvailableError`] where the kernel cannot send this file, and then nothing was sent.
pub async fn sock_sendfile_native<S: AsFd + 'static>(
    sock: &AsyncFd<S>,
    file: &File,
    range: impl RangeBounds<u64>,
) -> Result<u64> {
    Part::new(sock, file, range)?.send_native().await
}

/// What is to be sent, and where to.
struct Part<'a, S: AsFd + 'static> {
    sock: &'a AsyncFd<S>,
    file: &'a File,
    offset: u64,
    /// None to the end of the file.
    count: Option<u64>,
}

/// How far the sending has come; sets the file's position in the end (S1).
pub(crate) struct Progress<'a> {
    file: &'a File,
    begin: u64,
    offset: u64,
    count: Option<u64>,
}

impl<'a, S: AsFd + 'static> Part<'a, S> {
    fn new(sock: &'a AsyncFd<S>, file: &'a File, range: impl RangeBounds<u64>) -> Result<Self> {
        if sock.with(|socket| SockRef::from(socket).r#type())?? != Type::STREAM {
            return Err(ValueError::new("only SOCK_STREAM type sockets are supported").into());
        }
        let (offset, count) = bounds(&range);
        Ok(Self {
            sock,
            file,
            offset,
            count,
        })
    }

    fn begin(&self) -> Progress<'a> {
        Progress {
            file: self.file,
            begin: self.offset,
            offset: self.offset,
            count: self.count,
        }
    }

    #[cfg(target_os = "linux")]
    async fn send_native(&self) -> Result<u64> {
        let mut progress = self.begin();
        loop {
            // The most that one call sends, whatever it is asked for.
            let wanted = progress.left(0x7fff_f000);
            if wanted == 0 {
                return Ok(progress.sent());
            }
            let send = |socket: &S| {
                let mut offset = progress.offset;
                Ok(rustix::fs::sendfile(
                    socket,
                    self.file,
                    Some(&mut offset),
                    wanted,
                )?)
            };
            match self.sock.write_with(send).await {
                Ok(0) => return Ok(progress.sent()),
                Ok(sent) => progress.offset += sent as u64,
                Err(error) if progress.sent() == 0 && error.is::<io::Error>() => {
                    return Err(SendfileNotAvailableError.into());
                }
                Err(error) => return Err(error),
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    async fn send_native(&self) -> Result<u64> {
        Err(SendfileNotAvailableError.into())
    }

    async fn send_by_reading(&self) -> Result<u64> {
        let mut progress = self.begin();
        while let Some(block) = progress.read().await? {
            sock_sendall(self.sock, &block).await?;
            progress.advance(block.len());
        }
        Ok(progress.sent())
    }
}

/// The offset at which a range begins, and how long it is; none to the end of the file.
fn bounds(range: &impl RangeBounds<u64>) -> (u64, Option<u64>) {
    let offset = match range.start_bound() {
        Bound::Included(&first) => first,
        Bound::Excluded(&before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => Some(last.saturating_add(1)),
        Bound::Excluded(&end) => Some(end),
        Bound::Unbounded => None,
    };
    (offset, end.map(|end| end.saturating_sub(offset)))
}

/// Reads once, at an offset where the file has such; blocks.
fn read_block(mut file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut block = vec![0; length];
    let read = match file.read_at(&mut block, offset) {
        // A pipe has no offsets.
        Err(error) if error.kind() == io::ErrorKind::NotSeekable => {
            io::Read::read(&mut file, &mut block)?
        }
        read => read?,
    };
    block.truncate(read);
    Ok(block)
}

impl<'a> Progress<'a> {
    pub(crate) fn new(file: &'a File, range: &impl RangeBounds<u64>) -> Self {
        let (offset, count) = bounds(range);
        Self {
            file,
            begin: offset,
            offset,
            count,
        }
    }

    /// Reads what is to be sent next, in a thread; none at the end.
    pub(crate) async fn read(&self) -> Result<Option<Vec<u8>>> {
        let (wanted, offset) = (self.left(BLOCK), self.offset);
        if wanted == 0 {
            return Ok(None);
        }
        let file = self.file.try_clone()?;
        let read = move || Ok(read_block(&file, offset, wanted)?);
        let block = get_running_loop()?
            .run_in_executor(None, read)?
            .take()
            .await?;
        Ok((!block.is_empty()).then_some(block))
    }

    /// So much of it was sent.
    pub(crate) fn advance(&mut self, length: usize) {
        self.offset += length as u64;
    }

    pub(crate) fn sent(&self) -> u64 {
        self.offset - self.begin
    }

    /// How much to send next, at most `limit`.
    fn left(&self, limit: usize) -> usize {
        let left = self.count.map_or(u64::MAX, |count| count - self.sent());
        usize::try_from(left).map_or(limit, |left| left.min(limit))
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.sent() > 0 {
            let mut file = self.file;
            // A pipe has no position.
            let _ = file.seek(SeekFrom::Start(self.offset));
        }
    }
}

/// Says that the kernel cannot send this file through this socket by itself.
///
/// Mirrors [`asyncio.SendfileNotAvailableError`](https://docs.python.org/3/library/asyncio-exceptions.html#asyncio.SendfileNotAvailableError).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendfileNotAvailableError;

impl fmt::Display for SendfileNotAvailableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sendfile is not available for this socket and file")
    }
}

impl Error for SendfileNotAvailableError {}
