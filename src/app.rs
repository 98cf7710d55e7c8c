//! App: all that a handler may ask for, built the same way by `main` and by the tests.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinHandle},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Clock,
    commands::progress::ProgressLine,
    config::{Config, DatabaseUrl},
    domain::Chat,
    realtime::{Bus, Heard, Hub, NodeId, Redis, Voices},
    store::{
        self, CopyFirst, Store, progress::Progress, server_lock::ServerLock, session::Sessions,
    },
};

/// How often expired sessions are swept out.
const SWEEP: Duration = Duration::from_secs(15 * 60);

/// How long deliveries are gathered before they are committed together.
const DELIVERIES: Duration = Duration::from_millis(750);

/// Why the program cannot start; a sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// The whole application, apart from its face to the web.
#[derive(Debug)]
pub struct App {
    /// What the operator set.
    pub config: Config,
    /// The time of day.
    pub clock: Clock,
    /// The rules and what they act on.
    pub chat: Chat,
    /// Who is signed in.
    pub sessions: Arc<Sessions>,
    /// Says that the server takes leave: live connections end, what is asked is still answered.
    pub draining: CancellationToken,
    /// Says when it is time to stop.
    pub stopping: CancellationToken,
    /// Everything that runs beside the requests; `close` waits for it.
    pub tasks: TaskTracker,
    writer: JoinHandle<()>,
    /// Held until everything is closed.
    lock: Option<ServerLock>,
}

impl App {
    /// Opens the database, brings it up to date and starts what runs beside the requests.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn open(config: Config, clock: Clock) -> Result<Self, StartError> {
        let url = config.database_url();
        let mut lock = store::take_to_serve(&url, &config.data_dir()).map_err(StartError)?;
        let copy_first = match config.no_backup {
            true => CopyFirst::No,
            false => CopyFirst::Yes,
        };
        let line = ProgressLine::default();
        let report = |state: &Progress| line.show(state);
        let store = Store::open_when_there(&url, copy_first, &report).await;
        line.end();
        let store = store.map_err(StartError)?.with_clock(clock.clone());
        if let (Some(lock), DatabaseUrl::Sqlite(file)) = (&mut lock, &url) {
            lock.guard(file).map_err(StartError)?;
        }
        let watch = store.clone().watch();
        let sessions = Arc::new(Sessions::new(store.clone(), clock.clone()));
        let failed = |err| StartError(format!("cannot read the database: {err}"));
        let nodes = match config.redis.is_empty() {
            true => None,
            false => Some(join(&config, &store).await?),
        };
        let bus = match &nodes {
            Some((redis, ..)) => Bus::Redis(redis.clone()),
            None => Bus::Local(Hub::compared()),
        };
        let (chat, writer) = Chat::start(store, clock.clone(), bus)
            .await
            .map_err(failed)?;
        let app = Self {
            config,
            clock,
            chat,
            sessions,
            draining: CancellationToken::new(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            writer,
            lock,
        };
        let stopping = app.stopping.clone();
        app.tasks
            .spawn(async move { stopping.run_until_cancelled(watch).await });
        app.tasks
            .spawn(sweep(app.sessions.clone(), app.stopping.clone()));
        app.tasks
            .spawn(commit_deliveries(app.chat.clone(), app.stopping.clone()));
        app.tasks
            .spawn(app.chat.clone().follow_presence(app.stopping.clone()));
        app.tasks
            .spawn(app.chat.clone().follow_version(app.stopping.clone()));
        let mut redis_if_any = None;
        if let Some((redis, voices, heard)) = nodes {
            let (chat, stopping) = (&app.chat, &app.stopping);
            app.tasks.spawn(voices.run(stopping.clone()));
            let hear = chat
                .clone()
                .hear_nodes(heard, redis.clone(), stopping.clone());
            app.tasks.spawn(hear);
            redis_if_any = Some(redis);
        }
        let reconcile = app
            .chat
            .clone()
            .reconcile(redis_if_any, app.stopping.clone());
        app.tasks.spawn(reconcile);
        Ok(app)
    }

    /// Says where it can be reached, for a second server that finds the database taken.
    pub fn serves_at(&self, url: &str) {
        if let Some(lock) = &self.lock {
            lock.serves_at(url);
        }
    }

    /// The task that writes to the database; it ends only when the server does.
    pub fn writer(&self) -> AbortHandle {
        self.writer.abort_handle()
    }

    /// Ends what runs beside the requests, commits what was accepted, closes the database.
    pub async fn close(self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.chat.close(self.writer).await;
        drop(self.lock);
    }
}

/// The way to the other nodes of the same database.
async fn join(
    config: &Config,
    store: &Store,
) -> Result<(Redis, Voices, mpsc::Receiver<Heard>), StartError> {
    if !store.is_shared() {
        let words = "several nodes need one database that all of them reach: set --database postgres://… as well, or leave --redis out";
        return Err(StartError(words.into()));
    }
    let house = store.house().await;
    let house = house.map_err(|err| StartError(format!("cannot read the database: {err}")))?;
    let node = NodeId(format!("{}-{:08x}", host_name(), rand::random::<u32>()).into());
    Redis::new(&config.redis_urls(), (node, house), Hub::joined()).map_err(StartError)
}

/// What this machine calls itself, for people to recognise it.
fn host_name() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    let plain = |sign: &char| sign.is_ascii_alphanumeric() || *sign == '-';
    name.chars().filter(plain).take(40).collect()
}

/// Ends when `stopping` is cancelled, after a last time.
async fn commit_deliveries(chat: Chat, stopping: CancellationToken) {
    let mut ticks = tokio::time::interval(DELIVERIES);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stopping.run_until_cancelled(ticks.tick()).await.is_some() {
        log(chat.commit_deliveries().await);
    }
    log(chat.commit_deliveries().await);

    fn log(committed: crate::error::Result<()>) {
        if let Err(err) = committed {
            tracing::warn!(error = %err, "deliveries were not stored");
        }
    }
}

/// Ends when `stopping` is cancelled.
async fn sweep(sessions: Arc<Sessions>, stopping: CancellationToken) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = ticks.tick() => if let Err(err) = sessions.delete_expired().await {
                tracing::warn!(error = %err, "expired sessions were not swept out");
            },
        }
    }
}
