//! `StreamReader`: what has come, until it is read.
//!
//! It does not receive: [`StreamReaderProtocol`](super::StreamReaderProtocol), or whoever else has bytes, feeds it.
//! What it keeps, and who waits for it, is the [inbox](super::inbox)'s.
//!
//! # asyncio
//!
//! [`asyncio.StreamReader`](https://docs.python.org/3/library/asyncio-stream.html#asyncio.StreamReader).
//! `read(-1)` is [`read_to_end`](StreamReader::read_to_end), and several separators are given to
//! [`readuntil_any`](StreamReader::readuntil_any).

use std::{
    fmt,
    future::Future,
    num::NonZeroUsize,
    rc::{Rc, Weak},
};

use bytes::Bytes;
use rondel_task::{Exception, Result, RuntimeError, ValueError};

use super::{
    DEFAULT_LIMIT, checked_limit,
    error::{IncompleteReadError, LimitOverrunError},
    inbox::Inbox,
    lines::Lines,
    until::Search,
};
use crate::transport::Transport;

/// The end of a stream that is read from: a cheap handle, of which clones are the same one.
///
/// What the methods return owns a handle, so it can be made a task or given to `wait_for`.
/// Cancelling a read loses nothing: what has come stays in the buffer.
///
/// Mirrors [`asyncio.StreamReader`](https://docs.python.org/3/library/asyncio-stream.html#asyncio.StreamReader).
///
/// # Examples
///
/// ```
/// use rondel_net::StreamReader;
///
/// # rondel_task::run(async {
/// let reader = StreamReader::new();
/// reader.feed_data(b"one\ntwo\nrest")?;
/// reader.feed_eof();
/// assert_eq!(reader.readline().await?, "one\n");
/// assert_eq!(reader.readexactly(3).await?, "two");
/// assert_eq!(reader.read_to_end().await?, "\nrest");
/// assert!(reader.at_eof());
/// # Ok(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct StreamReader(Rc<Inbox>);

/// A reader that others keep, or let go of.
#[derive(Clone)]
pub(super) struct WeakReader(Weak<Inbox>);

impl StreamReader {
    /// Makes a reader with a limit of 64 KiB.
    #[must_use]
    pub fn new() -> Self {
        Self::limited(DEFAULT_LIMIT)
    }

    /// Makes a reader with a limit, in bytes: the longest chunk that [`readuntil`](Self::readuntil) gives, and half of what is buffered before the
    /// transport is paused.
    ///
    /// # Errors
    ///
    /// A [`ValueError`] for a limit of 0.
    pub fn with_limit(limit: usize) -> Result<Self, ValueError> {
        checked_limit(limit).map(Self::limited)
    }

    pub(crate) fn limited(limit: NonZeroUsize) -> Self {
        Self(Rc::new(Inbox::new(limit.get())))
    }

    // --- reading -----------------------------------------------------------------------------

    /// Reads up to `n` bytes, as soon as there is one; none at the end of the stream, or when `n` is 0.
    ///
    /// Mirrors [`StreamReader.read`](https://docs.python.org/3/library/asyncio-stream.html#asyncio.StreamReader.read).
    ///
    /// # Errors
    ///
    /// What the connection was lost by; `CancelledError`; a [`RuntimeError`] when another coroutine waits for data already.
    #[inline]
    pub fn read(&self, n: usize) -> impl Future<Output = Result<Bytes>> + use<> {
        let reader = self.clone();
        async move {
            reader.check()?;
            if n == 0 {
                return Ok(Bytes::new());
            }
            if reader.0.is_empty() && !reader.0.is_ended() {
                reader.0.wait_for_data("read")?.await?;
            }
            let data = reader.0.take(n);
            reader.0.maybe_resume_transport();
            Ok(data)
        }
    }

    /// Reads until the end of the stream: asyncio's `read(-1)`.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); what came before an error is lost with it, and what came before a cancellation is kept.
    pub fn read_to_end(&self) -> impl Future<Output = Result<Bytes>> + use<> {
        let reader = self.clone();
        async move {
            reader.check()?;
            while !reader.0.is_ended() {
                // Nothing is taken out meanwhile (I1 of the inbox), so the transport is not paused either: waiting resumes it.
                reader.0.wait_for_data("read")?.await?;
                reader.check()?;
            }
            Ok(reader.0.take(usize::MAX))
        }
    }

    /// Reads exactly `n` bytes.
    ///
    /// Mirrors
    /// [`StreamReader.readexactly`](https://docs.python.org/3/library/asyncio-stream.html#asyncio.StreamReader.readexactly).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and an [`IncompleteReadError`] with what there was when the stream ends earlier.
    pub fn readexactly(&self, n: usize) -> impl Future<Output = Result<Bytes>> + use<> {
        let reader = self.clone();
        async move {
            reader.check()?;
            if n == 0 {
                return Ok(Bytes::new());
            }
            while reader.0.len() < n {
                if reader.0.is_ended() {
                    let partial = reader.0.take(n);
                    return Err(IncompleteReadError::new(partial, Some(n)).into());
                }
                reader.0.wait_for_data("readexactly")?.await?;
            }
            let data = reader.0.take(n);
            reader.0.maybe_resume_transport();
            Ok(data)
        }
    }

