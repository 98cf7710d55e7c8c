//! A client that speaks HTTPS as a browser does: it checks the certificate's chain, name and time.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::PATIENCE;

/// Who trusts one authority, and finds one host at a port of this machine.
pub struct Secure {
    host: String,
    port: u16,
    tls: TlsConnector,
}

impl Secure {
    /// Trusts this authority alone.
    pub fn new(host: &str, port: u16, authority: &CertificateDer<'static>) -> Secure {
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone()).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS");
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = match host == "127.0.0.1" {
            true => vec![b"http/1.1".to_vec()],
            // As browsers do for sites.
            false => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        Secure {
            host: host.to_owned(),
            port,
            tls: TlsConnector::from(Arc::new(config)),
        }
    }

    /// A connection, when its certificate is good.
    pub async fn connects(&self) -> Option<TlsStream<TcpStream>> {
        let line = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        let name = ServerName::try_from(self.host.clone()).expect("a name");
        let connected = timeout(PATIENCE, self.tls.connect(name, line)).await;
        connected.expect("the handshake ends").ok()
    }

    /// The server's own certificate.
    pub async fn certificate(&self) -> Option<CertificateDer<'static>> {
        let line = self.connects().await?;
        let chain = line.get_ref().1.peer_certificates()?;
        Some(chain.first()?.clone().into_owned())
    }

    /// The whole answer to a request with these header lines and this body.
    pub async fn asks(&self, line: &str, fields: &str, body: &str) -> Option<String> {
        let mut stream = self.connects().await?;
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{fields}\r\n{body}",
            self.host,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        read.expect("it answers").ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }

    /// The whole answer to a GET.
    pub async fn get(&self, path: &str) -> Option<String> {
        self.asks(&format!("GET {path}"), "", "").await
    }
}
