//! Accepting connections: one place each, and a pause after what fails.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};

use super::{GuardedStream, Limits};

/// How many connections the system keeps for us until we accept them.
const BACKLOG: u32 = 4096;
/// The pause after a failed accept: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How long accepting must go well before it counts as going well.
const RECOVERY: Duration = Duration::from_secs(10);

/// A bound TCP port.
pub struct Listener {
    socket: TcpListener,
    local_addr: SocketAddr,
    limits: Arc<Limits>,
    places: Arc<Semaphore>,
    full: bool,
    last_failure: Option<Instant>,
}

impl Listener {
    /// Listens on an address (port 0: any free port), with the default limits.
    ///
    /// # Errors
    /// When the address is taken, not ours, or not allowed.
    pub fn bind(addr: SocketAddr) -> io::Result<Listener> {
        let socket = match addr {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        let listener = socket.listen(BACKLOG)?;
        let limits = Limits::default();
        Ok(Listener {
            local_addr: listener.local_addr()?,
            socket: listener,
            places: Arc::new(Semaphore::new(limits.connections)),
            limits: Arc::new(limits),
            full: false,
            last_failure: None,
        })
    }

    /// Sets other limits, for the connections to come.
    #[cfg(test)]
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Listener {
        self.places = Arc::new(Semaphore::new(limits.connections));
        self.limits = Arc::new(limits);
        self
    }

    /// Where it listens, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The next connection, once there is a place for it, and its peer. Never fails.
    pub async fn accept(&mut self) -> (GuardedStream<TcpStream>, SocketAddr) {
        let place = self.place().await;
        let (stream, remote) = self.connection().await;
        // Small frames must not wait for the acknowledgement of the one before. It fails only
        // on a connection that is gone, which hyper will find out.
        let _ = stream.set_nodelay(true);
        (
            GuardedStream::new(stream, self.limits.clone(), place),
            remote,
        )
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
    async fn connection(&mut self) -> (TcpStream, SocketAddr) {
        let mut pause = PAUSE.0;
        loop {
            match self.socket.accept().await {
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
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_connection_waits_until_there_is_a_place() {
        let limits = Limits {
            connections: 1,
            ..Limits::default()
        };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut listener = Listener::bind(any).unwrap().with_limits(limits);
        let _clients = (
            TcpStream::connect(listener.local_addr()).await.unwrap(),
            TcpStream::connect(listener.local_addr()).await.unwrap(),
        );
        let (first, _) = listener.accept().await;
        let early = timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(early.is_err(), "there was one place");
        drop(first);
        listener.accept().await;
    }
}
