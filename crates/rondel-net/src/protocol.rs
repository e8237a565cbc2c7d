//! Protocols: the objects that a transport tells what happens to its connection.
//!
//! They do no I/O: a protocol gets bytes from its transport and gives it others to send, so it can be tried without a socket.
//!
//! # Invariants
//!
//! - I1. Methods take `&self`: a protocol is shared with its transport and re-entered. `pause_writing`, for one, is called inside the protocol's own
//!   call of `write`.
//! - I2. The order is `connection_made` once, then any number of receptions, then `eof_received` at most once, then `connection_lost` once;
//!   `pause_writing` and `resume_writing` take turns in between.
//! - I3. A method that panics is reported to the loop's exception handler and closes its own connection only.
//!
//! # asyncio
//!
//! [Protocols](https://docs.python.org/3/library/asyncio-protocol.html#protocols).
//! `connection_made` stands in each kind of protocol instead of `BaseProtocol`, because each kind is given its own kind of transport.
//! `get_buffer` lends its buffer for one reception instead of giving it away, so that it can be any memory and needs no unsafe code.

use std::{
    any::{Any, type_name},
    fmt,
    rc::Rc,
};

use bytes::Bytes;
use rondel_task::{Exception, Result, RuntimeError};

use crate::transport::Transport;

/// What all kinds of protocols are told.
///
/// Mirrors [`asyncio.BaseProtocol`](https://docs.python.org/3/library/asyncio-protocol.html#base-protocol).
pub trait BaseProtocol: Any {
    /// The connection is lost or closed: with the error that ended it, or with none after an end of file, a `close` or an `abort`.
    fn connection_lost(&self, exception: Option<&Exception>) {
        let _ = exception;
    }

    /// The transport's write buffer has gone over its high-water mark: whoever writes had better wait.
    fn pause_writing(&self) {}

    /// The transport's write buffer has drained to its low-water mark.
    fn resume_writing(&self) {}

    /// Returns what reports call the protocol: the name of its type.
    fn type_name(&self) -> &'static str {
        type_name::<Self>()
    }
}

/// A protocol of a stream of bytes: TCP, unix sockets, pipes, TLS.
///
/// Mirrors [`asyncio.Protocol`](https://docs.python.org/3/library/asyncio-protocol.html#streaming-protocols).
///
/// # Examples
///
/// Sends back what comes:
///
/// ```
/// use std::cell::OnceCell;
/// use rondel_net::{BaseProtocol, Protocol, Transport};
///
/// #[derive(Default)]
/// struct Echo {
///     transport: OnceCell<Transport>,
/// }
///
/// impl BaseProtocol for Echo {}
///
/// impl Protocol for Echo {
///     fn connection_made(&self, transport: Transport) {
///         let _ = self.transport.set(transport);
///     }
///
///     fn data_received(&self, data: &[u8]) {
///         if let Some(transport) = self.transport.get() {
///             transport.write(data).expect("write_eof() was not called");
///         }
///     }
/// }
/// ```
pub trait Protocol: BaseProtocol {
    /// The connection is there; `transport` is what to write to, and stays valid after the connection is lost.
    fn connection_made(&self, transport: Transport) {
        let _ = transport;
    }

    /// Some bytes have come, at least one.
    ///
    /// How they were cut into pieces by the peer is not known here.
    fn data_received(&self, data: &[u8]);

    /// Says whether what comes is kept as it is, so that it is worth while to receive into memory that can be given away.
    ///
    /// Where it is, a transport may call [`bytes_received`](Self::bytes_received) in place of [`data_received`](Self::data_received).
    fn keeps_data(&self) -> bool {
        false
    }

    /// As [`data_received`](Self::data_received), of bytes that need not be copied to be kept.
    fn bytes_received(&self, data: Bytes) {
        self.data_received(&data);
    }

    /// The other end will send nothing more; says whether the transport is to stay open for writing.
    fn eof_received(&self) -> AfterEof {
        AfterEof::Close
    }
}

/// A protocol of a stream of bytes that owns the memory into which they are received.
///
/// Mirrors [`asyncio.BufferedProtocol`](https://docs.python.org/3/library/asyncio-protocol.html#buffered-streaming-protocols).
///
/// # Examples
///
/// ```
/// use std::cell::{Cell, RefCell};
/// use rondel_net::{BaseProtocol, BufferedProtocol};
///
/// /// Keeps the last block.
/// struct Last {
///     block: RefCell<[u8; 512]>,
///     length: Cell<usize>,
/// }
///
/// impl BaseProtocol for Last {}
///
/// impl BufferedProtocol for Last {
///     fn get_buffer(&self, _size_hint: usize, receive: &mut dyn FnMut(&mut [u8]) -> usize) {
///         receive(&mut *self.block.borrow_mut());
///     }
///
///     fn buffer_updated(&self, nbytes: usize) {
///         self.length.set(nbytes);
///     }
/// }
/// ```
pub trait BufferedProtocol: BaseProtocol {
    /// The connection is there; `transport` is what to write to, and stays valid after the connection is lost.
    fn connection_made(&self, transport: Transport) {
        let _ = transport;
    }

