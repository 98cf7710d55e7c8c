//! Whose word counts about where a request comes from.

use std::{net::IpAddr, str::FromStr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The networks behind `loopback` and `private` (RFC 1918 and 4193).
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

/// One value of `--trusted-proxies`: an address, a network, or a word for several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether a proxy at `address` is trusted. An IPv4 address that is written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let several = |list: &[&str]| list.iter().map(|it| network(it)).collect();
        let networks: Option<Vec<_>> = match text.trim() {
            "loopback" => several(&LOOPBACK),
            "private" => several(&PRIVATE),
            one => several(&[one]),
        };
        networks.map(Self).ok_or_else(|| {
            "write an address (10.0.0.2), a network (10.0.0.0/8, fd00::/8), loopback or private; several are separated by commas"
                .into()
        })
    }
}

fn network(text: &str) -> Option<IpNet> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => address.into(),
        Err(_) => text.parse().ok()?,
    };
    Some(match network {
        IpNet::V6(v6) => mapped(v6).map_or(IpNet::V6(v6), IpNet::V4),
        v4 => v4,
    })
}

/// The IPv4 network that an IPv6 one like `::ffff:10.0.0.0/104` stands for.
fn mapped(network: Ipv6Net) -> Option<Ipv4Net> {
    let address = network.addr().to_ipv4_mapped()?;
    let length = network.prefix_len().checked_sub(96)?;
    Ipv4Net::new(address, length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusts(text: &str, address: &str) -> bool {
        let proxies: TrustedProxies = text.parse().expect("a value");
        proxies.contains(address.parse().expect("an address"))
    }

    #[test]
    fn a_proxy_is_an_address_a_network_or_a_word_for_several() {
        for (text, inside, outside) in [
            ("10.0.0.2", "10.0.0.2", "10.0.0.3"),
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.1"),
            ("10.9.9.9/8", "10.0.0.1", "11.0.0.1"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("loopback", "127.8.0.1", "10.0.0.1"),
            ("loopback", "::1", "::2"),
            ("private", "192.168.7.7", "127.0.0.1"),
            ("private", "172.31.0.1", "172.32.0.1"),
            ("private", "fdaa::1", "2001:db8::1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
            ("::ffff:10.0.0.2", "10.0.0.2", "10.0.0.3"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
        ] {
            assert!(trusts(text, inside), "{text} has {inside}");
            assert!(!trusts(text, outside), "{text} has not {outside}");
        }
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0",
            "proxy",
            "10.0.0.1:80",
            "*",
            "10.0.0.0/8/8",
        ] {
            assert!(wrong.parse::<TrustedProxies>().is_err(), "{wrong}");
        }
    }
}
