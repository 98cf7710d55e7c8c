//! `tertulia health`: whether a server on this machine answers, for containers that have no other program to ask with.

use std::{
    io::{self, Read as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    time::Duration,
};

use clap::Args;

use crate::app::StartError;

/// How long it waits for each byte of the answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// Whom it asks.
#[derive(Debug, Clone, Args)]
pub struct HealthConfig {
    /// Where the server listens for http (with --tls: its --http-listen); of several addresses, separated by commas, the
    /// first is asked
    #[arg(
        long,
        env = "TERTULIA_LISTEN",
        default_value = "127.0.0.1:8000",
        value_name = "ADDRESS:PORT|unix:PATH",
        value_delimiter = ','
    )]
    pub listen: Vec<String>,
}

/// Asks `/healthz`, and says `ok`.
///
/// # Errors
/// A sentence for the operator.
pub fn run(config: &HealthConfig) -> Result<(), StartError> {
    let address = config.listen.first().map_or("", |address| address.trim());
    let failed = |why: &str| StartError(format!("the server at {address} is not well: {why}"));
    let answer = ask(address).map_err(|err| failed(&err.to_string()))?;
    // With https of its own, http is answered with the way there.
    if ["HTTP/1.1 2", "HTTP/1.1 3"]
        .iter()
        .any(|well| answer.starts_with(well))
    {
        println!("ok");
        return Ok(());
    }
    Err(failed(answer.lines().next().unwrap_or("no answer")))
}

fn ask(address: &str) -> io::Result<String> {
    if let Some(path) = address.strip_prefix("unix:") {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        return exchange(stream);
    }
    let address = address.parse().map_err(io::Error::other)?;
    let stream = TcpStream::connect_timeout(&on_this_machine(address), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    exchange(stream)
}

/// Whoever listens on all addresses is found on loopback.
fn on_this_machine(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

fn exchange(mut stream: impl io::Read + io::Write) -> io::Result<String> {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(1024).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
