//! HTTPS to the directory of a certificate authority: one connection a request, each with a deadline and a bound.

use std::{error::Error as StdError, path::Path, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    Request, Uri,
    header::{HOST, HeaderValue, RETRY_AFTER},
};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

/// How long one request may take, from connecting to the last byte.
const DEADLINE: Duration = Duration::from_secs(30);
/// The largest answer, in bytes: a certificate chain has a few thousand.
const LARGEST: usize = 256 * 1024;

/// Speaks to directories.
#[derive(Clone)]
pub struct Client {
    tls: TlsConnector,
    patience: watch::Sender<Option<Duration>>,
}

impl Client {
    /// Trusts the authorities in the PEM file `root`, or those that the machine knows.
    ///
    /// # Errors
    /// A sentence: the file cannot be read, or the machine knows none.
    pub fn new(root: Option<&Path>) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|err| format!("TLS cannot be used: {err}"))?
            .with_root_certificates(roots(root)?)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            patience: watch::Sender::new(None),
        })
    }

    /// For how long the directory last asked to be left alone, since this was asked before.
    pub fn asked_for_patience(&self) -> Option<Duration> {
        self.patience.send_replace(None)
    }

    async fn exchange(
        self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Result<BytesResponse, BoxError> {
        let (mut parts, body) = request.into_parts();
        let Some(authority) = parts.uri.authority().cloned() else {
            return Err(format!("{} is no https address", parts.uri).into());
        };
        if parts.uri.scheme_str() != Some("https") {
            return Err(format!("{} is no https address", parts.uri).into());
        }
        let host = authority.host().trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(443)))
            .await
            .map_err(|err| format!("no connection to {authority}: {err}"))?;
        let name = ServerName::try_from(host.to_owned())?;
        let stream = self.tls.connect(name, stream).await;
        let stream = stream.map_err(|err| format!("no TLS with {authority}: {err}"))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts
            .headers
            .insert(HOST, HeaderValue::from_str(authority.as_str())?);
        parts.uri = path.parse::<Uri>()?;
        let answer = sender
            .send_request(Request::from_parts(parts, body))
            .await?;
        let (parts, body) = answer.into_parts();
        let retry_after = parts
            .headers
            .get(RETRY_AFTER)
            .and_then(|it| it.to_str().ok()?.parse().ok());
        if let Some(seconds) = retry_after.filter(|_| !parts.status.is_success()) {
            self.patience
                .send_replace(Some(Duration::from_secs(seconds)));
        }
        let body = Limited::new(body, LARGEST).collect().await?.to_bytes();
        Ok(BytesResponse {
            parts,
            body: Box::new(body),
        })
    }
}

type BoxError = Box<dyn StdError + Send + Sync>;

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.clone();
        let uri = request.uri().clone();
        Box::pin(async move {
            match timeout(DEADLINE, client.exchange(request)).await {
                Ok(outcome) => outcome.map_err(Error::Other),
                Err(_) => {
                    let words =
                        format!("no answer from {uri} within {} seconds", DEADLINE.as_secs());
                    Err(Error::Other(words.into()))
                }
            }
        })
    }
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        let known = rustls_native_certs::load_native_certs().certs;
        let (added, _) = roots.add_parsable_certificates(known);
        return match added {
            0 => Err("this machine knows no certificate authorities: install its package ca-certificates".into()),
            _ => Ok(roots),
        };
    };
    let wrong = |err: &dyn std::fmt::Display| {
        format!("--acme-root {} cannot be used: {err}", file.display())
    };
    let certificates = CertificateDer::pem_file_iter(file).map_err(|err| wrong(&err))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|err| wrong(&err))?;
        roots.add(certificate).map_err(|err| wrong(&err))?;
    }
    match roots.is_empty() {
        true => Err(wrong(&"there is no certificate in it")),
        false => Ok(roots),
    }
}
