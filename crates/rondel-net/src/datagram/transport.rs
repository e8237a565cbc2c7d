//! The transport of datagrams as its users see it.
//!
//! What it does is done by the [`DatagramSocket`] behind it.

use std::{fmt, rc::Rc};

use rondel_task::{Result, ValueError};

use super::{DatagramProtocol, socket::DatagramSocket};
use crate::{
    SocketName, WriteBufferLimits,
    transport::extra_info::{ExtraInfo, Request},
};

/// An endpoint of datagrams: a cheap handle, of which clones are the same one.
///
/// Dropping it does not close the endpoint, which the loop owns.
///
/// Mirrors [`asyncio.DatagramTransport`](https://docs.python.org/3/library/asyncio-protocol.html#asyncio.DatagramTransport).
#[derive(Clone)]
pub struct DatagramTransport(Rc<DatagramSocket>);

impl DatagramTransport {
    pub(super) fn new(socket: Rc<DatagramSocket>) -> Self {
        Self(socket)
    }

    /// Sends a datagram to the remote address of the endpoint.
    ///
    /// It does not wait: what the system does not take at once is kept until it does, and
    /// [`pause_writing`](crate::BaseProtocol::pause_writing) tells when that becomes too much.
    /// An error is for [`error_received`](DatagramProtocol::error_received); what is sent after the endpoint is closed is thrown away.
    ///
    /// # Errors
    ///
    /// A [`ValueError`] when the endpoint has no remote address.
    pub fn send(&self, data: impl AsRef<[u8]>) -> Result<(), ValueError> {
        self.0.send_to_remote(data.as_ref())
    }

    /// Sends a datagram to `address`; as [`send`](Self::send) in all else.
    ///
    /// Mirrors [`sendto`](https://docs.python.org/3/library/asyncio-protocol.html#asyncio.DatagramTransport.sendto).
    ///
    /// # Errors
    ///
    /// A [`ValueError`] when the endpoint has another remote address.
    pub fn sendto(
        &self,
        data: impl AsRef<[u8]>,
        address: impl Into<SocketName>,
    ) -> Result<(), ValueError> {
        self.0.send_to(data.as_ref(), address.into())
    }

    /// Closes the endpoint: it receives no more, sends what is kept, and then calls `connection_lost`.
    pub fn close(&self) {
        self.0.close();
    }

    /// Says whether the endpoint is closing or closed.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    /// Closes the endpoint and throws away what is kept; `connection_lost` is called soon.
    ///
    /// Mirrors [`abort`](https://docs.python.org/3/library/asyncio-protocol.html#asyncio.DatagramTransport.abort).
    pub fn abort(&self) {
        self.0.abort();
    }

    /// Answers what is known about the socket under a [key](crate::extra_info), as [`Transport`](crate::Transport::get_extra_info) does.
    #[must_use]
    pub fn get_extra_info<K: ExtraInfo>(&self, key: K) -> Option<K::Value> {
        let _ = key;
        Request::ask::<K>(|request| self.0.extra_info(request))
    }

    /// Gives the endpoint to another protocol, which is not told so.
    pub fn set_protocol(&self, protocol: Rc<dyn DatagramProtocol>) {
        self.0.set_protocol(protocol);
    }

    /// Returns the protocol; none once the endpoint is closed.
    #[must_use]
    pub fn get_protocol(&self) -> Option<Rc<dyn DatagramProtocol>> {
        self.0.get_protocol()
    }

    /// Returns how many bytes are kept, with 8 more for each datagram.
    #[must_use]
    pub fn get_write_buffer_size(&self) -> usize {
        self.0.get_write_buffer_size()
    }

    /// Returns the marks that the kept bytes are held between.
    #[must_use]
    pub fn get_write_buffer_limits(&self) -> WriteBufferLimits {
        self.0.limits()
    }

    /// Sets the marks; the protocol is told at once if more is kept than the new one allows.
    pub fn set_write_buffer_limits(&self, limits: WriteBufferLimits) {
        self.0.set_limits(limits);
    }
}

impl fmt::Debug for DatagramTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
