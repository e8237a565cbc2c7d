//! Datagrams: messages that arrive whole or not at all, over UDP and unix sockets.
//!
//! # asyncio
//!
//! [`create_datagram_endpoint`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_datagram_endpoint) with
//! `DatagramProtocol` and `DatagramTransport`.

mod endpoint;
mod protocol;
mod socket;
mod transport;

pub use endpoint::{DatagramEndpoint, create_datagram_endpoint};
pub use protocol::DatagramProtocol;
pub use transport::DatagramTransport;
