//! Where TLS is asked for: the descriptions of connections and servers, and streams that are there.
//!
//! # asyncio
//!
//! The `ssl` argument, and `StreamWriter.start_tls`. For `create_connection` the argument may be `True` there: that is [`TlsConnector::new`](super::TlsConnector::new) here.

use rondel_task::Result;

use super::{Tls, TlsAcceptor, upgrade};
use crate::{
    Address, SocketName, address::Kind, connect::Connect, server::Listen, stream::StreamWriter,
};

impl Connect {
    /// Speaks TLS: asyncio's `ssl`. The connection is there when the handshake is over.
    ///
    /// The name of the server is the host of the address, unless the connector [has one](super::TlsConnector::server_hostname).
    /// With [`with_socket`](Self::with_socket) a [`TlsAcceptor`] makes this the server's side of a connection that was accepted elsewhere.
    ///
    /// What the handshake fails by is raised when the connection is made: a [`rustls::Error`], a lost connection or a timeout (I/O errors).
    pub fn tls(self, tls: impl Into<Tls>) -> Self {
        let tls = match tls.into() {
            Tls::Client(connector) => {
                let host = self.address().and_then(host_of);
                Tls::Client(connector.or_server_hostname(host))
            }
            server @ Tls::Server(_) => server,
        };
        self.with_layer(Box::new(tls))
    }
}

/// Gives the host of an address, where it has one.
fn host_of(address: &Address) -> Option<String> {
    match address.clone().into_kind().ok()? {
        Kind::Host { host, .. } => Some(host),
        Kind::Name(SocketName::Inet(name)) => Some(name.ip().to_string()),
        _ => None,
    }
}

impl Listen {
    /// Speaks TLS: asyncio's `ssl`. A protocol, or a handler of streams, hears of a connection when its handshake is over.
    ///
    /// Of a client whose handshake fails nobody hears but the log, at DEBUG.
    pub fn tls(self, acceptor: TlsAcceptor) -> Self {
        self.with_layer(Box::new(Tls::Server(acceptor)))
    }
}

impl StreamWriter {
    /// Upgrades the connection to TLS, after what is written is sent; both ends of the stream go on with it.
    ///
    /// What the reader has and was not read belongs to the peer's handshake: the peer has not waited, or somebody has put it there.
    /// So nothing that came before the upgrade is read as if it had come after it.
    ///
    /// Mirrors [`StreamWriter.start_tls`](https://docs.python.org/3/library/asyncio-stream.html#asyncio.StreamWriter.start_tls).
    ///
    /// # Errors
    ///
    /// As [`start_tls`](super::start_tls) and [`drain`](Self::drain).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use rondel_net::{open_connection, tls::TlsConnector};
    ///
    /// # async fn example() -> rondel_task::Result<()> {
    /// let (reader, writer) = open_connection("mail.example.org:25").await?;
    /// writer.write("STARTTLS\r\n")?;
    /// reader.readline().await?;
    /// let connector = TlsConnector::new()?.server_hostname("mail.example.org");
    /// writer.start_tls(connector).await?;
    /// writer.write("EHLO example.org\r\n")?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_tls(&self, tls: impl Into<Tls>) -> Result<()> {
        let tls = tls.into();
        self.drain().await?;
        let plain = self.transport();
        let secured = upgrade(&plain, &tls, || self.take_unread()).await?;
        self.set_transport(secured);
        Ok(())
    }
}
