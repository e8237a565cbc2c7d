//! `TlsConnector`: the client's side, whom it trusts and what it expects.
//!
//! # asyncio
//!
//! `ssl.create_default_context()`, `server_hostname=`, `ssl_handshake_timeout=` and `ssl_shutdown_timeout=`.

use std::{sync::Arc, time::Duration};

use rondel_task::{Result, ValueError};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::{Timeouts, credentials, session::Session};

/// The client's side of TLS connections: whom to trust, what to speak, how long to wait.
///
/// Cheap to clone; making one reads the platform's certificates, so it is to be made once.
/// Certificates are verified unless [said otherwise](Self::danger_accept_any_certificate).
///
/// Mirrors [`ssl.create_default_context`](https://docs.python.org/3/library/ssl.html#ssl.create_default_context).
/// What else there is to choose, certificates of the client among it, is said to a [`ClientConfig`], from which a connector can be made.
///
/// # Examples
///
/// ```no_run
/// use rondel_net::{Connect, tls::TlsConnector};
///
/// # async fn example() -> rondel_task::Result<()> {
/// let tls = TlsConnector::new()?.alpn_protocols(["http/1.1"]);
/// let (reader, writer) = Connect::to("example.org:443").tls(tls).open_connection().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until a connection is made with it"]
pub struct TlsConnector {
    config: Arc<ClientConfig>,
    server_hostname: Option<String>,
    pub(super) timeouts: Timeouts,
}

impl TlsConnector {
    /// Trusts whom the platform trusts.
    ///
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` in the environment name other certificates.
    ///
    /// # Errors
    ///
    /// The platform has no certificates, or none that can be read.
    pub fn new() -> Result<Self> {
        Self::with_roots(credentials::platform_roots()?)
    }

    /// Trusts those whose certificates `pem` holds, and nobody else; asyncio's `create_default_context(cafile=)`.
    ///
    /// # Errors
    ///
    /// `pem` is no PEM text, or holds no certificate that can be trusted.
    pub fn with_root_certificates(pem: impl AsRef<[u8]>) -> Result<Self> {
        Self::with_roots(credentials::roots(pem.as_ref())?)
    }

    fn with_roots(roots: RootCertStore) -> Result<Self> {
        let config = ClientConfig::builder_with_provider(credentials::provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(config.into())
    }

    /// Offers protocols to the server, the most wanted first; [`AlpnProtocol`](crate::extra_info::AlpnProtocol) tells which it has chosen.
    pub fn alpn_protocols<P: Into<Vec<u8>>>(
        mut self,
        protocols: impl IntoIterator<Item = P>,
    ) -> Self {
        let protocols = protocols.into_iter().map(Into::into).collect();
        Arc::make_mut(&mut self.config).alpn_protocols = protocols;
        self
    }

    /// Names the server: the name is what its certificate has to be for, and what it is told (SNI). An IP address will do.
    ///
    /// Unless set it is the host that one connects to; without a host, as with [`start_tls`](super::start_tls) or a unix socket, it has to be set.
    pub fn server_hostname(self, name: impl Into<String>) -> Self {
        Self {
            server_hostname: Some(name.into()),
            ..self
        }
    }

    /// Sets how long the handshake may take before the connection is aborted; 60 seconds unless set.
    pub fn ssl_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.handshake = timeout;
        self
    }

    /// Sets how long the end of a connection may take before it is aborted; 30 seconds unless set.
    pub fn ssl_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.shutdown = timeout;
        self
    }

    /// Accepts any certificate: whoever sits between here and the server can read and change everything.
    ///
    /// For tests, and for connections whose ends know each other by other means. asyncio's `verify_mode = CERT_NONE`.
    pub fn danger_accept_any_certificate(mut self) -> Self {
        let config = Arc::make_mut(&mut self.config);
        let verifier = AnyCertificate(Arc::clone(config.crypto_provider()));
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(verifier));
        self
    }

    /// Takes the host that is connected to for the server's name, unless one is set.
    pub(super) fn or_server_hostname(mut self, host: Option<String>) -> Self {
        self.server_hostname = self.server_hostname.or(host);
        self
    }

    pub(super) fn session(&self) -> Result<Session> {
        let hostname = self.server_hostname.as_deref().unwrap_or_default();
        if hostname.is_empty() {
            let message = "you must set server_hostname when using ssl without a host";
            return Err(ValueError::new(message).into());
        }
        let name = ServerName::try_from(hostname.to_owned()).map_err(|_| {
            ValueError::new(format!(
                "server_hostname is neither a name nor an IP address: {hostname:?}"
            ))
        })?;
        let connection = ClientConnection::new(Arc::clone(&self.config), name)?;
        Ok(Session::client(connection, hostname))
    }
}

impl From<Arc<ClientConfig>> for TlsConnector {
    fn from(config: Arc<ClientConfig>) -> Self {
        Self {
            config,
            server_hostname: None,
            timeouts: Timeouts::default(),
        }
    }
}

impl From<ClientConfig> for TlsConnector {
    fn from(config: ClientConfig) -> Self {
        Arc::new(config).into()
    }
}

/// Asks nothing of a certificate but that the server has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
