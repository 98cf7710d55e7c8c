//! Where a request comes from: the peer, or what a trusted proxy says of it.
//!
//! A trusted proxy's lists are walked from their end past the hops that are trusted too: the first that is not is who
//! asked. What anybody else sends in these headers counts for nothing. When `X-Forwarded-For` and `Forwarded` are both
//! there they must say the same: most proxies write one of them and pass the other on as it came, which may be a lie.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use poem::{Addr, FromRequest, Request, RequestBody, http::HeaderMap, web::RemoteAddr};

use super::{
    Site,
    extract::site,
    forwarded::{Hop, forwarded, x_forwarded_for},
};
use crate::config::TrustedProxies;

/// How many peers are named in the log that are not trusted and send headers of proxies.
const MOST_NAMED: usize = 32;

/// Where the request comes from, for counting what comes from there. IPv6 counts by its /64 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl std::fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<'a> FromRequest<'a> for ClientAddress {
    async fn from_request(req: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self::of(site(req)?, req))
    }
}

impl ClientAddress {
    /// Read from a request's head. The log says once when everybody behind a proxy counts as one.
    pub fn of(site: &Site, req: &Request) -> Self {
        let (address, told) = find(peer(req), req.headers(), &site.app.config.trusted_proxies);
        site.proxies.note(peer(req), told);
        Self(network(address))
    }

    /// The address itself, not its network; unspecified (`0.0.0.0`) for somebody on a unix socket of whom its proxy
    /// says nothing.
    pub fn exact(site: &Site, req: &Request) -> IpAddr {
        find(peer(req), req.headers(), &site.app.config.trusted_proxies).0
    }
}

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A program of this machine, over a unix socket: who may open it is decided by its file. It counts as a trusted
    /// proxy.
    Socket,
    /// Somebody at this address.
    Address(IpAddr),
}

impl Peer {
    fn is_trusted(self, proxies: &[TrustedProxies]) -> bool {
        match self {
            Self::Socket => true,
            Self::Address(address) => is_trusted(address, proxies),
        }
    }

