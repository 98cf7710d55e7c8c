//! Where the server listens: addresses with ports, and sockets in the file system.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use clap::Args;

/// The port when nothing was set.
const PORT: u16 = 8000;
/// The longest path of a unix socket, in bytes (`sun_path` without its last zero).
const SOCKET_PATH: usize = 107;

/// Where the server listens.
#[derive(Debug, Clone, Args)]
pub struct ListenConfig {
    /// Address and port to listen on, or unix:/PATH of a socket; several, separated by commas or with the flag again
    /// (port 0 takes a free one; [::]:8000 is every address of this machine) [default: 127.0.0.1:8000]
    #[arg(
        long,
        env = "TERTULIA_LISTEN",
        value_name = "ADDRESS:PORT",
        value_delimiter = ','
    )]
    pub listen: Vec<ListenAddress>,

    /// Who may connect to unix sockets, as an octal mode: 0660 lets their owner and their group
    #[arg(long, env = "TERTULIA_SOCKET_MODE", value_name = "MODE", default_value = "0660", value_parser = mode)]
    pub socket_mode: u32,
}

impl ListenConfig {
    /// What was set, or loopback with port 8000.
    pub fn addresses(&self) -> Vec<ListenAddress> {
        match self.listen.is_empty() {
            true => vec![ListenAddress::Tcp((Ipv4Addr::LOCALHOST, PORT).into())],
            false => self.listen.clone(),
        }
    }
}

/// One place to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An address of this machine, or all of them, and a port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.strip_prefix("unix:") {
            Some(path) if path.len() > SOCKET_PATH => {
                Err(format!("the path of a socket has at most {SOCKET_PATH} bytes"))
            }
            Some(path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(_) => Err("write unix: and a path from the root, as in unix:/run/tertulia.sock".into()),
            None => text.parse().map(Self::Tcp).map_err(|_| {
                "write an IP address and a port, as in 127.0.0.1:8000 or [::]:8000, or unix:/run/tertulia.sock".into()
            }),
        }
    }
}

fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok();
    mode.filter(|mode| *mode <= 0o777)
        .ok_or_else(|| "write three octal digits, as in 0660 or 0666".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_to_listen_is_an_address_with_a_port_or_the_path_of_a_socket() {
        for text in ["127.0.0.1:8000", "[::]:8000", "unix:/run/tertulia.sock"] {
            let address: ListenAddress = text.parse().expect("it is one");
            assert_eq!(address.to_string(), text);
        }
        let long = format!("unix:/{}", "a".repeat(SOCKET_PATH));
        for wrong in ["", "8000", "::", "unix:", "unix:run/x.sock", long.as_str()] {
            assert!(wrong.parse::<ListenAddress>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mode_is_octal() {
        assert_eq!((mode("0660"), mode("666")), (Ok(0o660), Ok(0o666)));
        assert!(mode("888").is_err() && mode("7777").is_err() && mode("rw").is_err());
    }
}
