//! `TlsAcceptor`: the server's side, who it is and what it speaks.
//!
//! # asyncio
//!
//! `SSLContext(PROTOCOL_TLS_SERVER)` with `load_cert_chain`, `ssl_handshake_timeout=` and `ssl_shutdown_timeout=`.

use std::{sync::Arc, time::Duration};

use rondel_task::Result;
use rustls::{ServerConfig, ServerConnection};

use super::{Timeouts, credentials, session::Session};

/// The server's side of TLS connections: who it is, what it speaks, how long it waits. Cheap to clone.
///
/// Mirrors [`ssl.SSLContext`](https://docs.python.org/3/library/ssl.html#ssl.SSLContext) of a server.
/// What else there is to choose, such as to ask clients for certificates or to have several names, is said to a [`ServerConfig`], from which an acceptor
/// can be made.
///
/// # Examples
///
/// ```no_run
/// use rondel_net::{Listen, tls::TlsAcceptor};
///
/// # async fn example() -> rondel_task::Result<()> {
/// let tls = TlsAcceptor::new(std::fs::read("chain.pem")?, std::fs::read("key.pem")?)?;
/// let server = Listen::on("[::]:443")
///     .tls(tls)
///     .start_server(async |_reader, writer| writer.write("hello"))
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until a server is made with it"]
pub struct TlsAcceptor {
    config: Arc<ServerConfig>,
    pub(super) timeouts: Timeouts,
}

impl TlsAcceptor {
    /// Takes the certificate of the server, with those that lead from it to a root behind it, and its private key: two PEM texts.
    ///
    /// # Errors
    ///
    /// They are no PEM texts, hold no certificate or no key, or do not belong together.
    pub fn new(certificates: impl AsRef<[u8]>, private_key: impl AsRef<[u8]>) -> Result<Self> {
        let certificates = credentials::certificates(certificates.as_ref())?;
        let private_key = credentials::private_key(private_key.as_ref())?;
        let config = ServerConfig::builder_with_provider(credentials::provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates, private_key)?;
        Ok(config.into())
    }

    /// Chooses among the protocols that a client offers, the most wanted first; who offers others is refused.
    ///
    /// [`AlpnProtocol`](crate::extra_info::AlpnProtocol) tells which was chosen.
    pub fn alpn_protocols<P: Into<Vec<u8>>>(
        mut self,
        protocols: impl IntoIterator<Item = P>,
    ) -> Self {
        let protocols = protocols.into_iter().map(Into::into).collect();
        Arc::make_mut(&mut self.config).alpn_protocols = protocols;
        self
    }

    /// Sets how long a handshake may take before the connection is aborted; 60 seconds unless set.
    pub fn ssl_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.handshake = timeout;
        self
    }

    /// Sets how long the end of a connection may take before it is aborted; 30 seconds unless set.
    pub fn ssl_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.shutdown = timeout;
        self
    }

    pub(super) fn session(&self) -> Result<Session> {
        let connection = ServerConnection::new(Arc::clone(&self.config))?;
        Ok(Session::server(connection))
    }
}

impl From<Arc<ServerConfig>> for TlsAcceptor {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self {
            config,
            timeouts: Timeouts::default(),
        }
    }
}

impl From<ServerConfig> for TlsAcceptor {
    fn from(config: ServerConfig) -> Self {
        Arc::new(config).into()
    }
}