    /// Lends a buffer to the transport: calls `receive` with it, once.
    ///
    /// `receive` fills the buffer from its start and returns how many bytes it has put there: 0 at the end of the stream, or where there was nothing
    /// to be had after all. It runs no code of others, so the buffer may be borrowed meanwhile.
    /// `size_hint` is the recommended number of bytes; 0 where the transport has none. Lending no buffer, or an empty one, is a fatal error.
    fn get_buffer(&self, size_hint: usize, receive: &mut dyn FnMut(&mut [u8]) -> usize);

    /// `nbytes` bytes, at least one, stand at the start of the buffer that was lent last.
    fn buffer_updated(&self, nbytes: usize);

    /// As [`Protocol::eof_received`].
    fn eof_received(&self) -> AfterEof {
        AfterEof::Close
    }
}

/// What becomes of a connection whose other end will send nothing more: the answer of `eof_received`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterEof {
    /// The transport closes itself, after it has sent what it has buffered.
    #[default]
    Close,
    /// The connection stays open for writing, until the protocol closes it.
    KeepOpen,
}

/// A protocol of either kind, [`Protocol`] or [`BufferedProtocol`], as a factory makes it.
///
/// `Kind` tells the two apart and is never written out: it follows from which of them the type implements. A type is to implement one.
pub trait StreamProtocol<Kind>: BaseProtocol {
    /// Gives the protocol as the transport keeps it.
    fn into_any(self: Rc<Self>) -> AnyProtocol;
}

/// The kinds of [`StreamProtocol`].
pub mod kind {
    /// The kind of a [`Protocol`](super::Protocol).
    #[derive(Debug)]
    pub enum Plain {}

    /// The kind of a [`BufferedProtocol`](super::BufferedProtocol).
    #[derive(Debug)]
    pub enum Buffered {}
}

impl<P: Protocol> StreamProtocol<kind::Plain> for P {
    fn into_any(self: Rc<Self>) -> AnyProtocol {
        AnyProtocol::Plain(self)
    }
}

impl<P: BufferedProtocol> StreamProtocol<kind::Buffered> for P {
    fn into_any(self: Rc<Self>) -> AnyProtocol {
        AnyProtocol::Buffered(self)
    }
}

/// A protocol as a transport keeps it.
#[derive(Clone)]
pub enum AnyProtocol {
    /// Is given slices of the transport's own memory.
    Plain(Rc<dyn Protocol>),
    /// Lends its memory.
    Buffered(Rc<dyn BufferedProtocol>),
}

impl AnyProtocol {
    /// Returns what both kinds have in common.
    #[must_use]
    pub fn base(&self) -> &dyn BaseProtocol {
        match self {
            Self::Plain(protocol) => &**protocol,
            Self::Buffered(protocol) => &**protocol,
        }
    }

    /// Returns the protocol itself, if it is a `P`.
    #[must_use]
    pub fn downcast<P: BaseProtocol>(&self) -> Option<Rc<P>> {
        let any: Rc<dyn Any> = match self {
            Self::Plain(protocol) => protocol.clone(),
            Self::Buffered(protocol) => protocol.clone(),
        };
        any.downcast().ok()
    }

    /// Tells the protocol that its connection is there.
    pub fn connection_made(&self, transport: Transport) {
        match self {
            Self::Plain(protocol) => protocol.connection_made(transport),
            Self::Buffered(protocol) => protocol.connection_made(transport),
        }
    }

    /// Gives bytes that a transport has already; of a protocol that lends its memory they are copied there, in as many pieces as it takes.
    ///
    /// # Errors
    ///
    /// A `RuntimeError` when the protocol lends no buffer, or an empty one.
    pub fn feed(&self, mut data: &[u8]) -> Result<()> {
        match self {
            Self::Plain(protocol) => protocol.data_received(data),
            Self::Buffered(protocol) => {
                while !data.is_empty() {
                    let mut filled = 0;
                    protocol.get_buffer(data.len(), &mut |buffer| {
                        if filled == 0 {
                            filled = data.len().min(buffer.len());
                            buffer[..filled].copy_from_slice(&data[..filled]);
                            return filled;
                        }
                        0
                    });
                    if filled == 0 {
                        return Err(RuntimeError::new(EMPTY_BUFFER).into());
                    }
                    protocol.buffer_updated(filled);
                    data = &data[filled..];
                }
            }
        }
        Ok(())
    }

    /// Tells the protocol that the other end will send nothing more.
    #[must_use]
    pub fn eof_received(&self) -> AfterEof {
        match self {
            Self::Plain(protocol) => protocol.eof_received(),
            Self::Buffered(protocol) => protocol.eof_received(),
        }
    }
}

impl fmt::Debug for AnyProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base().type_name())
    }
}

/// What a protocol did wrong that lends nothing.
pub(crate) const EMPTY_BUFFER: &str = "get_buffer() returned an empty buffer";
