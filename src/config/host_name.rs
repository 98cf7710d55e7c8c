//! A further name under which the server answers.

use std::str::FromStr;

/// A name that people type or a proxy passes on, in lower case, without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if name.is_empty() || name.len() > 253 || !name.chars().all(plain) {
            let words = "write a name alone, as browsers send it: chat.example.org, without https:// and without a port \
                (names with other letters begin with xn--)";
            return Err(words.into());
        }
        Ok(Self(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_alone() {
        let name: HostName = "Chat.Example.org.".parse().expect("a name");
        assert_eq!(name.as_str(), "chat.example.org");
        assert!("backend_1".parse::<HostName>().is_ok());
        for wrong in [
            "",
            "https://x",
            "x:80",
            "x/y",
            "a b",
            "*.example.org",
            "caf\u{e9}.fr",
            "[::1]",
        ] {
            assert!(wrong.parse::<HostName>().is_err(), "{wrong}");
        }
    }
}
