//! What is known about a connection that is a TLS one: keys for [`get_extra_info`](crate::Transport::get_extra_info).
//!
//! # asyncio
//!
//! `'peercert'` and `'cipher'`; what is asked of `'ssl_object'` there has keys of its own.
//! There is no `'compression'`, which TLS 1.3 does not have and rustls does not do.

use rustls::{CipherSuite, ProtocolVersion, pki_types::CertificateDer};

use super::session::Session;
use crate::transport::extra_info::{ExtraInfo, Request};

/// asyncio's `'peercert'`: the certificates of the other end, its own first; none of a client that was not asked.
#[derive(Clone, Copy, Debug)]
pub struct Peercert;

impl ExtraInfo for Peercert {
    type Value = Vec<CertificateDer<'static>>;
}

/// asyncio's `'cipher'`: the cipher suite that is used.
#[derive(Clone, Copy, Debug)]
pub struct Cipher;

impl ExtraInfo for Cipher {
    type Value = CipherSuite;
}

/// `SSLObject.version()`: the version of TLS that is spoken.
#[derive(Clone, Copy, Debug)]
pub struct TlsVersion;

impl ExtraInfo for TlsVersion {
    type Value = ProtocolVersion;
}

/// `SSLObject.selected_alpn_protocol()`: the protocol that both ends have agreed on.
#[derive(Clone, Copy, Debug)]
pub struct AlpnProtocol;

impl ExtraInfo for AlpnProtocol {
    type Value = Vec<u8>;
}

/// `SSLObject.server_hostname`, and of a server what Python's `sni_callback` is told: the name of the server, as its client knows it.
///
/// A client that connects to an IP address does not tell the server.
#[derive(Clone, Copy, Debug)]
pub struct ServerHostname;

impl ExtraInfo for ServerHostname {
    type Value = String;
}

/// Answers what a session knows.
pub(super) fn provide(session: &Session, request: &mut Request<'_>) {
    let connection = session.connection();
    request
        .provide::<Peercert>(|| Some(connection.peer_certificates()?.to_vec()))
        .provide::<Cipher>(|| Some(connection.negotiated_cipher_suite()?.suite()))
        .provide::<TlsVersion>(|| connection.protocol_version())
        .provide::<AlpnProtocol>(|| Some(connection.alpn_protocol()?.to_vec()))
        .provide::<ServerHostname>(|| Some(session.server_hostname()?.to_owned()));
}
