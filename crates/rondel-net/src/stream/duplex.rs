//! Both ends of a stream in one value, for libraries that want what can be read from and written to.
//!
//! # asyncio
//!
//! asyncio has nothing of the kind: its streams are two objects.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use futures_io::{AsyncRead, AsyncWrite};

use super::{reader::StreamReader, writer::StreamWriter};

/// A [`StreamReader`] and its [`StreamWriter`] as one [`AsyncRead`] and [`AsyncWrite`].
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt as _, AsyncWriteExt as _};
/// use rondel_net::{Duplex, open_memory_connection};
///
/// # rondel_task::run(async {
/// let (here, there) = open_memory_connection().await?;
/// let (mut here, mut there) = (Duplex::from(here), Duplex::from(there));
/// here.write_all(b"hello").await?;
/// here.close().await?;
/// let mut text = String::new();
/// there.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # Ok(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Duplex {
    reader: StreamReader,
    writer: StreamWriter,
}

impl Duplex {
    /// Joins two ends.
    #[must_use]
    pub fn new(reader: StreamReader, writer: StreamWriter) -> Self {
        Self { reader, writer }
    }

    /// Returns the end to read from.
    #[must_use]
    pub fn reader(&self) -> &StreamReader {
        &self.reader
    }

    /// Returns the end to write to.
    #[must_use]
    pub fn writer(&self) -> &StreamWriter {
        &self.writer
    }

    /// Gives the two ends back.
    #[must_use]
    pub fn into_ends(self) -> (StreamReader, StreamWriter) {
        (self.reader, self.writer)
    }
}

impl From<(StreamReader, StreamWriter)> for Duplex {
    fn from((reader, writer): (StreamReader, StreamWriter)) -> Self {
        Self::new(reader, writer)
    }
}

impl AsyncRead for Duplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(cx, buf)
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_close(cx)
    }
}