    /// Reads one line with its `\n`; what is left at the end of the stream without one, and nothing after that.
    ///
    /// Mirrors [`StreamReader.readline`](https://docs.python.org/3/library/asyncio-stream.html#asyncio.StreamReader.readline).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and a [`ValueError`] for a line that is longer than the limit: it is thrown away, or, where its end has not come, what there
    /// is of it.
    pub fn readline(&self) -> impl Future<Output = Result<Bytes>> + use<> {
        let reader = self.clone();
        async move {
            let error = match reader.read_chunk(Search::new(&[b"\n"])).await {
                Ok(line) => return Ok(line),
                Err(error) => error,
            };
            if let Some(incomplete) = error.downcast_ref::<IncompleteReadError>() {
                return Ok(incomplete.partial().clone());
            }
            let Some(overrun) = error.downcast_ref::<LimitOverrunError>() else {
                return Err(error);
            };
            reader.0.skip_line(overrun);
            reader.0.maybe_resume_transport();
            Err(ValueError::new(overrun.to_string()).into())
        }
    }

    /// Reads until `separator`, which is the end of what is returned.
    ///
    /// Mirrors [`StreamReader.readuntil`](https://docs.python.org/3/library/asyncio-stream.html#asyncio.StreamReader.readuntil).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and:
    ///
    /// - [`LimitOverrunError`] when what is in front of the separator is longer than the limit: it stays in the reader;
    /// - [`IncompleteReadError`] with what there was when the stream ends without one;
    /// - [`ValueError`] for an empty separator.
    pub fn readuntil(&self, separator: &[u8]) -> impl Future<Output = Result<Bytes>> + use<> {
        self.readuntil_any(&[separator])
    }

    /// Reads until one of several separators: whichever ends first.
    ///
    /// asyncio's `readuntil` with a tuple.
    ///
    /// # Errors
    ///
    /// As [`readuntil`](Self::readuntil), and a [`ValueError`] when there is no separator.
    pub fn readuntil_any(
        &self,
        separators: &[&[u8]],
    ) -> impl Future<Output = Result<Bytes>> + use<> {
        let search = Search::new(separators);
        let reader = self.clone();
        async move { reader.read_chunk(search).await }
    }

    async fn read_chunk(&self, search: Result<Search, ValueError>) -> Result<Bytes> {
        let mut search = search?;
        self.check()?;
        loop {
            let found = self.0.look(&mut search)?;
            if let Some(found) = found {
                let chunk = self.0.take(found.end);
                self.0.maybe_resume_transport();
                return Ok(chunk);
            }
            // Looked at only now: the last bytes may have brought the separator.
            if self.0.is_ended() {
                let partial = self.0.take(usize::MAX);
                return Err(IncompleteReadError::new(partial, None).into());
            }
            self.0.wait_for_data("readuntil")?.await?;
        }
    }

    /// Returns the lines that are left, as a stream.
    ///
    /// asyncio's `async for line in reader`.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt as _;
    /// use rondel_net::StreamReader;
    ///
    /// # rondel_task::run(async {
    /// let reader = StreamReader::new();
    /// reader.feed_data(b"one\ntwo")?;
    /// reader.feed_eof();
    /// let mut lines = reader.lines();
    /// assert_eq!(lines.next().await.transpose()?, Some("one\n".into()));
    /// assert_eq!(lines.next().await.transpose()?, Some("two".into()));
    /// assert_eq!(lines.next().await.transpose()?, None);
    /// # Ok(())
    /// # }).unwrap();
    /// ```
    pub fn lines(&self) -> Lines {
        Lines::new(self.clone())
    }

    /// Says whether everything was read and nothing more will come.
    #[must_use]
    pub fn at_eof(&self) -> bool {
        self.0.is_ended() && self.0.is_empty()
    }

    // --- feeding -----------------------------------------------------------------------------

    /// Adds bytes at the end of the buffer.
    ///
    /// # Errors
    ///
    /// A [`RuntimeError`] after [`feed_eof`](Self::feed_eof).
    #[inline]
    pub fn feed_data(&self, data: &[u8]) -> Result<(), RuntimeError> {
        self.0.feed_data(data)
    }

    /// Says that nothing more will come.
    pub fn feed_eof(&self) {
        self.0.feed_eof();
    }

    /// Sets what every read raises from here on.
    pub fn set_exception(&self, exception: impl Into<Exception>) {
        self.0.set_exception(exception.into());
    }

    /// Returns what every read raises.
    #[must_use]
    #[inline]
    pub fn exception(&self) -> Option<Exception> {
        self.0.exception()
    }

    /// Names the transport that is to be paused while too much is buffered.
    pub fn set_transport(&self, transport: Transport) {
        self.0.set_transport(transport);
    }

    #[inline]
    fn check(&self) -> Result<()> {
        self.exception().map_or(Ok(()), Err)
    }

    /// Takes out what was not read.
    #[cfg(feature = "tls")]
    pub(super) fn take_unread(&self) -> Bytes {
        let unread = self.0.take(usize::MAX);
        self.0.maybe_resume_transport();
        unread
    }

    pub(super) fn downgrade(&self) -> WeakReader {
        WeakReader(Rc::downgrade(&self.0))
    }

    #[inline]
    pub(super) fn inbox(&self) -> &Inbox {
        &self.0
    }
}

impl Default for StreamReader {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inbox = &self.0;
        f.write_str("<StreamReader")?;
        if !inbox.is_empty() {
            write!(f, " {} bytes", inbox.len())?;
        }
        if inbox.is_ended() {
            f.write_str(" eof")?;
        }
        if inbox.limit() != DEFAULT_LIMIT.get() {
            write!(f, " limit={}", inbox.limit())?;
        }
        if let Some(exception) = self.exception() {
            write!(f, " exception={exception:?}")?;
        }
        if let Some(transport) = inbox.transport() {
            write!(f, " transport={transport:?}")?;
        }
        if inbox.is_paused() {
            f.write_str(" paused")?;
        }
        f.write_str(">")
    }
}

impl WeakReader {
    #[inline]
    pub(super) fn upgrade(&self) -> Option<StreamReader> {
        self.0.upgrade().map(StreamReader)
    }
}
