//! Which names are this server's: those that a request may be for (`Host`), and those of the pages that may be behind
//! a change (`Origin`). Pure: it knows the settings and two headers.

use std::net::IpAddr;

use crate::config::Config;

/// The longest name and port that is taken for one.
const LONGEST: usize = 300;

/// A host and its port, as `Host` and the end of `Origin` have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The name or address, in lower case; an IPv6 address in brackets.
    pub name: String,
    /// The port, unless it is the scheme's own and left out.
    pub port: Option<u16>,
}

impl Authority {
    /// `None` for anything that no browser sends.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
            _ => (text, None),
        };
        let is_address = |text: &str| text.parse::<std::net::Ipv6Addr>().is_ok();
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        let is_name = match name.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            Some(address) => is_address(address),
            None => !name.is_empty() && name.chars().all(plain),
        };
        let is_port = |port: &str| !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit());
        let port = match port {
            Some(port) if is_port(port) => Some(port.parse().ok()?),
            Some(_) => return None,
            None => None,
        };
        (is_name && text.len() <= LONGEST).then(|| Self {
            name: name.to_ascii_lowercase(),
            port,
        })
    }
}

impl std::fmt::Display for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Where a page comes from: the scheme and the host of its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Whether it begins with `https`.
    pub https: bool,
    /// The host.
    pub at: Authority,
}

impl Origin {
    /// `None` for `null` and anything else that is no page's on the web.
    pub fn parse(text: &str) -> Option<Self> {
        let (https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, rest) => (false, rest?),
        };
        let at = Authority::parse(rest)?;
        Some(Self { https, at })
    }

    fn port(&self) -> u16 {
        self.at.port.unwrap_or(if self.https { 443 } else { 80 })
    }

    /// Whether a page from here would send its requests to this host. The scheme is not known from a `Host`, so a port
    /// that is left out is the origin's own.
    fn is_of(&self, host: &Authority) -> bool {
        let own = if self.https { 443 } else { 80 };
        self.at.name == host.name && self.port() == host.port.unwrap_or(own)
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.at)
    }
}

/// Whether a request for `host` is for this server: by a configured name, whatever the port, or by one that no other
/// site's DNS can point here, which are addresses and the names of this machine.
pub fn is_our_host(config: &Config, host: &str) -> bool {
    let Some(host) = Authority::parse(host) else {
        return false;
    };
    let address = host.name.trim_start_matches('[').trim_end_matches(']');
    is_configured(config, &host.name)
        || host.name == "localhost"
        || host.name.ends_with(".localhost")
        || address.parse::<IpAddr>().is_ok()
}

/// Whether a page of `origin` is ours when its request is for `host`: it is of that host itself, or of the public
/// address, or of another name that the operator gave. A proxy may call the server by a name of its own.
pub fn is_our_origin(config: &Config, origin: &str, host: &str) -> bool {
    let Some(origin) = Origin::parse(origin) else {
        return false;
    };
    let public = config.public_url.as_ref();
    let public = public.and_then(|public| Origin::parse(&public.to_string()));
    let is_public = public.is_some_and(|public| {
        (public.https, public.port(), &public.at.name)
            == (origin.https, origin.port(), &origin.at.name)
    });
    let is_of_host = Authority::parse(host).is_some_and(|host| origin.is_of(&host));
    is_of_host || is_public || is_added(config, &origin.at.name)
}

fn is_configured(config: &Config, name: &str) -> bool {
    let public = config.public_url.as_ref();
    let public = public.and_then(|public| Authority::parse(&public.authority));
    public.is_some_and(|public| public.name == name) || is_added(config, name)
}

