//! Connections as poem takes them from the listener.

use std::io;

use poem::{
    Addr,
    http::uri::Scheme,
    listener::Acceptor as PoemAcceptor,
    web::{LocalAddr, RemoteAddr},
};

use crate::listener::{ClientStream, Connection, GuardedStream, Listener, LocalAddress, Peer};

/// A listener that poem can serve on.
pub struct Acceptor(pub Listener);

impl PoemAcceptor for Acceptor {
    type Io = GuardedStream<ClientStream>;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.0.local_addresses().map(local).collect()
    }

    /// Never fails: poem would call again at once, and nobody would hear of it.
    async fn accept(&mut self) -> io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        let Connection {
            stream,
            peer,
            local: at,
            is_tls,
        } = self.0.accept().await;
        let peer = match peer {
            Peer::Tcp(address) => address.into(),
            Peer::Unix(address) => address.into(),
        };
        let scheme = if is_tls { Scheme::HTTPS } else { Scheme::HTTP };
        Ok((stream, local(&at), RemoteAddr(peer), scheme))
    }
}

fn local(address: &LocalAddress) -> LocalAddr {
    LocalAddr(match address {
        LocalAddress::Tcp(address) => Addr::SocketAddr(*address),
        LocalAddress::Unix(_) => Addr::custom("unix", address.to_string()),
    })
}
