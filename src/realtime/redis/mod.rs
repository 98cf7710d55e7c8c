//! The way between processes over Redis.
//!
//! Nothing waits for it: what is published goes to this process's own hub first, then into a bounded queue. Redis only
//! makes other nodes hear of it sooner; what it loses they find in the database (`domain::reconcile`). Whether it works is
//! judged by the one thing that counts: a node's own beat comes back to it. It knows no rules and no SQL.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use redis::Cmd;
use tokio::{
    sync::{Notify, OnceCell, mpsc, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    Event, Hub, Topic,
    wire::{Channel, NodeId, NodeWord, Word},
};
pub use limits::Pace;
use link::{Link, Place};

mod limits;
mod link;
mod listen;
mod publish;
mod pulse;
mod round_trip;
mod trouble;

/// How many words may wait to be said, and how many that were heard to be taken; more are lost, and found in the
/// database.
const QUEUE: usize = 4096;
/// How long after a failed attempt to open a line the next one comes.
const AGAIN: Duration = Duration::from_millis(500);

/// What another node said.
#[derive(Debug)]
pub enum Heard {
    /// Something happened that concerns those who listen to this topic.
    Event(Topic, Event),
    /// Something about the node.
    Node(NodeId, NodeWord),
}

/// What was said and heard since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Words that Redis took.
    pub published: AtomicU64,
    /// Words that it did not.
    pub lost: AtomicU64,
    /// Words of other nodes.
    pub heard: AtomicU64,
    /// Of these, the ones that nobody here could read or take.
    pub dropped: AtomicU64,
}

/// The way between processes over Redis; cheap to clone.
#[derive(Clone)]
pub struct Redis(Arc<Shared>);

struct Shared {
    node: NodeId,
    house: String,
    place: Place,
    hub: Hub,
    words: mpsc::Sender<(Channel, Word)>,
    line: Mutex<Option<Link>>,
    is_sharded: OnceCell<bool>,
    up: watch::Sender<bool>,
    beat: watch::Sender<Option<Instant>>,
    /// When each other node was last heard.
    others: Mutex<HashMap<NodeId, Instant>>,
    /// What is listened to is to be said again: the line for it was cut, or nothing is heard over it.
    cut: Notify,
    /// Nothing is heard any more, however often that is said: another line is needed.
    dead: Notify,
    /// Words were lost that the others do not know of.
    owes: AtomicBool,
    /// Why Redis cannot be used as far as this is known, and which cause the operator was told last.
    cause: Mutex<Option<String>>,
    told: Mutex<Option<String>>,
    /// What Redis last said to what it did not take.
    refused: Mutex<Option<String>>,
    counts: Counts,
}

/// What runs for a node's part in the conversation, each until it is told to stop.
pub struct Voices {
    redis: Redis,
    waiting: mpsc::Receiver<(Channel, Word)>,
    heard: mpsc::Sender<Heard>,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Addresses can hold passwords.
        f.debug_struct("Redis")
            .field("node", &self.0.node)
            .finish_non_exhaustive()
    }
}

impl Redis {
    /// The way to the nodes of `house` over the server, or the servers of a cluster, at `urls`; what runs for it; and
    /// what is heard. Redis need not be there yet.
    ///
    /// # Errors
    /// A sentence for the operator when an address cannot be read.
    pub fn new(
        urls: &[String],
        (node, house): (NodeId, String),
        hub: Hub,
    ) -> Result<(Self, Voices, mpsc::Receiver<Heard>), String> {
        let (words, waiting) = mpsc::channel(QUEUE);
        let (heard, hearing) = mpsc::channel(QUEUE);
        let shared = Shared {
            node,
            house,
            place: link::place(urls)?,
            hub,
            words,
            line: Mutex::default(),
            is_sharded: OnceCell::new(),
            up: watch::Sender::new(false),
            beat: watch::Sender::new(None),
            others: Mutex::default(),
            cut: Notify::new(),
            dead: Notify::new(),
            owes: AtomicBool::new(false),
            cause: Mutex::default(),
            told: Mutex::default(),
            refused: Mutex::default(),
            counts: Counts::default(),
        };
        let redis = Self(Arc::new(shared));
        let voices = Voices {
            redis: redis.clone(),
            waiting,
            heard,
        };
        Ok((redis, voices, hearing))
    }

    /// This process's own hub.
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// Which node this is.
    pub fn node(&self) -> &NodeId {
        &self.0.node
    }

    /// Whether other nodes hear what is said, as far as this one can tell.
    pub fn is_up(&self) -> bool {
        *self.0.up.borrow()
    }

