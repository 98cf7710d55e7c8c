//! TLS: which certificate is shown, where it comes from, and what is answered to those who come without.

mod certificate;
mod files;
mod plain_http;

use std::{
    fmt,
    sync::{Arc, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

pub use certificate::{Certificate, Validity};
pub use files::CertificateFiles;
pub use plain_http::PlainHttp;

/// The only protocol that is offered (ALPN, RFC 7301): WebSockets are an upgrade of it.
const PROTOCOL: &[u8] = b"http/1.1";

/// The certificate that visitors are shown. It can be another one from one connection to the next.
#[derive(Default)]
pub struct Shown(RwLock<Option<Arc<CertifiedKey>>>);

impl Shown {
    /// Shows this one from now on.
    pub fn replace(&self, certificate: &Certificate) {
        *self.0.write().expect("nobody panics in here") = Some(certificate.key.clone());
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.0.read().expect("nobody panics in here").is_some()
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shown").field(&self.is_there()).finish()
    }
}

impl ResolvesServerCert for Shown {
    /// Whatever name is asked for: who comes by another is told by the page, or by their browser.
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().expect("nobody panics in here").clone()
    }
}

/// How connections of one server become TLS, and what is said to those that do not.
#[derive(Clone)]
pub struct Tls {
    /// Begins handshakes.
    pub acceptor: TlsAcceptor,
    /// Answers requests in the clear.
    pub plain: Arc<PlainHttp>,
}

impl Tls {
    /// TLS 1.2 and 1.3 with the certificate that is shown at that moment.
    ///
    /// # Errors
    /// When the cipher suites do not fit the protocols.
    pub fn new(plain: PlainHttp) -> Result<Self, rustls::Error> {
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(plain.shown.clone());
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // Pages that come back all at once need no new key exchange, and nothing is kept for them here.
        config.ticketer = ring::Ticketer::new()?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            plain: Arc::new(plain),
        })
    }
}
