//! Connections as poem takes them from the listener.

use std::{io, net::SocketAddr};

use poem::{
    http::uri::Scheme,
    listener::Acceptor as PoemAcceptor,
    web::{LocalAddr, RemoteAddr},
};
use tokio::net::TcpStream;

use crate::listener::{GuardedStream, Listener};

/// A listener that poem can serve on.
pub struct Acceptor(pub Listener);

impl Acceptor {
    fn local(&self) -> LocalAddr {
        LocalAddr(SocketAddr::into(self.0.local_addr()))
    }
}

impl PoemAcceptor for Acceptor {
    type Io = GuardedStream<TcpStream>;

    fn local_addr(&self) -> Vec<LocalAddr> {
        vec![self.local()]
    }

    /// Never fails: poem would call again at once, and nobody would hear of it.
    async fn accept(&mut self) -> io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        let (stream, peer) = self.0.accept().await;
        Ok((stream, self.local(), RemoteAddr(peer.into()), Scheme::HTTP))
    }
}
