//! Certificates for the tests of TLS, made when they are needed.

#![allow(dead_code, reason = "each test file uses a part of this")]

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rondel_net::tls::{TlsAcceptor, TlsConnector};

/// Somebody who makes certificates, and whom clients may trust.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no name is wrong");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("keys can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("it can be signed"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Makes a certificate for a name or an IP address.
    pub(crate) fn issue(&self, name: &str) -> Identity {
        self.sign(&CertificateParams::new([name.to_owned()]).expect("it is a name"))
    }

    /// Makes one that was good last century.
    pub(crate) fn issue_expired(&self, name: &str) -> Identity {
        let mut params = CertificateParams::new([name.to_owned()]).expect("it is a name");
        params.not_before = date_time_ymd(1990, 1, 1);
        params.not_after = date_time_ymd(1999, 12, 31);
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("keys can be made");
        let certificate = params.signed_by(&key, &self.0).expect("it can be signed");
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// The client's side for those who trust this authority.
    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::with_root_certificates(self.pem()).expect("it is one")
    }
}

impl Identity {
    /// The server's side.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::new(&self.certificate, &self.key).expect("they belong together")
    }
}

/// Both sides for connections to `localhost`.
pub(crate) fn localhost() -> (TlsConnector, TlsAcceptor) {
    let authority = Authority::new();
    let acceptor = authority.issue("localhost").acceptor();
    let connector = authority.connector().server_hostname("localhost");
    (connector, acceptor)
}