    fn address(self) -> IpAddr {
        match self {
            Self::Socket => IpAddr::from([0, 0, 0, 0]),
            Self::Address(address) => address,
        }
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket => f.write_str("the unix socket"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// Who is at the other end of this request's connection.
pub fn peer(req: &Request) -> Peer {
    let RemoteAddr(address) = req.remote_addr();
    match address {
        Addr::SocketAddr(address) => Peer::Address(address.ip().to_canonical()),
        Addr::Unix(_) => Peer::Socket,
        Addr::Custom(..) => Peer::Address(IpAddr::from([0, 0, 0, 0])),
    }
}

fn is_trusted(address: IpAddr, proxies: &[TrustedProxies]) -> bool {
    proxies.iter().any(|proxies| proxies.contains(address))
}

/// What was learnt on the way, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Nothing is wrong.
    Enough,
    /// A trusted proxy does not say for whom it asks.
    Nothing,
    /// Its two headers name two addresses.
    TwoThings,
}

fn find(peer: Peer, headers: &HeaderMap, proxies: &[TrustedProxies]) -> (IpAddr, Told) {
    if !peer.is_trusted(proxies) {
        return (peer.address(), Told::Enough);
    }
    let walk = |hops: Vec<Hop>| (!hops.is_empty()).then(|| walk(peer, &hops, proxies));
    let found = x_forwarded_for(headers).and_then(walk);
    match (found, forwarded(headers).and_then(walk)) {
        (Some(one), Some(other)) if one != other => (peer.address(), Told::TwoThings),
        (Some(address), _) | (None, Some(address)) => (address, Told::Enough),
        (None, None) => (peer.address(), Told::Nothing),
    }
}

/// The first hop that is not trusted. Of a way that is hidden or ends before, the last hop that is known.
fn walk(peer: Peer, hops: &[Hop], proxies: &[TrustedProxies]) -> IpAddr {
    let mut last = peer.address();
    for hop in hops {
        let Some(address) = *hop else { break };
        last = address;
        if !is_trusted(address, proxies) {
            break;
        }
    }
    last
}

fn network(addr: IpAddr) -> IpAddr {
    match addr.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

/// What the log has said of proxies, so that it says each thing once.
#[derive(Debug, Default)]
pub struct ProxyNotes {
    named: Mutex<HashSet<IpAddr>>,
    is_silent: AtomicBool,
    has_two: AtomicBool,
}

impl ProxyNotes {
    /// Names a peer that is not trusted and sends what only counts from a proxy: most likely it is one.
    pub fn name_untrusted(&self, site: &Site, req: &Request) {
        let has = |name: &str| req.headers().contains_key(name);
        let Peer::Address(address) = peer(req) else {
            return;
        };
        let header = match (has("x-forwarded-for"), has("forwarded")) {
            (true, _) => "X-Forwarded-For",
            (_, true) => "Forwarded",
            _ => return,
        };
        if is_trusted(address, &site.app.config.trusted_proxies) {
            return;
        }
        let mut named = self.named.lock().expect("nobody panics in here");
        if named.len() < MOST_NAMED && named.insert(address) {
            tracing::warn!(
                peer = %address,
                header,
                "a header that only counts from a trusted proxy is ignored. If this peer is your proxy, set \
                 --trusted-proxies {address}: until then all who come through it count as one address, and eleven \
                 wrong passwords of one of them keep all of them from signing in for a minute"
            );
        }
    }

    fn note(&self, peer: Peer, told: Told) {
        let is_first = |flag: &AtomicBool| !flag.swap(true, Ordering::Relaxed);
        match told {
            Told::Nothing if is_first(&self.is_silent) => tracing::warn!(
                %peer,
                "a trusted proxy does not say for whom it asks: all who come through it count as one address, and \
                 eleven wrong passwords of one of them keep all of them from signing in for a minute. Let it send \
                 X-Forwarded-For (nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for)"
            ),
            Told::TwoThings if is_first(&self.has_two) => tracing::warn!(
                %peer,
                "a trusted proxy sends X-Forwarded-For and Forwarded that name two addresses: neither counts, and who \
                 comes so counts as the proxy itself. Let it remove the one that it does not write"
            ),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use poem::http::{HeaderName, HeaderValue};

    use super::*;

    /// What is found for a peer (or a unix socket), trusting some, with these headers.
    fn found(peer: &str, trusted: &[&str], headers: &[(&str, &str)]) -> (String, Told) {
        let peer = match peer {
            "unix" => Peer::Socket,
            address => Peer::Address(address.parse().expect("an address")),
        };
        let trusted = trusted.iter().map(|it| it.parse().expect("proxies"));
        let trusted: Vec<TrustedProxies> = trusted.collect();
        let header = |(name, value): &(&str, &str)| {
            let name = HeaderName::try_from(*name).expect("a name");
            (name, HeaderValue::from_str(value).expect("a value"))
        };
        let headers: HeaderMap = headers.iter().map(header).collect();
        let (address, told) = find(peer, &headers, &trusted);
        (address.to_string(), told)
    }

    const XFF: &str = "x-forwarded-for";

    #[test]
    fn what_a_peer_says_that_is_not_trusted_counts_for_nothing() {
        for trusted in [&[][..], &["10.0.0.2"], &["loopback", "private"]] {
            let headers = [(XFF, "1.2.3.4"), ("forwarded", "for=5.6.7.8")];
            let (address, told) = found("203.0.113.9", trusted, &headers);
            assert_eq!((address.as_str(), told), ("203.0.113.9", Told::Enough));
        }
    }

    #[test]
    fn a_list_is_walked_from_its_end_past_those_who_are_trusted() {
        for (peer, trusted, list, who) in [
            ("10.0.0.2", &["10.0.0.2"][..], "1.2.3.4", "1.2.3.4"),
            // What the person sent stands before what the proxy added.
            ("10.0.0.2", &["10.0.0.2"], "6.6.6.6, 1.2.3.4", "1.2.3.4"),
            ("10.0.0.2", &["10.0.0.2"], "10.0.0.2, 1.2.3.4", "1.2.3.4"),
            (
                "10.0.0.2",
                &["10.0.0.0/8"],
                "6.6.6.6, 1.2.3.4, 10.0.0.3",
                "1.2.3.4",
            ),
            ("10.0.0.2", &["10.0.0.2"], "1.2.3.4, 10.0.0.3", "10.0.0.3"),
            (
                "::1",
                &["loopback", "fd00::/8"],
                "2001:db8::7, fd00::2",
                "2001:db8::7",
            ),
            (
                "::ffff:10.0.0.2",
                &["10.0.0.0/8"],
                "::ffff:1.2.3.4",
                "1.2.3.4",
            ),
            ("unix", &[], "1.2.3.4:567", "1.2.3.4"),
            ("unix", &["loopback"], "1.2.3.4, 127.0.0.1", "1.2.3.4"),
            // Everybody is trusted: somebody of the own network, as far as it is known.
            (
                "10.0.0.2",
                &["private"],
                "192.168.1.7, 10.0.0.3",
                "192.168.1.7",
            ),
            // What lies beyond somebody unknown may be made up.
            ("10.0.0.2", &["private"], "1.2.3.4, unknown", "10.0.0.2"),
            (
                "10.0.0.2",
                &["private"],
                "1.2.3.4, evil, 10.0.0.3",
                "10.0.0.3",
            ),
        ] {
            let (address, told) = found(peer, trusted, &[(XFF, list)]);
            assert_eq!((address.as_str(), told), (who, Told::Enough), "{list}");
        }
        let long = "6.6.6.6, ".to_string() + &"10.0.0.3, ".repeat(100) + "10.0.0.4";
        let (address, _) = found("10.0.0.2", &["private"], &[(XFF, &long)]);
        assert_eq!(address, "10.0.0.3", "a list is read up to a point");
    }

    #[test]
    fn forwarded_counts_alone_or_when_it_agrees() {
        let trusted = &["10.0.0.0/8"];
        let new = ("forwarded", "for=\"[2001:db8::7]:80\", for=10.0.0.3");
        let alone = found("10.0.0.2", trusted, &[new]);
        assert_eq!(alone, ("2001:db8::7".into(), Told::Enough));
        let agreed = found("10.0.0.2", trusted, &[new, (XFF, "2001:db8::7")]);
        assert_eq!(agreed, ("2001:db8::7".into(), Told::Enough));
        for two in [
            [new, (XFF, "1.2.3.4")],
            [("forwarded", "for=_secret"), (XFF, "1.2.3.4")],
        ] {
            let torn = found("10.0.0.2", trusted, &two);
            assert_eq!(torn, ("10.0.0.2".into(), Told::TwoThings));
        }
    }

    #[test]
    fn a_trusted_proxy_that_says_nothing_is_noticed() {
        let silent = found("10.0.0.2", &["private"], &[]);
        assert_eq!(silent, ("10.0.0.2".into(), Told::Nothing));
        let silent = found("unix", &[], &[(XFF, "")]);
        assert_eq!(silent, ("0.0.0.0".into(), Told::Nothing));
    }

    #[test]
    fn ipv6_counts_by_its_network() {
        let counted = |text: &str| network(text.parse().expect("an address")).to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("::ffff:1.2.3.4"), "1.2.3.4");
    }
}
