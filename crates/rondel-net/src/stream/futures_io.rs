//! The ends of a stream as `AsyncRead` and `AsyncWrite`, for code that knows no loop.
//!
//! What waits is a leaf of the loop, so that a cancellation is delivered as an error here, too: as an I/O error that carries the `CancelledError`.
//!
//! # asyncio
//!
//! asyncio has nothing of the kind.

use std::{
    future::Future,
    io::{self, IoSlice},
    panic::Location,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_io::{AsyncRead, AsyncWrite};
use rondel_task::{Exception, Woken};

use super::{protocol::connection_lost, reader::StreamReader, writer::StreamWriter};

/// A wait that is polled by whoever reads.
pub(super) type Polled = Woken;

impl AsyncRead for StreamReader {
    /// Reads what there is; as [`read`](Self::read) in all else.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let inbox = self.inbox();
        loop {
            if let Some(exception) = self.exception() {
                return Poll::Ready(Err(io_error(&exception)));
            }
            if buf.is_empty() || !inbox.is_empty() || inbox.is_ended() {
                let data = inbox.take(buf.len());
                buf[..data.len()].copy_from_slice(&data);
                inbox.maybe_resume_transport();
                return Poll::Ready(Ok(data.len()));
            }
            // Out of its place meanwhile: its destructor is not ours.
            let polled = inbox.take_polled();
            let polled = match polled {
                Some(polled) => Ok(polled),
                None => inbox
                    .data_waiter("poll_read")
                    .map(|waiter| waiter.woken_at(Location::caller())),
            };
            let mut polled = match polled {
                Ok(polled) => polled,
                Err(error) => return Poll::Ready(Err(io_error(&error))),
            };
            match Pin::new(&mut polled).poll(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(io_error(&error))),
                Poll::Pending => {
                    inbox.keep_polled(polled);
                    return Poll::Pending;
                }
            }
        }
    }
}

impl AsyncWrite for StreamWriter {
    /// Writes all of `buf`, once no more is buffered than the transport's marks allow.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_flush(cx))?;
        if self.is_closing() {
            return Poll::Ready(Err(connection_lost()));
        }
        let written = self.transport().write(buf);
        Poll::Ready(match written {
            Ok(()) => Ok(buf.len()),
            Err(error) => Err(io::Error::other(error)),
        })
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_flush(cx))?;
        if self.is_closing() {
            return Poll::Ready(Err(connection_lost()));
        }
        let length = bufs.iter().map(|buf| buf.len()).sum();
        let written = self.transport().writelines(bufs.iter().map(|buf| &**buf));
        Poll::Ready(match written {
            Ok(()) => Ok(length),
            Err(error) => Err(io::Error::other(error)),
        })
    }

    /// Waits as [`drain`](Self::drain) does: the transport sends what is left by itself.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let drained = ready!(self.protocol().poll_drain(cx));
        Poll::Ready(drained.map_err(|error| io_error(&error)))
    }

    /// Ends this end after what is buffered, or closes the connection where it cannot be ended by itself.
    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.can_write_eof() {
            self.close();
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(self.write_eof().map_err(|error| io_error(&error)))
    }
}

/// Gives an exception as an I/O error: as itself, if it is one of the system.
fn io_error(exception: &Exception) -> io::Error {
    let Some(error) = exception.downcast_ref::<io::Error>() else {
        return io::Error::other(exception.clone().into_shared());
    };
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), exception.clone().into_shared()),
    }
}
