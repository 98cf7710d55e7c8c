//! The addresses that the server listens on: free, or its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use super::{Report, http};
use crate::config::{Config, ListenAddress};

/// Whether a server of ours answers at one of them.
pub async fn look(config: &Config, report: &mut Report) -> bool {
    let mut serves = false;
    for address in config.listener.addresses() {
        serves |= look_at(&address, config.tls.tls.is_some(), report).await;
    }
    serves
}

async fn look_at(address: &ListenAddress, has_tls: bool, report: &mut Report) -> bool {
    let asked = match address {
        ListenAddress::Tcp(listen) => http::get_here(reachable(*listen), "/readyz").await,
        ListenAddress::Unix(path) => http::get_by_socket(path, "/readyz").await,
    };
    let Ok(answer) = asked else {
        look_whether_free(address, report);
        return false;
    };
    let status = answer.status;
    // Plain http at an address of https is led there, by nobody else in these words.
    if has_tls && status == 308 && answer.header("location").starts_with("https://") {
        report.good("address", format!("the server at {address} leads to https"));
        return true;
    }
    let text = answer.text().await.unwrap_or_default();
    let is_ours = text.contains("\"ready\"") && text.contains("\"database\"");
    if !is_ours {
        let words = format!("something else answers at {address}");
        report.bad(
            "address",
            words,
            "stop that, or choose another address with --listen",
        );
    } else if status == 200 && !text.contains("\"refused\"") {
        report.good("address", format!("the server at {address} is ready"));
    } else {
        let words = format!("the server at {address} is not well: {}", text.trim());
        report.bad("address", words, "its log says why");
    }
    is_ours
}

fn look_whether_free(address: &ListenAddress, report: &mut Report) {
    let free = match address {
        ListenAddress::Tcp(listen) => TcpListener::bind(listen).map(|_| ()),
        // A server that starts takes the place of a socket that nobody listens on.
        ListenAddress::Unix(_) => Ok(()),
    };
    match free {
        Ok(()) => report.good(
            "address",
            format!("{address} is free; no server runs there"),
        ),
        Err(err) => report.bad(
            "address",
            format!("cannot listen on {address}: {err}"),
            "choose another address with --listen",
        ),
    }
}

/// Where a server that listens there is reached from this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
