//! hyper's stream, made of one of futures-io.
//!
//! It buffers nothing: the stream underneath does, and so does hyper.
//!
//! # Invariants
//!
//! - I1. No thread-local is borrowed while the stream underneath is polled.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    ops::{Deref, DerefMut},
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBufCursor, Write};

/// A futures-io stream as hyper reads and writes it.
///
/// A [`Duplex`](rondel_net::Duplex) is one, of whatever transport: TCP, a unix socket, memory, or a layer such as TLS on top of another.
///
/// # Examples
///
/// See the [crate](crate).
#[derive(Clone, Debug)]
pub struct Io<S>(S);

impl<S> Io<S> {
    /// Wraps a stream.
    pub fn new(stream: S) -> Self {
        Self(stream)
    }

    /// Returns the stream.
    pub fn get_ref(&self) -> &S {
        &self.0
    }

    /// Gives the stream back.
    pub fn into_inner(self) -> S {
        self.0
    }
}

impl<S: AsyncRead + Unpin> Read for Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut scratch = Scratch::take();
        let length = scratch.len().min(cursor.remaining());
        let stream = Pin::new(&mut self.0);
        let count = ready!(stream.poll_read(cx, &mut scratch[..length]))?;
        cursor.put_slice(&scratch[..count]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Write for Io<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    /// True: our streams send several pieces with one system call, and so a body need not be copied behind its head.
    ///
    /// For a body of a megabyte that is a third less of the server's time, for a short one it is the same.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

/// Memory that is read into before hyper's: its uninitialized buffer cannot be lent to a stream without unsafe code.
///
/// One a thread is enough, for it is empty again when a read returns; it is out of its place meanwhile (I1).
struct Scratch(Vec<u8>);

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Scratch {
    const LENGTH: usize = 64 * 1024;

    fn take() -> Self {
        let mut memory = SCRATCH.try_with(Cell::take).unwrap_or_default();
        memory.resize(Self::LENGTH, 0);
        Self(memory)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.0);
        // It fails where the thread is ending.
        let _ = SCRATCH.try_with(|scratch| scratch.set(memory));
    }
}

impl Deref for Scratch {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
