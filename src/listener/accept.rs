//! Accepting connections on all sockets: one place each, and a pause after what fails.

use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};

use super::{
    GuardedStream, Limits, LocalAddress, Peer, Socket,
    socket::Stream,
    tls::{PlainHttp, Tls},
    transport::ClientStream,
};

/// The pause after a failed accept: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How long accepting must go well before it counts as going well.
const RECOVERY: Duration = Duration::from_secs(10);

/// A connection that was accepted.
pub struct Connection {
    /// Its bytes, and its place.
    pub stream: GuardedStream<ClientStream>,
    /// Who connected.
    pub peer: Peer,
    /// On which socket.
    pub local: LocalAddress,
    /// Whether the socket is one for TLS.
    pub is_tls: bool,
}

/// What is spoken on a socket.
#[derive(Clone)]
pub enum Protocol {
    /// HTTP in the clear.
    Http,
    /// HTTP inside TLS; what comes in the clear is sent there.
    Https(Tls),
    /// HTTP in the clear that only leads to TLS.
    Redirect(Arc<PlainHttp>),
}

/// All sockets that the server listens on. They share the places and the limits.
pub struct Listener {
    sockets: Vec<(Socket, Protocol)>,
    /// The socket that is asked first, which goes round: one that is never empty must not keep the others waiting.
    turn: usize,
    limits: Arc<Limits>,
    places: Arc<Semaphore>,
    full: bool,
    last_failure: Option<Instant>,
}

impl Listener {
    /// Accepts on these sockets, with the default limits.
    pub fn new(sockets: Vec<(Socket, Protocol)>) -> Listener {
        let limits = Limits::default();
        Listener {
            sockets,
            turn: 0,
            places: Arc::new(Semaphore::new(limits.connections)),
            limits: Arc::new(limits),
            full: false,
            last_failure: None,
        }
    }

    /// Sets other limits, for the connections to come.
    #[cfg(test)]
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Listener {
        self.places = Arc::new(Semaphore::new(limits.connections));
        self.limits = Arc::new(limits);
        self
    }

    /// Where it listens, with the ports that the system chose.
    pub fn local_addresses(&self) -> impl Iterator<Item = &LocalAddress> + Clone {
        self.sockets.iter().map(|(socket, _)| socket.local())
    }

    /// The next connection, once there is a place for it. Never fails.
    pub async fn accept(&mut self) -> Connection {
        let place = self.place().await;
        let (stream, peer, at) = self.connection().await;
        let (socket, protocol) = &self.sockets[at];
        let is_tcp = matches!(peer, Peer::Tcp(_));
        let (stream, plain) = match (protocol, stream) {
            (Protocol::Http, stream) => (ClientStream::clear(stream), None),
            (Protocol::Redirect(plain), stream) => {
                (ClientStream::clear(stream), Some(plain.clone()))
            }
            // TLS is for the network: a proxy at a unix socket has ended it.
            (Protocol::Https(_), Stream::Right(unix)) => {
                (ClientStream::clear(Stream::Right(unix)), None)
            }
            (Protocol::Https(tls), Stream::Left(tcp)) => (
                ClientStream::tls(tcp, tls.acceptor.clone()),
                Some(tls.plain.clone()),
            ),
        };
        Connection {
            stream: GuardedStream::new(stream, self.limits.clone(), plain, place),
            peer,
            local: socket.local().clone(),
            is_tls: matches!((protocol, is_tcp), (Protocol::Https(_), true)),
        }
    }

    /// Waits for a free place. Says when it has to, once until a sixteenth of all is free again.
    async fn place(&mut self) -> OwnedSemaphorePermit {
        let free = self.places.available_permits();
        if free == 0 && !self.full {
            self.full = true;
            tracing::warn!(
                connections = self.limits.connections,
                "no place for more connections"
            );
        } else if self.full && free > self.limits.connections / 16 {
            self.full = false;
            tracing::info!(free, "places for connections again");
        }
        let place = self.places.clone().acquire_owned().await;
        place.expect("the semaphore is never closed")
    }

    /// Accepts a connection, however often that fails (as it does without free descriptors).
    async fn connection(&mut self) -> (Stream, Peer, usize) {
        let mut pause = PAUSE.0;
        loop {
            match poll_fn(|cx| self.poll_accept(cx)).await {
                Ok(connection) => {
                    self.note_success();
                    return connection;
                }
                // This one has already gone: the next one may be fine.
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.note_failure(&error);
                    sleep(pause).await;
                    pause = PAUSE.1.min(pause * 2);
                }
            }
        }
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Peer, usize)>> {
        for index in 0..self.sockets.len() {
            let at = (self.turn + index) % self.sockets.len();
            let (socket, _) = &self.sockets[at];
            if let Poll::Ready(accepted) = socket.poll_accept(cx) {
                self.turn = (at + 1) % self.sockets.len();
                return Poll::Ready(accepted.map(|(stream, peer)| (stream, peer, at)));
            }
        }
        Poll::Pending
    }

    fn note_failure(&mut self, error: &io::Error) {
        if self.last_failure.replace(Instant::now()).is_none() {
            tracing::error!(%error, "connections cannot be accepted; trying on");
        }
    }

    fn note_success(&mut self) {
        if self.last_failure.is_some_and(|at| at.elapsed() >= RECOVERY) {
            self.last_failure = None;
            tracing::info!("connections are accepted again");
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::{net::TcpStream, time::timeout};

    use super::*;
    use crate::config::ListenAddress;

    /// A listener with so many places, on so many ports, and its addresses.
    async fn listener(connections: usize, ports: usize) -> (Listener, Vec<SocketAddr>) {
        let any = ListenAddress::Tcp(([127, 0, 0, 1], 0).into());
        let mut sockets = Vec::new();
        for _ in 0..ports {
            let socket = Socket::bind(&any, &[], 0).await.unwrap();
            sockets.push((socket, Protocol::Http));
        }
        let addresses = sockets.iter().map(|(socket, _)| match socket.local() {
            LocalAddress::Tcp(address) => *address,
            LocalAddress::Unix(_) => panic!("a TCP port was asked for"),
        });
        let addresses = addresses.collect();
        let limits = Limits {
            connections,
            ..Limits::default()
        };
        (Listener::new(sockets).with_limits(limits), addresses)
    }

    #[tokio::test]
    async fn a_connection_waits_until_there_is_a_place_whatever_its_socket() {
        let (mut listener, at) = listener(1, 2).await;
        let _clients = (
            TcpStream::connect(at[0]).await.unwrap(),
            TcpStream::connect(at[1]).await.unwrap(),
        );
        let first = listener.accept().await;
        let early = timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(early.is_err(), "there was one place");
        drop(first);
        listener.accept().await;
    }

    #[tokio::test]
    async fn a_busy_socket_does_not_keep_another_waiting() {
        let (mut listener, at) = listener(100, 2).await;
        let mut clients = Vec::new();
        for _ in 0..10 {
            clients.push(TcpStream::connect(at[0]).await.unwrap());
        }
        clients.push(TcpStream::connect(at[1]).await.unwrap());
        let mut first = Vec::new();
        for _ in 0..3 {
            first.push(listener.accept().await.local);
        }
        assert!(first.contains(&LocalAddress::Tcp(at[1])), "{first:?}");
    }
}
