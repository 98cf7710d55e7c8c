//! The address that people type.

use std::str::FromStr;

/// The address that people type: scheme and authority, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// Whether it begins with `https`.
    pub https: bool,
    /// Host, with the port unless it is the scheme's own; lower case.
    pub authority: String,
}

impl PublicUrl {
    /// The host, without a port.
    pub fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }

    /// Whether the host is a name that can be looked up from elsewhere.
    pub fn has_name(&self) -> bool {
        let host = self.host();
        let is_address = host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
        host.contains('.') && !is_address && !host.ends_with(".localhost")
    }

    /// The port that a browser uses for it.
    pub fn port(&self) -> u16 {
        let port = self
            .authority
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok());
        port.unwrap_or(if self.https { 443 } else { 80 })
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "write the address without a path, as in https://chat.example.org or http://10.0.0.5:8000".to_string()
        };
        let (https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(wrong()),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest).to_ascii_lowercase();
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if authority.is_empty() || !authority.chars().all(plain) {
            return Err(wrong());
        }
        let own_port = if https { ":443" } else { ":80" };
        let authority = authority
            .strip_suffix(own_port)
            .unwrap_or(&authority)
            .to_string();
        Ok(Self { https, authority })
    }
}

impl std::fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}://{}",
            if self.https { "https" } else { "http" },
            self.authority
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_is_scheme_and_host() {
        let url: PublicUrl = "https://Chat.example.org:443/".parse().expect("it is one");
        assert_eq!(
            (url.to_string().as_str(), url.port()),
            ("https://chat.example.org", 443)
        );
        for wrong in [
            "chat.example.org",
            "ftp://x",
            "https://",
            "https://x/chat",
            "http://a b",
            "http://x?y",
        ] {
            assert!(wrong.parse::<PublicUrl>().is_err(), "{wrong}");
        }
    }
}
