//! Transports: the handles through which protocols and streams write, pause, close and ask.
//!
//! What carries the bytes stands behind the handle as a [`Carrier`]: a socket, a pipe, a piece of memory, or another protocol that is itself on top of a
//! transport, as TLS is. Nobody above can tell them apart.
//!
//! # Invariants
//!
//! - I1. A transport holds its protocol until `connection_lost` has been called, and lets go of it then: that ends the cycle of protocol and transport.
//! - I2. While a connection is open the loop owns its transport; a loop that closes closes the descriptors and calls nobody.
//! - I3. No method of a protocol is called inside a borrow.
//!
//! # asyncio
//!
//! [Transports](https://docs.python.org/3/library/asyncio-protocol.html#transports).
//! One type of handle for what are `ReadTransport`, `WriteTransport` and `Transport` there: to write to a transport that only reads is an error.
//! `write` tells a misuse by its result and never an error of the connection, of which `connection_lost` tells.

pub(crate) mod backlog;
pub(crate) mod block;
pub mod extra_info;
pub(crate) mod flow;
pub(crate) mod layering;
pub(crate) mod memory;
pub(crate) mod owned;
pub(crate) mod pipe;
pub(crate) mod scratch;
pub(crate) mod sendfile;
pub(crate) mod socket;
pub(crate) mod socket_name;

use std::{fmt, io::IoSlice, rc::Rc};

use rondel_task::{Result, RuntimeError};

use self::{
    extra_info::{ExtraInfo, Request},
    socket::SocketTransport,
};
use crate::{
    protocol::{AnyProtocol, BaseProtocol, StreamProtocol},
    transport::flow::WriteBufferLimits,
};

/// A connection: a cheap handle, of which clones are the same one.
///
/// It stays valid after the connection is lost: what is written then is thrown away.
/// Dropping it does not close the connection, which the loop owns.
///
/// Mirrors [`asyncio.Transport`](https://docs.python.org/3/library/asyncio-protocol.html#asyncio.Transport).
#[derive(Clone)]
pub struct Transport(Kind);

/// What carries the bytes: mostly a socket, which is not called through a table.
#[derive(Clone)]
enum Kind {
    Socket(Rc<SocketTransport>),
    Other(Rc<dyn Carrier>),
}

impl Transport {
    /// Makes the handle of a carrier.
    #[must_use]
    pub fn new(carrier: Rc<dyn Carrier>) -> Self {
        Self(Kind::Other(carrier))
    }

    pub(crate) fn of_socket(socket: Rc<SocketTransport>) -> Self {
        Self(Kind::Socket(socket))
    }

    fn carrier(&self) -> &dyn Carrier {
        match &self.0 {
            Kind::Socket(socket) => &**socket,
            Kind::Other(carrier) => &**carrier,
        }
    }

    /// Says whether both are handles of the same connection.
    #[must_use]
    pub fn ptr_eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self.carrier(), other.carrier())
    }

    // --- of every transport ------------------------------------------------------------------

    /// Closes the transport: it reads no more, sends what is buffered, and then calls `connection_lost` with no error.
    ///
    /// Closing one that is closing does nothing.
    pub fn close(&self) {
        self.carrier().close();
    }

    /// Says whether the transport is closing or closed.
    #[must_use]
    #[inline]
    pub fn is_closing(&self) -> bool {
        match &self.0 {
            Kind::Socket(socket) => socket.is_closing(),
            Kind::Other(carrier) => carrier.is_closing(),
        }
    }

    /// Closes the transport and throws away what is buffered; `connection_lost` is called soon, with no error.
    pub fn abort(&self) {
        self.carrier().abort();
    }

    /// Answers what is known about the connection under a [key](extra_info); none where it does not apply.
    ///
    /// Never an error, also after the connection is lost.
    ///
    /// Mirrors
    /// [`get_extra_info`](https://docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseTransport.get_extra_info).
    ///
    /// # Examples
    ///
    /// ```
    /// use rondel_net::{Transport, extra_info::Peername};
    ///
    /// fn greet(transport: &Transport) -> String {
    ///     match transport.get_extra_info(Peername) {
    ///         Some(name) => format!("hello, {name}"),
    ///         None => "hello, whoever you are".into(),
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn get_extra_info<K: ExtraInfo>(&self, key: K) -> Option<K::Value> {
        let _ = key;
        Request::ask::<K>(|request| self.carrier().extra_info(request))
    }

    /// Answers a question for extra information in place of a layer above, which has no answer of its own.
    pub fn extra_info(&self, request: &mut Request<'_>) {
        self.carrier().extra_info(request);
    }

    /// Gives the connection to another protocol, which is not told so.
    ///
    /// Mirrors [`set_protocol`](https://docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseTransport.set_protocol).
    pub fn set_protocol<P: StreamProtocol<Kind>, Kind>(&self, protocol: Rc<P>) {
        self.carrier().set_protocol(protocol.into_any());
    }

    /// Returns the protocol; none once the connection is lost.
    #[must_use]
    pub fn get_protocol(&self) -> Option<AnyProtocol> {
        self.carrier().get_protocol()
    }

    /// Returns the protocol, if it is a `P`.
    #[must_use]
    pub fn protocol<P: BaseProtocol>(&self) -> Option<Rc<P>> {
        self.get_protocol()?.downcast()
    }

    // --- reading -----------------------------------------------------------------------------

    /// Says whether the transport gives what it receives to its protocol.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.carrier().is_reading()
    }

    /// Stops reading until [`resume_reading`](Self::resume_reading); the peer is slowed down once the system's buffers are full.
    pub fn pause_reading(&self) {
        self.carrier().pause_reading();
    }

    /// Reads again.
    pub fn resume_reading(&self) {
        self.carrier().resume_reading();
    }

    // --- writing -----------------------------------------------------------------------------

    /// Writes `data`: sends at once what the system takes, and keeps the rest until it takes that.
    ///
    /// It does not wait: [`pause_writing`](BaseProtocol::pause_writing) tells when to.
    /// An error of the connection is for `connection_lost`; what is written afterwards is thrown away.
    ///
    /// Mirrors [`write`](https://docs.python.org/3/library/asyncio-protocol.html#asyncio.WriteTransport.write).
    ///
    /// # Errors
    ///
    /// A [`RuntimeError`] after [`write_eof`](Self::write_eof), and of a transport that only reads.
    #[inline]
    pub fn write(&self, data: impl AsRef<[u8]>) -> Result<(), RuntimeError> {
        match &self.0 {
            Kind::Socket(socket) => socket.write_now(data.as_ref()),
            Kind::Other(carrier) => carrier.write(data.as_ref()),
        }
    }

    /// Writes several pieces, with one system call where they can be sent at once.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn writelines<I>(&self, list_of_data: I) -> Result<(), RuntimeError>
    where
        I: IntoIterator<Item: AsRef<[u8]>>,
    {
        let list_of_data: Vec<_> = list_of_data.into_iter().collect();
        let slices: Vec<_> = list_of_data
            .iter()
            .map(|data| IoSlice::new(data.as_ref()))
            .collect();
        self.carrier().writelines(&slices)
    }

    /// Ends writing: after what is buffered the peer sees the end of the stream, while this end goes on reading.
    ///
    /// # Errors
    ///
    /// What the operating system says; a [`RuntimeError`] where the transport [cannot](Self::can_write_eof).
    pub fn write_eof(&self) -> Result<()> {
        self.carrier().write_eof()
    }

    /// Says whether the transport can end writing and go on reading.
    #[must_use]
    pub fn can_write_eof(&self) -> bool {
        self.carrier().can_write_eof()
    }

    /// Returns how many bytes are written and not sent.
    #[must_use]
    pub fn get_write_buffer_size(&self) -> usize {
        self.carrier().get_write_buffer_size()
    }

    /// Returns the marks that the write buffer is kept between.
    #[must_use]
    pub fn get_write_buffer_limits(&self) -> WriteBufferLimits {
        self.carrier().get_write_buffer_limits()
    }

    /// Sets the marks; the protocol is told at once if the buffer is over the new one.
    ///
    /// Mirrors
    /// [`set_write_buffer_limits`](https://docs.python.org/3/library/asyncio-protocol.html#asyncio.WriteTransport.set_write_buffer_limits).
    pub fn set_write_buffer_limits(&self, limits: WriteBufferLimits) {
        self.carrier().set_write_buffer_limits(limits);
    }
}