    /// What was said and heard.
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Whether this node and all others were heard a moment ago. It is not for a while before this one counts as
    /// unheard, or when one of the others died or is cut off.
    pub fn is_fresh(&self) -> bool {
        self.hears_itself() && !self.misses_somebody()
    }

    fn hears_itself(&self) -> bool {
        let heard = *self.0.beat.borrow();
        heard.is_some_and(|at| at.elapsed() < pulse::QUIET)
    }

    /// Tells `event` to the listeners here, then to those of other nodes, for whom it may be lost.
    pub(super) fn publish(&self, event: Event) {
        let topics = event.topics();
        self.0.hub.deliver_to(&topics, event.clone());
        // Who is here is told by each node of itself.
        if matches!(event, Event::PresenceChanged { .. }) {
            return;
        }
        for topic in topics {
            self.say(Channel::Topic(topic), Word::Event(event.clone()));
        }
    }

    /// Tells all other nodes something about this one.
    pub fn tell(&self, word: NodeWord) {
        self.say(Channel::Nodes, Word::Node(word));
    }

    fn say(&self, channel: Channel, word: Word) {
        if self.0.words.try_send((channel, word)).is_err() {
            self.lose(1);
        }
    }

    fn lose(&self, words: usize) {
        self.0.counts.lost.fetch_add(words as u64, Relaxed);
        self.0.owes.store(true, Relaxed);
    }

    /// The line for everything but listening, once there is one.
    async fn line(&self) -> Link {
        loop {
            if let Some(line) = &*self.lock_line() {
                return line.clone();
            }
            match Link::open(&self.0.place, None).await {
                Ok(link) => return self.lock_line().get_or_insert(link).clone(),
                Err(err) => tracing::debug!(error = %err, "no line to Redis yet"),
            }
            sleep(AGAIN).await;
        }
    }

    fn lock_line(&self) -> MutexGuard<'_, Option<Link>> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_cause(&self) -> MutexGuard<'_, Option<String>> {
        self.0.cause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_told(&self) -> MutexGuard<'_, Option<String>> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_refused(&self) -> MutexGuard<'_, Option<String>> {
        self.0
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server has channels that belong to one shard of it (Redis 7), and lets us use them. Known once it has
    /// said so: nodes that were of two minds would not hear each other.
    async fn is_sharded(&self) -> bool {
        let probe = || async {
            loop {
                let line = self.line().await;
                if matches!(line, Link::Cluster(_)) {
                    return true;
                }
                let mut cmd = redis::cmd("SPUBLISH");
                cmd.arg(self.own().name(&self.0.house)).arg("");
                match line.ask::<i64>(&cmd, AGAIN).await {
                    Ok(_) => return true,
                    Err(err) if is_refused(&err) => return false,
                    Err(err) => tracing::debug!(error = %err, "Redis does not say what it can"),
                }
                sleep(AGAIN).await;
            }
        };
        *self.0.is_sharded.get_or_init(probe).await
    }

    fn own(&self) -> Channel {
        Channel::Own(self.0.node.clone())
    }

    async fn publishing(&self, channel: &Channel, bytes: &[u8]) -> Cmd {
        let mut cmd = redis::cmd(if self.is_sharded().await {
            "SPUBLISH"
        } else {
            "PUBLISH"
        });
        cmd.arg(channel.name(&self.0.house)).arg(bytes);
        cmd
    }
}

impl Voices {
    /// Says what waits, listens, and judges whether it is heard, until `stopping` is cancelled.
    pub async fn run(self, stopping: CancellationToken) {
        let Self {
            redis,
            waiting,
            heard,
        } = self;
        let (publishing, listening) = (redis.clone(), redis.clone());
        let tasks = [
            tokio::spawn(publishing.publish_all(waiting, stopping.clone())),
            tokio::spawn(stop_with(&stopping, listening.listen(heard))),
            tokio::spawn(stop_with(&stopping, redis.clone().pulse())),
            tokio::spawn(stop_with(&stopping, redis.clone().look_for_trouble())),
        ];
        for task in tasks {
            // They end by being stopped; if one panicked, it has been logged.
            let _ = task.await;
        }
        redis.farewell().await;
    }
}

/// Whether the server does not know a command, or does not let us use it.
fn is_refused(err: &redis::RedisError) -> bool {
    let is_unknown = err
        .detail()
        .is_some_and(|it| it.contains("unknown command"));
    err.code() == Some("NOPERM") || is_unknown
}

fn stop_with(
    stopping: &CancellationToken,
    voice: impl Future<Output = ()> + Send + 'static,
) -> impl Future<Output = ()> + Send + 'static {
    let stopping = stopping.clone();
    async move {
        // Which of the two it was does not matter.
        let _ = stopping.run_until_cancelled(voice).await;
    }
}
