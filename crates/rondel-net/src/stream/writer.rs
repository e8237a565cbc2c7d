//! `StreamWriter`: the end of a stream that is written to.
//!
//! It buffers nothing: its transport does.
//!
//! # asyncio
//!
//! [`asyncio.StreamWriter`](https://docs.python.org/3/library/asyncio-stream.html#asyncio.StreamWriter).

use std::{cell::RefCell, fmt, future::Future, rc::Rc};

use rondel_task::Result;

use super::{drain::Drain, protocol::StreamReaderProtocol, reader::StreamReader};
use crate::transport::{Transport, extra_info::ExtraInfo};

/// The end of a stream that is written to: a cheap handle, of which clones are the same one.
///
/// When the last handle is dropped the transport is [closed](Self::close): what is buffered is still sent.
///
/// Mirrors [`asyncio.StreamWriter`](https://docs.python.org/3/library/asyncio-stream.html#asyncio.StreamWriter).
///
/// # Examples
///
/// ```
/// use rondel_net::StreamWriter;
/// use rondel_task::Result;
///
/// async fn send(writer: &StreamWriter, lines: &[&str]) -> Result<()> {
///     for line in lines {
///         writer.writelines([line.as_bytes(), b"\n"])?;
///         writer.drain().await?; // waits while too much is buffered
///     }
///     writer.close();
///     writer.wait_closed().await
/// }
/// ```
#[derive(Clone)]
pub struct StreamWriter(Rc<Shared>);

struct Shared {
    /// Another one after an upgrade to TLS.
    transport: RefCell<Transport>,
    protocol: StreamReaderProtocol,
    reader: Option<StreamReader>,
}

impl StreamWriter {
    /// Makes a writer on a transport whose protocol is `protocol`; what `reader` raises, [`drain`](Self::drain) raises, too.
    #[must_use]
    pub fn new(
        transport: Transport,
        protocol: StreamReaderProtocol,
        reader: Option<StreamReader>,
    ) -> Self {
        Self(Rc::new(Shared {
            transport: RefCell::new(transport),
            protocol,
            reader,
        }))
    }

    /// Returns the transport.
    #[must_use]
    #[inline]
    pub fn transport(&self) -> Transport {
        self.0.transport.borrow().clone()
    }

    /// Writes `data`: what is not sent at once is buffered.
    ///
    /// It is to be followed by a [`drain`](Self::drain).
    ///
    /// # Errors
    ///
    /// A `RuntimeError` after [`write_eof`](Self::write_eof).
    #[inline]
    pub fn write(&self, data: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.transport().write(data)?)
    }

    /// Writes several pieces, with one system call where they can be sent at once.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn writelines<I>(&self, data: I) -> Result<()>
    where
        I: IntoIterator<Item: AsRef<[u8]>>,
    {
        Ok(self.transport().writelines(data)?)
    }

    /// Waits until it is appropriate to write again: at once, unless more is buffered than the high-water mark says, else until no more than the low one says.
    ///
    /// Mirrors [`StreamWriter.drain`](https://docs.python.org/3/library/asyncio-stream.html#asyncio.StreamWriter.drain).
    ///
    /// # Errors
    ///
    /// What the connection was lost by, or an I/O error of kind [`ConnectionReset`](std::io::ErrorKind::ConnectionReset) where it was closed;
    /// `CancelledError`.
    #[inline]
    pub fn drain(&self) -> impl Future<Output = Result<()>> + use<> {
        let Shared {
            protocol, reader, ..
        } = &*self.0;
        let exception = reader.as_ref().and_then(StreamReader::exception);
        let is_closing = self.is_closing();
        // Not the handle: a drain that is under way does not keep the connection open.
        let protocol = protocol.clone();
        Drain::new(protocol, exception, is_closing)
    }

    /// Closes the connection, both ways: what is buffered is sent first. It is to be followed by [`wait_closed`](Self::wait_closed).
    pub fn close(&self) {
        self.transport().close();
    }

    /// Says whether the connection is closing or closed.
    #[must_use]
    #[inline]
    pub fn is_closing(&self) -> bool {
        self.0.transport.borrow().is_closing()
    }

    /// Waits until the connection is lost.
    ///
    /// # Errors
    ///
    /// What it was lost by; `CancelledError`.
    pub fn wait_closed(&self) -> impl Future<Output = Result<()>> + use<> {
        let protocol = self.0.protocol.clone();
        async move { protocol.wait_closed().await }
    }

    /// Says whether this end can be ended by itself.
    #[must_use]
    pub fn can_write_eof(&self) -> bool {
        self.transport().can_write_eof()
    }

    /// Ends this end after what is buffered; the other is still read from.
    ///
    /// # Errors
    ///
    /// As [`Transport::write_eof`].
    pub fn write_eof(&self) -> Result<()> {
        self.transport().write_eof()
    }

    /// Answers what is known about the connection; see [`Transport::get_extra_info`].
    #[must_use]
    pub fn get_extra_info<K: ExtraInfo>(&self, key: K) -> Option<K::Value> {
        self.transport().get_extra_info(key)
    }

    /// Takes out what has come and was not read.
    #[cfg(feature = "tls")]
    pub(crate) fn take_unread(&self) -> bytes::Bytes {
        let reader = self.0.reader.as_ref();
        reader.map(StreamReader::take_unread).unwrap_or_default()
    }

    /// Goes on with another transport.
    #[cfg(feature = "tls")]
    pub(crate) fn set_transport(&self, transport: Transport) {
        if let Some(reader) = &self.0.reader {
            reader.set_transport(transport.clone());
        }
        let replaced = self.0.transport.replace(transport);
        drop(replaced);
    }

    pub(super) fn protocol(&self) -> &StreamReaderProtocol {
        &self.0.protocol
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.transport.get_mut().close();
    }
}

impl fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<StreamWriter transport={:?}", self.transport())?;
        if let Some(reader) = &self.0.reader {
            write!(f, " reader={reader:?}")?;
        }
        f.write_str(">")
    }
}
