//! A stretch of network between browsers and the server, on which things go wrong when a test says so.
//! Knows nothing of what passes, but for the request that asks for an upgrade.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A TCP proxy on a port of its own. Everything that goes through it ends when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
}

/// What goes wrong on the line. The numbers only grow: a connection is hit by what grew since it was opened.
#[derive(Debug, Clone)]
struct Weather {
    target: SocketAddr,
    stalls: bool,
    refuses: bool,
    strips: bool,
    cuts: u64,
    half_closes: u64,
    losses: u64,
}

/// The direction of a stream of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToBrowser,
}

impl Proxy {
    /// Opens a way to the server at this address.
    pub async fn start(target: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let (weather, seen) = watch::channel(Weather {
            target,
            stalls: false,
            refuses: false,
            strips: false,
            cuts: 0,
            half_closes: 0,
            losses: 0,
        });
        tokio::spawn(listen(listener, seen));
        Proxy { address, weather }
    }

    /// The address that browsers use, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Resets all open connections; new ones pass.
    pub fn cut(&self) {
        self.weather.send_modify(|now| now.cuts += 1);
    }

    /// Holds all bytes back, also of new connections, until it is told to stop; nothing is lost.
    pub fn stall(&self, on: bool) {
        self.weather.send_modify(|now| now.stalls = on);
    }

    /// Resets all open connections, and new ones as soon as they come, until it is told to stop.
    pub fn refuse(&self, on: bool) {
        self.weather.send_modify(|now| {
            now.refuses = on;
            now.cuts += u64::from(on);
        });
    }

    /// Tells the server of every open connection that the browser's half is closed; what the server says still passes.
    pub fn half_close(&self) {
        self.weather.send_modify(|now| now.half_closes += 1);
    }

    /// Loses all open connections without a word to either end, as a router does that forgot them; new ones pass.
    pub fn lose(&self) {
        self.weather.send_modify(|now| now.losses += 1);
    }

    /// Takes `Upgrade` and `Connection` out of requests, as an old proxy does that knows no WebSocket.
    pub fn strip_upgrades(&self, on: bool) {
        self.weather.send_modify(|now| now.strips = on);
    }

    /// Where connections lead that are opened from now on.
    pub fn set_target(&self, target: SocketAddr) {
        self.weather.send_modify(|now| now.target = target);
    }
}

/// Takes connections until the proxy is gone.
async fn listen(listener: TcpListener, mut weather: watch::Receiver<Weather>) {
    loop {
        tokio::select! {
            changed = weather.changed() => if changed.is_err() { return },
            taken = listener.accept() => if let Ok((browser, _)) = taken {
                tokio::spawn(carry(browser, weather.clone()));
            },
        }
    }
}

/// One connection: ends with both of its halves, with a cut, or with the proxy.
async fn carry(mut browser: TcpStream, mut weather: watch::Receiver<Weather>) {
    let opened = weather.borrow_and_update().clone();
    let server = if opened.refuses {
        None
    } else {
        TcpStream::connect(opened.target).await.ok()
    };
    let Some(mut server) = server else {
        let _ = browser.set_zero_linger();
        return;
    };
    let _ = (browser.set_nodelay(true), server.set_nodelay(true));
    let is_cut = {
        let (from_browser, to_browser) = browser.split();
        let (from_server, to_server) = server.split();
        let up = pass(
            from_browser,
            to_server,
            Way::ToServer,
            &opened,
            weather.clone(),
        );
        let down = pass(
            from_server,
            to_browser,
            Way::ToBrowser,
            &opened,
            weather.clone(),
        );
        tokio::select! {
            _ = weather.wait_for(|now| now.cuts > opened.cuts) => true,
            _ = async { tokio::join!(up, down) } => false,
        }
    };
    if is_cut {
        let _ = (browser.set_zero_linger(), server.set_zero_linger());
    }
}

/// Passes bytes on until their source has no more, and then says so to their reader.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: Way,
    opened: &Weather,
    mut weather: watch::Receiver<Weather>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let passes = |now: &Weather| !now.stalls && now.losses == opened.losses;
        let Ok(now) = weather.wait_for(passes).await.map(|now| now.clone()) else {
            return;
        };
        if way == Way::ToServer && now.half_closes > opened.half_closes {
            break;
        }
        let read = tokio::select! {
            biased;
            changed = weather.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            read = from.read(&mut buffer) => read,
        };
        let Ok(count @ 1..) = read else { break };
        let bytes = &buffer[..count];
        let written = if way == Way::ToServer && now.strips {
            to.write_all(&without_upgrade(bytes)).await
        } else {
            to.write_all(bytes).await
        };
        if written.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

/// The bytes, or without the lines that speak of this one hop if they begin with a request that asks for an upgrade.
/// Browsers send such a request on a new connection and at once, so it is never in two pieces.
fn without_upgrade(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let head = end.and_then(|end| std::str::from_utf8(&bytes[..end + 2]).ok());
    let named = |line: &str, name: &str| {
        let start = line.split(':').next().unwrap_or_default();
        start.eq_ignore_ascii_case(name)
    };
    let Some(head) = head.filter(|head| head.lines().any(|line| named(line, "upgrade"))) else {
        return bytes.to_vec();
    };
    let kept = head
        .split_inclusive("\r\n")
        .filter(|line| !named(line, "upgrade") && !named(line, "connection"));
    let mut stripped = kept.collect::<String>().into_bytes();
    stripped.extend(&bytes[head.len()..]);
    stripped
}
