//! The town where the tests happen: a server of this process on a port of its own, with its own data and a clock
//! that stands still. Nothing in here knows how the server works inside.

pub mod actor;
pub mod ask;
pub mod barriers;
pub mod browser;
pub mod cluster;
pub mod databases;
pub mod desk;
pub mod dice;
pub mod failure;
pub mod focus;
pub mod hands;
pub mod killing;
pub mod live;
pub mod pebble;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod rows;
pub mod scripts;
pub mod secure;
pub mod sight;
pub mod signals;
pub mod snapshots;
pub mod stream;
pub mod ticks;
pub mod worker;

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Parser;
use tempfile::TempDir;
use tertulia::app::App;
use tertulia::clock::Clock;
use tertulia::config::Config;
use tertulia::web::Server;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use actor::{Person, RoomId};
pub use ask::Answer;
pub use live::Ear;
pub use process::House;
pub use sight::{Shown, messages_in};

/// How long a test waits for what must happen; only a failing test ever waits that long.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// 2026-03-04T12:00:00Z, a Wednesday, in milliseconds: when every test begins.
pub const NOON: i64 = 1_772_625_600_000;

/// The password of everyone in town.
pub const PASSWORD: &str = "correct horse battery";

/// A server in this process. Dropping it closes the server and deletes its data.
pub struct Town {
    url: String,
    clock: Clock,
    data: TempDir,
    client: reqwest::Client,
    stop: CancellationToken,
    serving: Option<JoinHandle<std::io::Result<()>>>,
}

impl Town {
    /// A new town without anybody in it, without rate limits, whose first account takes no code.
    pub async fn start() -> Town {
        Town::with(&[]).await
    }

    /// A new town whose server got these flags too.
    pub async fn with(flags: &[&str]) -> Town {
        let data = TempDir::new().expect("a directory for the data");
        Town::on(data, flags, Clock::fixed(NOON)).await
    }

    /// A new town whose server goes by this clock.
    pub async fn by(clock: Clock, flags: &[&str]) -> Town {
        let data = TempDir::new().expect("a directory for the data");
        Town::on(data, flags, clock).await
    }

    /// A server on data that is already there.
    async fn on(data: TempDir, flags: &[&str], clock: Clock) -> Town {
        let folder = data.path().to_str().expect("a path in UTF-8").to_owned();
        // With a public address the server does not tell its port, so it gets one.
        let port = if flags.contains(&"--public-url") {
            free_port()
        } else {
            0
        };
        let listen = format!("127.0.0.1:{port}");
        let mut line = vec!["tertulia", "--listen", &listen, "--data", &folder];
        let database = databases::flags(data.path(), flags).await;
        line.extend(database.iter().map(String::as_str));
        line.extend(flags);
        for flag in ["--limits", "--setup-code"] {
            if !flags.contains(&flag) {
                line.extend([flag, "off"]);
            }
        }
        let app = App::open(Config::parse_from(line), clock.clone())
            .await
            .expect("the app opens");
        let server = Server::bind(app).await.expect("a free port");
        let url = if port == 0 {
            server.url().to_owned()
        } else {
            format!("http://{listen}")
        };
        let stop = CancellationToken::new();
        let serving = Some(tokio::spawn(server.run(stop.clone())));
        Town {
            url,
            clock,
            data,
            client: ask::client(),
            stop,
            serving,
        }
    }

    /// The same data served by a new server on a new port, as after a restart; everybody signs in again.
    pub async fn restarts(self) -> Town {
        self.restarts_after(Duration::ZERO).await
    }

    /// The same, so long after the old one has stopped.
    pub async fn restarts_after(mut self, pause: Duration) -> Town {
        self.stops().await;
        let data = std::mem::replace(&mut self.data, TempDir::new().expect("a directory"));
        self.clock.advance(pause);
        Town::on(data, &[], self.clock.clone()).await
    }

    /// The same data served by a new server that goes by another clock.
    pub async fn restarts_by(mut self, clock: Clock) -> Town {
        self.stops().await;
        let data = std::mem::replace(&mut self.data, TempDir::new().expect("a directory"));
        Town::on(data, &[], clock).await
    }

    /// The server stops, and closes its database.
    pub async fn ends(mut self) {
        self.stops().await;
    }

    async fn stops(&mut self) {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            let ended = tokio::time::timeout(PATIENCE, serving)
                .await
                .expect("the server stops");
            ended
                .expect("no panic in the server")
                .expect("the server stops without an error");
        }
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn addr(&self) -> SocketAddr {
        let (_, addr) = self.url.split_once("//").expect("a URL with a scheme");
        addr.parse().expect("an address with a port")
    }

    /// The clock of the server: it moves only when a test moves it.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Where the server keeps everything.
    pub fn data(&self) -> &std::path::Path {
        self.data.path()
    }

    /// Tells the server to stop, as SIGTERM does.
    pub fn closes(&self) {
        self.stop.cancel();
    }

    /// A browser in which nobody has signed in.
    pub fn anon(&self) -> Person {
        Person::new("nobody", &self.url, self.client.clone())
    }

    /// A second browser of somebody, not signed in yet.
    pub fn anon_as(&self, name: &str) -> Person {
        Person::new(name, &self.url, self.client.clone())
    }

    /// Someone with a new account, signed in.
    pub async fn person(&self, name: &str) -> Person {
        let person = Person::new(name, &self.url, self.client.clone());
        person.signs_up().await;
        person
    }

    /// Ada and Ben, the first of whom is the administrator.
    pub async fn ada_and_ben(&self) -> (Person, Person) {
        (self.person("ada").await, self.person("ben").await)
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A port that nobody listens on; the server cannot tell it when its public address is another.
pub fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    free.local_addr().expect("it has one").port()
}

/// Asks again and again until the answer is yes, and fails the test when patience ends.
pub async fn eventually<F, Fut>(what: &str, mut holds: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let end = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < end, "it never came to be that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
