//! What a datagram endpoint tells its protocol.
//!
//! # asyncio
//!
//! [`DatagramProtocol`](https://docs.python.org/3/library/asyncio-protocol.html#datagram-protocols).

use rondel_task::Exception;

use super::DatagramTransport;
use crate::{BaseProtocol, SocketName};

/// A protocol of datagrams.
///
/// A method that panics is reported to the loop's exception handler, and the endpoint stays open: the next datagram has nothing to do with this one.
///
/// Mirrors [`asyncio.DatagramProtocol`](https://docs.python.org/3/library/asyncio-protocol.html#asyncio.DatagramProtocol).
///
/// # Examples
///
/// Sends back what comes:
///
/// ```
/// use std::cell::OnceCell;
/// use rondel_net::{BaseProtocol, DatagramProtocol, DatagramTransport, SocketName};
///
/// #[derive(Default)]
/// struct Echo {
///     transport: OnceCell<DatagramTransport>,
/// }
///
/// impl BaseProtocol for Echo {}
///
/// impl DatagramProtocol for Echo {
///     fn connection_made(&self, transport: DatagramTransport) {
///         let _ = self.transport.set(transport);
///     }
///
///     fn datagram_received(&self, data: &[u8], sender: &SocketName) {
///         if let Some(transport) = self.transport.get() {
///             transport.sendto(data, sender).expect("the endpoint is not connected");
///         }
///     }
/// }
/// ```
pub trait DatagramProtocol: BaseProtocol {
    /// The endpoint is there; `transport` is what to send with.
    fn connection_made(&self, transport: DatagramTransport) {
        let _ = transport;
    }

    /// A datagram has come.
    ///
    /// What does not fit into 256 KiB is cut off.
    fn datagram_received(&self, data: &[u8], sender: &SocketName);

    /// Sending or receiving has failed, for instance because nobody listens at the remote address; the endpoint goes on.
    fn error_received(&self, exception: &Exception) {
        let _ = exception;
    }
}
