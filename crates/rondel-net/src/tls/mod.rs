//! TLS: a layer on top of any transport that is a transport itself.
//!
//! Whom to trust and who to be is said by [`TlsConnector`] and [`TlsAcceptor`]. The protocol itself, its cryptography and the verification of
//! certificates are [`rustls`]'s; a connection's bytes, timeouts and events are the layer's.
//!
//! # asyncio
//!
//! The `ssl` argument of `create_connection`, `create_server` and their kin, and
//! [`loop.start_tls`](https://docs.python.org/3/library/asyncio-eventloop.html#tls-upgrade).
//! The arguments `server_hostname`, `ssl_handshake_timeout` and `ssl_shutdown_timeout` are methods of [`TlsConnector`] and [`TlsAcceptor`]: a value of
//! one of these is a context and what is said about a connection in one.

mod acceptor;
mod builders;
mod connector;
mod credentials;
pub(crate) mod info;
mod layer;
mod session;

use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use rondel_task::{EventLoop, Future, Result, ValueError, get_running_loop};

pub use self::{acceptor::TlsAcceptor, connector::TlsConnector};
pub use rustls;

use self::{
    layer::{Above, Below, Layer},
    session::Session,
};
use crate::{
    connect::Unclaimed,
    protocol::{AnyProtocol, StreamProtocol as _},
    transport::{
        Transport,
        layering::{Layered, Layering},
    },
};

/// One side of a TLS connection.
///
/// Functions take `impl Into<Tls>`: a [`TlsConnector`] or a [`TlsAcceptor`].
#[derive(Clone, Debug)]
pub enum Tls {
    /// The side that begins the handshake.
    Client(TlsConnector),
    /// The side that answers: asyncio's `server_side=True`.
    Server(TlsAcceptor),
}

impl From<TlsConnector> for Tls {
    fn from(connector: TlsConnector) -> Self {
        Self::Client(connector)
    }
}

impl From<TlsAcceptor> for Tls {
    fn from(acceptor: TlsAcceptor) -> Self {
        Self::Server(acceptor)
    }
}

impl Tls {
    fn session(&self) -> Result<Session> {
        match self {
            Self::Client(connector) => connector.session(),
            Self::Server(acceptor) => acceptor.session(),
        }
    }

    fn timeouts(&self) -> Timeouts {
        match self {
            Self::Client(connector) => connector.timeouts,
            Self::Server(acceptor) => acceptor.timeouts,
        }
    }

    /// Makes the layer of one connection.
    fn on(
        &self,
        event_loop: &EventLoop,
        above: Above,
        waiter: Option<Future<()>>,
    ) -> Result<Rc<Layer>> {
        let timeouts = self.timeouts().checked()?;
        Ok(Layer::new(
            event_loop,
            self.session()?,
            timeouts,
            above,
            waiter,
        ))
    }
}

impl Layering for Tls {
    fn layer(
        &self,
        event_loop: &EventLoop,
        protocol: AnyProtocol,
        waiter: Option<Future<()>>,
    ) -> Result<Layered> {
        let layer = self.on(event_loop, Above::new(protocol), waiter)?;
        Ok(Layered {
            below: Rc::new(Below::new(&layer)).into_any(),
            above: Transport::new(layer),
        })
    }
}

/// How long a peer may take to begin and to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) handshake: Duration,
    pub(crate) shutdown: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(60),
            shutdown: Duration::from_secs(30),
        }
    }
}

impl Timeouts {
    fn checked(self) -> Result<Self, ValueError> {
        let named = [
            ("ssl_handshake_timeout", self.handshake),
            ("ssl_shutdown_timeout", self.shutdown),
        ];
        match named.iter().find(|(_, timeout)| timeout.is_zero()) {
            Some((name, _)) => Err(ValueError::new(format!(
                "{name} should be a positive number, got 0"
            ))),
            None => Ok(self),
        }
    }
}

/// Upgrades a connection to TLS, and gives the transport that its protocol is to use from now on.
///
/// The protocol stays the same and is not told; it is to write nothing to the old transport any more.
/// Bytes that the peer has sent before this call and that belong to its handshake have been given to the protocol already: a client that waits for an
/// answer before it begins, as STARTTLS has it, sends none. [`StreamWriter::start_tls`](crate::StreamWriter::start_tls) finds them in its reader.
///
/// Mirrors [`loop.start_tls`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.start_tls).
///
/// # Errors
///
/// What the handshake fails by: a [`rustls::Error`], a lost connection or a timeout (I/O errors); a [`ValueError`] when the client was not told the
/// server's name. The connection is closed then.
///
/// # Examples
///
/// ```no_run
/// use rondel_net::{Transport, tls::{TlsConnector, start_tls}};
///
/// # async fn example(transport: Transport) -> rondel_task::Result<()> {
/// let connector = TlsConnector::new()?.server_hostname("mail.example.org");
/// let secured = start_tls(&transport, connector).await?;
/// secured.write("EHLO example.org\r\n")?;
/// # Ok(())
/// # }
/// ```
pub async fn start_tls(transport: &Transport, tls: impl Into<Tls>) -> Result<Transport> {
    upgrade(transport, &tls.into(), Bytes::new).await
}

/// As [`start_tls`], with what of the peer's handshake has come already.
async fn upgrade(
    transport: &Transport,
    tls: &Tls,
    take_early: impl FnOnce() -> Bytes,
) -> Result<Transport> {
    let event_loop = get_running_loop()?;
    let protocol = transport.get_protocol().ok_or_else(layer::lost)?;
    let waiter = event_loop.create_future();
    let layer = tls.on(
        &event_loop,
        Above::connected(protocol),
        Some(waiter.clone()),
    )?;

    let unclaimed = Unclaimed::new(transport.clone());
    // Nothing is to come before the layer has begun.
    transport.pause_reading();
    transport.set_protocol(Rc::new(Below::new(&layer)));
    let early = take_early();
    let (beginning, underneath) = (Rc::clone(&layer), transport.clone());
    event_loop.call_soon(move || {
        beginning.begin(underneath.clone(), &early);
        underneath.resume_reading();
    })?;
    waiter.await?;
    unclaimed.claim();
    Ok(Transport::new(layer))
}
