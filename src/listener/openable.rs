//! What people can open in a browser, of the addresses that a server listens on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::LocalAddress;

/// Addresses that a browser can open, or that a proxy can be given; each once, the easiest first. A socket that listens
/// on all addresses of the machine is reached by loopback, and from elsewhere by the address that the machine uses.
pub fn openable<'a>(scheme: &str, local: impl Iterator<Item = &'a LocalAddress>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut add = |address: String| {
        if !all.contains(&address) {
            all.push(address);
        }
    };
    for address in local {
        match address {
            LocalAddress::Tcp(address) if address.ip().is_unspecified() => {
                for ip in [Some(Ipv4Addr::LOCALHOST.into()), outgoing()]
                    .into_iter()
                    .flatten()
                {
                    add(url(scheme, SocketAddr::new(ip, address.port())));
                }
            }
            LocalAddress::Tcp(address) => add(url(scheme, *address)),
            LocalAddress::Unix(_) => add(address.to_string()),
        }
    }
    all
}

fn url(scheme: &str, address: SocketAddr) -> String {
    let own = if scheme == "https" { 443 } else { 80 };
    match (address.port() == own, address.ip()) {
        (false, _) => format!("{scheme}://{address}"),
        (true, IpAddr::V4(ip)) => format!("{scheme}://{ip}"),
        (true, IpAddr::V6(ip)) => format!("{scheme}://[{ip}]"),
    }
}

/// The address from which this machine speaks to others, if it does. Nothing is sent for it: connecting a UDP socket
/// only asks the system for the way to a place (these are set aside for documentation, RFC 5737 and 3849).
fn outgoing() -> Option<IpAddr> {
    let places = [
        (
            IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::from([192, 0, 2, 1]),
        ),
        (
            Ipv6Addr::UNSPECIFIED.into(),
            [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(),
        ),
    ];
    places.into_iter().find_map(|(from, to)| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        let ip = socket.local_addr().ok()?.ip();
        (!ip.is_unspecified() && !ip.is_loopback()).then_some(ip)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scheme: &str, local: &[&str]) -> Vec<String> {
        let local: Vec<_> = local
            .iter()
            .map(|text| match text.strip_prefix("unix:") {
                Some(path) => LocalAddress::Unix(Some(path.into())),
                None => LocalAddress::Tcp(text.parse().expect("an address")),
            })
            .collect();
        openable(scheme, local.iter())
    }

    #[test]
    fn every_address_can_be_opened_and_is_told_once() {
        assert_eq!(of("http", &["127.0.0.1:8000"]), ["http://127.0.0.1:8000"]);
        assert_eq!(of("https", &["[::1]:443"]), ["https://[::1]"]);
        let all = of("http", &["0.0.0.0:80", "[::]:80", "unix:/run/chat.sock"]);
        assert_eq!(all[0], "http://127.0.0.1");
        assert_eq!(all.last().map(String::as_str), Some("unix:/run/chat.sock"));
        assert!(
            !all.iter()
                .any(|url| url.contains("0.0.0.0") || url.contains("[::]")),
            "{all:?}"
        );
        assert!(all.len() <= 3, "{all:?}");
    }
}
