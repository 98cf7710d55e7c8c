//! Messages to systemd (sd_notify(3)): a datagram of `NAME=value` lines to the socket in `NOTIFY_SOCKET`.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    process,
    sync::Arc,
    time::Duration,
};

use tokio::{task::AbortHandle, time::interval};
use tokio_util::sync::CancellationToken;

/// How often more time is asked for while the program starts, and how much each time.
const EXTENSION: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(30));

/// The way to systemd, where it started us and listens.
#[derive(Debug, Clone, Default)]
pub struct Systemd {
    socket: Option<Arc<UnixDatagram>>,
    watchdog: Option<Duration>,
}

impl Systemd {
    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub fn from_env() -> Self {
        let Some(path) = env::var_os("NOTIFY_SOCKET") else {
            return Self::default();
        };
        let socket = connect(path.as_bytes()).inspect_err(
            |error| tracing::warn!(%error, "systemd is not told how far the program is"),
        );
        let number = |name| {
            env::var(name)
                .ok()
                .and_then(|text| text.parse::<u64>().ok())
        };
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| is_ours && *usec > 0);
        Self {
            socket: socket.ok().map(Arc::new),
            watchdog: watchdog.map(Duration::from_micros),
        }
    }

    /// Asks for more time, again and again, until what is returned is dropped. systemd would otherwise end a program
    /// that is not ready within `TimeoutStartSec`.
    #[must_use]
    pub fn put_off(&self, status: &str) -> Extension {
        let systemd = self.clone();
        let message = format!(
            "EXTEND_TIMEOUT_USEC={}\nSTATUS={status}",
            EXTENSION.1.as_micros()
        );
        Extension(
            tokio::spawn(async move {
                let mut ticks = interval(EXTENSION.0);
                loop {
                    ticks.tick().await;
                    systemd.send(&message);
                }
            })
            .abort_handle(),
        )
    }

    /// Says that the program serves, and how its state reads in one line.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// Says that the program has begun to stop.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=stopping");
    }

    /// Feeds the watchdog, twice in its time, for as long as `is_well` says so and until `stop` is cancelled. Each look
    /// is a task of its own: a runtime that no longer runs new tasks feeds nobody.
    pub async fn watch(
        self,
        is_well: impl Fn() -> bool + Send + Sync + 'static,
        stop: CancellationToken,
    ) {
        let Some(time) = self.watchdog else { return };
        let is_well = Arc::new(is_well);
        let mut ticks = interval(time / 2);
        let mut was_well = true;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let look = is_well.clone();
            let is_well = tokio::spawn(async move { look() }).await.unwrap_or(false);
            if is_well {
                self.send("WATCHDOG=1");
            } else if was_well {
                tracing::error!("the program is not well; systemd will start it again");
            }
            was_well = is_well;
        }
    }

    /// A message that cannot be sent is only logged: the service does not depend on it.
    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(message.as_bytes())
        {
            tracing::debug!(%error, "systemd was not told");
        }
    }
}

/// Keeps asking systemd for more time until it is dropped.
#[derive(Debug)]
pub struct Extension(AbortHandle);

impl Drop for Extension {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Connects to a path, or to a name outside the file system when it begins with `@`.
fn connect(path: &[u8]) -> io::Result<UnixDatagram> {
    let address = match path.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // It must never wait for systemd.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::time::sleep;

    use super::*;

    /// What was sent, message by message.
    fn received(socket: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 512];
        let mut messages = Vec::new();
        while let Ok(size) = socket.recv(&mut buffer) {
            messages.push(String::from_utf8_lossy(&buffer[..size]).into_owned());
        }
        messages
    }

    fn pair() -> (Systemd, UnixDatagram) {
        let (ours, theirs) = UnixDatagram::pair().expect("two sockets");
        theirs.set_nonblocking(true).expect("a socket");
        let systemd = Systemd {
            socket: Some(Arc::new(ours)),
            watchdog: Some(Duration::from_secs(10)),
        };
        (systemd, theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_fed_only_while_all_is_well() {
        let (systemd, socket) = pair();
        let well = Arc::new(AtomicBool::new(true));
        let look = well.clone();
        let stop = CancellationToken::new();
        let watch = systemd.watch(move || look.load(Ordering::SeqCst), stop.clone());
        let watching = tokio::spawn(watch);
        sleep(Duration::from_secs(21)).await;
        assert_eq!(received(&socket), ["WATCHDOG=1"; 5]);
        well.store(false, Ordering::SeqCst);
        sleep(Duration::from_secs(20)).await;
        assert!(received(&socket).is_empty());
        stop.cancel();
        watching.await.expect("it ends");
    }

    #[tokio::test(start_paused = true)]
    async fn more_time_is_asked_for_until_the_program_is_ready() {
        let (systemd, socket) = pair();
        let starting = systemd.put_off("opening the database");
        sleep(Duration::from_secs(25)).await;
        let asked = received(&socket);
        assert_eq!(
            asked,
            ["EXTEND_TIMEOUT_USEC=30000000\nSTATUS=opening the database"; 3]
        );
        drop(starting);
        systemd.ready("serving");
        sleep(Duration::from_secs(60)).await;
        assert_eq!(received(&socket), ["READY=1\nSTATUS=serving"]);
    }
}