impl fmt::Debug for Transport {
    /// Writes what asyncio shows, for instance `<SocketTransport fd=7 read=polling write=<idle, bufsize=0>>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.carrier().describe(f)
    }
}

/// What stands behind a [`Transport`]: who writes a transport of one's own implements this.
///
/// The methods are those of [`Transport`]. A carrier owes its protocol the order of the calls, and
///
/// - calls `connection_made` from a callback of the loop, not from where it is made;
/// - calls `connection_lost` once, from a callback of the loop, not from within `close`, `abort` or `write`;
/// - lets go of its protocol after that, and gives nothing to it any more;
/// - holds no borrow that its own methods need while it calls a protocol, which may call it back;
/// - reports a protocol that panics to the loop's exception handler, and closes itself.
///
/// One that is on top of another transport is a protocol of that one: it passes on `pause_writing` and `resume_writing` by way of its own
/// [`FlowControl`](crate::FlowControl), and gives what it has received to its protocol with [`AnyProtocol::feed`].
pub trait Carrier: 'static {
    /// As [`Transport::close`].
    fn close(&self);

    /// As [`Transport::is_closing`].
    fn is_closing(&self) -> bool;

    /// As [`Transport::abort`].
    fn abort(&self);

    /// [Provides](Request::provide) what is known, then asks the transport underneath, if there is one.
    fn extra_info(&self, request: &mut Request<'_>);

    /// As [`Transport::set_protocol`].
    fn set_protocol(&self, protocol: AnyProtocol);

    /// As [`Transport::get_protocol`].
    fn get_protocol(&self) -> Option<AnyProtocol>;

    /// As [`Transport::is_reading`].
    fn is_reading(&self) -> bool;

    /// As [`Transport::pause_reading`].
    fn pause_reading(&self);

    /// As [`Transport::resume_reading`].
    fn resume_reading(&self);

    /// As [`Transport::write`].
    ///
    /// # Errors
    ///
    /// A misuse, never an error of the connection.
    fn write(&self, data: &[u8]) -> Result<(), RuntimeError>;

    /// As [`Transport::writelines`].
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    fn writelines(&self, list_of_data: &[IoSlice<'_>]) -> Result<(), RuntimeError> {
        list_of_data.iter().try_for_each(|data| self.write(data))
    }

    /// As [`Transport::write_eof`].
    ///
    /// # Errors
    ///
    /// As there.
    fn write_eof(&self) -> Result<()>;

    /// As [`Transport::can_write_eof`].
    fn can_write_eof(&self) -> bool;

    /// As [`Transport::get_write_buffer_size`].
    fn get_write_buffer_size(&self) -> usize;

    /// As [`Transport::get_write_buffer_limits`].
    fn get_write_buffer_limits(&self) -> WriteBufferLimits;

    /// As [`Transport::set_write_buffer_limits`].
    fn set_write_buffer_limits(&self, limits: WriteBufferLimits);

    /// Writes what `Debug` shows: `<`, the name of the carrier, its state, `>`.
    ///
    /// # Errors
    ///
    /// The formatter's.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}