fn is_added(config: &Config, name: &str) -> bool {
    config.hosts.iter().any(|host| host.as_str() == name)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn config(flags: &[&str]) -> Config {
        Config::parse_from([&["tertulia"], flags].concat())
    }

    #[test]
    fn a_request_is_for_a_name_that_is_ours_or_an_address() {
        let public = &["--public-url", "https://chat.example.org"][..];
        let hosts = &["--host", "one.example.org,Two", "--host", "three"][..];
        for (flags, host, is_ours) in [
            (&[][..], "127.0.0.1:8000", true),
            (&[], "10.0.0.7", true),
            (&[], "[::1]:8000", true),
            (&[], "[2001:db8::1]", true),
            (&[], "ada.localhost:8000", true),
            (&[], "LOCALHOST", true),
            (&[], "chat.example.org", false),
            (&[], "", false),
            (&[], "localhost:", false),
            (&[], "localhost:80:80", false),
            (&[], "evil.localhost.example.org", false),
            (&[], "[::1", false),
            (&[], "::1", false),
            (&[], "127.0.0.1/x", false),
            (public, "chat.example.org", true),
            (public, "Chat.example.org:443", true),
            (public, "chat.example.org:8443", true),
            (public, "chat.example.org.evil.org", false),
            (public, "evil-chat.example.org", false),
            (hosts, "one.example.org:81", true),
            (hosts, "TWO", true),
            (hosts, "three:1", true),
            (hosts, "four", false),
        ] {
            assert_eq!(
                is_our_host(&config(flags), host),
                is_ours,
                "{flags:?} {host}"
            );
        }
    }

    #[test]
    fn a_page_is_ours_by_the_host_of_its_request_or_by_a_name_that_was_set() {
        let public = &["--public-url", "https://chat.example.org"][..];
        let odd = &["--public-url", "https://chat.example.org:8443"][..];
        let hosts = &["--host", "one.example.org"][..];
        for (flags, origin, host, is_ours) in [
            (&[][..], "http://127.0.0.1:8000", "127.0.0.1:8000", true),
            (&[], "http://ada.localhost:8000", "Ada.localhost:8000", true),
            (&[], "https://10.0.0.7", "10.0.0.7", true),
            (&[], "https://10.0.0.7", "10.0.0.7:443", true),
            (&[], "http://10.0.0.7", "10.0.0.7:80", true),
            (&[], "https://10.0.0.7", "10.0.0.7:80", false),
            (&[], "http://10.0.0.7:8001", "10.0.0.7:8000", false),
            (&[], "https://chat.example.org", "127.0.0.1:8000", false),
            (&[], "null", "null", false),
            (&[], "", "", false),
            (&[], "http://", "127.0.0.1", false),
            (&[], "http://127.0.0.1/", "127.0.0.1", false),
            (&[], "http://evil@127.0.0.1", "127.0.0.1", false),
            (&[], "//127.0.0.1", "127.0.0.1", false),
            (&[], "file://127.0.0.1", "127.0.0.1", false),
            (public, "https://chat.example.org", "127.0.0.1:8000", true),
            (
                public,
                "https://chat.example.org",
                "chat.example.org:443",
                true,
            ),
            (public, "https://chat.example.org:443", "tertulia", true),
            (public, "http://chat.example.org", "127.0.0.1:8000", false),
            (
                public,
                "https://chat.example.org:444",
                "127.0.0.1:8000",
                false,
            ),
            (
                public,
                "https://chat.example.org.evil",
                "127.0.0.1:8000",
                false,
            ),
            (public, "http://10.0.0.7:8000", "chat.example.org", false),
            (public, "http://10.0.0.7:8000", "10.0.0.7:8000", true),
            (
                odd,
                "https://chat.example.org:8443",
                "chat.example.org",
                true,
            ),
            (odd, "https://chat.example.org", "127.0.0.1:8000", false),
            (hosts, "https://one.example.org", "127.0.0.1:8000", true),
            (hosts, "https://two.example.org", "one.example.org", false),
        ] {
            let found = is_our_origin(&config(flags), origin, host);
            assert_eq!(found, is_ours, "{flags:?} {origin} for {host}");
        }
    }
}
