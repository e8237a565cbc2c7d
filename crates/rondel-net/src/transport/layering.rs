//! Layers between the transport of a socket and its protocol, as connections and servers put them there.
//!
//! What a layer does is its own business: TLS is one.
//!
//! # asyncio
//!
//! What `_make_ssl_transport` does beside `_make_socket_transport`.

use std::fmt;

use rondel_task::{EventLoop, Future, Result};

use super::Transport;
use crate::protocol::AnyProtocol;

/// A layer to be put on connections.
pub(crate) trait Layering: fmt::Debug {
    /// Makes the layer of one connection, for the protocol above; `waiter` is completed when that has heard of the connection.
    fn layer(
        &self,
        event_loop: &EventLoop,
        protocol: AnyProtocol,
        waiter: Option<Future<()>>,
    ) -> Result<Layered>;
}

/// Both faces of a layer.
pub(crate) struct Layered {
    /// The protocol of the transport underneath.
    pub(crate) below: AnyProtocol,
    /// The transport of the protocol above.
    pub(crate) above: Transport,
}
