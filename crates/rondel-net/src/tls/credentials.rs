//! Certificates and keys as they come in files, and the cryptography to use them with.
//!
//! # asyncio
//!
//! What Python's `ssl` module does in `SSLContext.load_cert_chain` and `load_verify_locations`.

use std::sync::Arc;

use rondel_task::{Result, ValueError};
use rustls::{
    RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// Returns what this process has chosen by [`CryptoProvider::install_default`], else the one that was built in.
pub(super) fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "tls-aws-lc")]
    use rustls::crypto::aws_lc_rs as built_in;
    #[cfg(not(feature = "tls-aws-lc"))]
    use rustls::crypto::ring as built_in;

    match CryptoProvider::get_default() {
        Some(chosen) => Arc::clone(chosen),
        None => Arc::new(built_in::default_provider()),
    }
}

/// Reads certificates, at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?;
    if certificates.is_empty() {
        return Err(ValueError::new("no certificate found in the PEM text").into());
    }
    Ok(certificates)
}

/// Reads the first key.
pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>> {
    Ok(PrivateKeyDer::from_pem_slice(pem)?)
}

/// Reads the certificates of those who are trusted.
pub(super) fn roots(pem: &[u8]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// Finds the certificates that the platform trusts.
///
/// Those that cannot be read are left out, with a word in the log, as long as there are others.
pub(super) fn platform_roots() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (_added, ignored) = roots.add_parsable_certificates(found.certs);
    if ignored > 0 {
        tracing::debug!(ignored, "certificates of the platform that make no sense");
    }
    for error in &found.errors {
        tracing::debug!(%error, "certificates of the platform that cannot be read");
    }
    if roots.is_empty() {
        return Err(match found.errors.into_iter().next() {
            Some(error) => error.into(),
            None => ValueError::new("the platform has no root certificates").into(),
        });
    }
    Ok(roots)
}
