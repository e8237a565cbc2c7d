//! The lines of a stream as a [`Stream`].
//!
//! # asyncio
//!
//! `async for line in reader`.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::{FusedStream, Stream};
use rondel_task::Result;

use super::reader::StreamReader;

/// The lines that a reader still has: what [`StreamReader::lines`] gives.
///
/// It ends at the end of the stream, and after an error.
#[must_use = "a stream does nothing unless it is polled"]
pub struct Lines {
    reader: StreamReader,
    /// The line that is being read.
    next: Option<Pin<Box<dyn Future<Output = Result<Bytes>>>>>,
    ended: bool,
}

impl Lines {
    pub(super) fn new(reader: StreamReader) -> Self {
        Self {
            reader,
            next: None,
            ended: false,
        }
    }
}

impl Stream for Lines {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        let next = this
            .next
            .get_or_insert_with(|| Box::pin(this.reader.readline()));
        let line = ready!(next.as_mut().poll(cx));
        this.next = None;
        this.ended = !matches!(&line, Ok(line) if !line.is_empty());
        match line {
            Ok(line) if line.is_empty() => Poll::Ready(None),
            line => Poll::Ready(Some(line)),
        }
    }
}

impl FusedStream for Lines {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lines").field(&self.reader).finish()
    }
}
