//! Requests as a browser's come, from outside: HTTP/1.1 over TCP or TLS, one a connection, read as it arrives.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::config::PublicUrl;

/// How long a connection, and each part of an answer, is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most that is read of an answer, in bytes.
const MOST: usize = 256 * 1024;

/// A connection.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// An answer whose body is still to come.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Where the request came from, as this machine sees it.
    pub from: SocketAddr,
    head: String,
    body: Vec<u8>,
    stream: Box<dyn Stream>,
}

impl Answer {
    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map_or("", |(_, value)| value.trim())
    }

    /// Reads on until the body has `text`; what it is by then, or none when it ends before.
    pub async fn read_until(&mut self, text: &str) -> io::Result<Option<String>> {
        loop {
            let body = String::from_utf8_lossy(&self.body).into_owned();
            if body.contains(text) {
                return Ok(Some(body));
            }
            if self.body.len() > MOST || read(&mut self.stream, &mut self.body).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The body to its end.
    pub async fn text(mut self) -> io::Result<String> {
        while self.body.len() <= MOST && read(&mut self.stream, &mut self.body).await? > 0 {}
        Ok(String::from_utf8_lossy(&self.body).into_owned())
    }
}

/// Asks for `path` at the address that people type, with these headers besides the usual ones.
///
/// # Errors
/// It cannot be reached, does not speak TLS as it should, or does not answer.
pub async fn get(url: &PublicUrl, path: &str, headers: &str) -> io::Result<Answer> {
    let (host, port) = (host(url), url.port());
    let stream = within(TcpStream::connect((host.as_str(), port))).await?;
    let from = stream.local_addr()?;
    let stream: Box<dyn Stream> = match url.https {
        true => Box::new(within(connector()?.connect(name(&host)?, stream)).await?),
        false => Box::new(stream),
    };
    ask(stream, from, &url.authority, (path, headers)).await
}

/// Asks for `path` at an address of this machine.
///
/// # Errors
/// As [`get`].
pub async fn get_here(address: SocketAddr, path: &str) -> io::Result<Answer> {
    let stream = within(TcpStream::connect(address)).await?;
    let from = stream.local_addr()?;
    ask(Box::new(stream), from, &address.to_string(), (path, "")).await
}

/// Asks for `path` over a socket of this machine.
///
/// # Errors
/// As [`get`].
pub async fn get_by_socket(socket: &Path, path: &str) -> io::Result<Answer> {
    let stream = within(UnixStream::connect(socket)).await?;
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    ask(Box::new(stream), nowhere, "localhost", (path, "")).await
}

async fn ask(
    mut stream: Box<dyn Stream>,
    from: SocketAddr,
    host: &str,
    (path, headers): (&str, &str),
) -> io::Result<Answer> {
    let close = if headers.is_empty() {
        "Connection: close\r\n"
    } else {
        ""
    };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tertulia doctor\r\n{close}{headers}\r\n"
    );
    within(stream.write_all(request.as_bytes())).await?;
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() > MOST || read(&mut stream, &mut bytes).await? == 0 {
            return Err(io::Error::other("it ended without an answer"));
        }
    };
    let body = bytes.split_off(end + 4);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("it does not speak HTTP"))?;
    Ok(Answer {
        status,
        from,
        head,
        body,
        stream,
    })
}

async fn read(stream: &mut Box<dyn Stream>, bytes: &mut Vec<u8>) -> io::Result<usize> {
    within(stream.read_buf(bytes)).await
}

async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, work)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// The name or address in it, without the port.
pub fn host(url: &PublicUrl) -> String {
    let port = format!(":{}", url.port());
    let host = url.authority.strip_suffix(&port).unwrap_or(&url.authority);
    host.trim_matches(['[', ']']).to_owned()
}

fn name(host: &str) -> io::Result<ServerName<'static>> {
    ServerName::try_from(host.to_owned()).map_err(io::Error::other)
}

/// Trusts whom the system trusts.
fn connector() -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One that cannot be read is not trusted.
        let _ = roots.add(certificate);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
