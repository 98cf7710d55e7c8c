//! The live connections of this process: how many each person has, what the administrator sees of them, and a word
//! to one of them from outside. It knows nothing of what they carry.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, time::Instant};
use tower_sessions::session::Id;

use super::totals::Totals;
use crate::{
    clock::UnixMillis,
    ids::UserId,
    realtime::Backlog,
    records::{Person, Room},
};

/// How many streams one session may have: browsers open six connections to a host over HTTP/1.1, and the others are
/// needed for everything else.
const MOST_STREAMS: usize = 3;
/// How far apart connections are closed when the server stops, on average, and how long that takes at most: those who
/// come back then come one after the other.
const APART: Duration = Duration::from_millis(5);
const LONGEST_SPREAD: Duration = Duration::from_secs(10);

/// How news reaches a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// Over a WebSocket.
    WebSocket,
    /// Over a stream of server-sent events.
    Sse,
}

impl Transport {
    /// Every one there is.
    pub const ALL: [Self; 2] = [Self::WebSocket, Self::Sse];

    /// As logs, metrics and tables spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
        }
    }
}

/// All live connections of this process.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    all: Mutex<All>,
    empty: Notify,
}

#[derive(Debug, Default)]
struct All {
    last: u64,
    open: BTreeMap<u64, Arc<Facts>>,
    by_person: HashMap<UserId, Vec<u64>>,
    totals: Totals,
}

/// Who opens a connection, where, how and from where.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Who.
    pub person: Person,
    /// By which session.
    pub session: Id,
    /// The open room; none in the lobby.
    pub room: Option<Arc<Room>>,
    /// How.
    pub transport: Transport,
    /// From where.
    pub from: IpAddr,
    /// When.
    pub since: UnixMillis,
}

/// What is known of one open connection.
#[derive(Debug)]
pub struct Facts {
    /// Its number, of which no other node has the same.
    pub id: u64,
    /// Who opened it, and where.
    pub opening: Opening,
    opened: Instant,
    bytes: AtomicU64,
    heard: AtomicI64,
    backlog: OnceLock<Backlog>,
    answer: AtomicU32,
    parked: AtomicBool,
    signal: Notify,
}

impl Facts {
    /// How many bytes it was sent.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// When the browser last answered; nothing if it never did.
    pub fn heard(&self) -> Option<UnixMillis> {
        Some(UnixMillis(self.heard.load(Relaxed))).filter(|at| at.0 > 0)
    }

    /// How many events wait for it.
    pub fn queued(&self) -> usize {
        self.backlog.get().map_or(0, Backlog::len)
    }
}

/// What a connection is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The browser has received what it was asked about under this number.
    Received(u32),
    /// Newer pages of the same session took its place.
    Parked,
}

/// One live connection, counted and known until it is dropped.
#[derive(Debug)]
pub struct Connection {
    all: Connections,
    facts: Arc<Facts>,
    ended: OnceLock<&'static str>,
}

impl Connections {
    /// Counts one more connection, unless its person has `most` already. The oldest stream of a session that has
    /// enough of them is parked.
    pub fn open(&self, opening: Opening, most: usize) -> Option<Connection> {
        let mut all = self.lock();
        let All {
            last,
            open,
            by_person,
            totals,
        } = &mut *all;
        let theirs = by_person.entry(opening.person.id).or_default();
        if theirs.len() >= most {
            return None;
        }
        if opening.transport == Transport::Sse {
            park_oldest(open, theirs, opening.session);
        }
        if *last == 0 {
            // Numbers of different nodes are different, for a page may speak to another than it hears.
            *last = u64::from(rand::random::<u32>()) << 20;
        }
        *last += 1;
        theirs.push(*last);
        totals.opened(opening.transport);
        let facts = Arc::new(Facts {
            id: *last,
            opening,
            opened: Instant::now(),
            bytes: AtomicU64::default(),
            heard: AtomicI64::default(),
            backlog: OnceLock::new(),
            answer: AtomicU32::default(),
            parked: AtomicBool::default(),
            signal: Notify::new(),
        });
        open.insert(*last, facts.clone());
        drop(all);
        log(&facts, "live connection opened");
        Some(Connection {
            all: self.clone(),
            facts,
            ended: OnceLock::new(),
        })
    }

    /// Passes on that `user` has received what their connection `id` was asked about; answers whether there is one.
    pub fn received(&self, user: UserId, id: u64, number: u32) -> bool {
        let found = self.lock().open.get(&id).cloned();
        let theirs = found.filter(|facts| facts.opening.person.id == user);
        if let Some(facts) = &theirs {
            facts.answer.store(number, Relaxed);
            facts.signal.notify_one();
        }
        theirs.is_some()
    }

    /// What is known of all that are open, oldest first, and of all there ever were.
    pub fn survey(&self) -> (Vec<Arc<Facts>>, Totals) {
        let all = self.lock();
        let open: Vec<_> = all.open.values().cloned().collect();
        (open, all.totals.clone())
    }

    /// Notes how many are open now.
    pub fn sample(&self) {
        self.lock().totals.sample();
    }

    /// In which time all that are open now are to be closed when the server stops.
    pub fn spread(&self) -> Duration {
        let open = u32::try_from(self.lock().open.len()).unwrap_or(u32::MAX);
        APART.saturating_mul(open).min(LONGEST_SPREAD)
    }

    /// Waits until none is open.
    pub async fn gone(&self) {
        loop {
            let empty = self.0.empty.notified();
            if self.lock().open.is_empty() {
                return;
            }
            empty.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Parks the oldest streams of a session, so that one more is not too many.
fn park_oldest(open: &BTreeMap<u64, Arc<Facts>>, theirs: &[u64], session: Id) {
    let streams = theirs.iter().filter_map(|id| open.get(id)).filter(|facts| {
        let same = facts.opening.session == session && facts.opening.transport == Transport::Sse;
        same && !facts.parked.load(Relaxed)
    });
    let streams: Vec<_> = streams.collect();
    for oldest in streams
        .iter()
        .take((streams.len() + 1).saturating_sub(MOST_STREAMS))
    {
        oldest.parked.store(true, Relaxed);
        oldest.signal.notify_one();
    }
}

impl Connection {
    /// Its number in this process.
    pub fn id(&self) -> u64 {
        self.facts.id
    }

    /// Lets the administrator see what waits for it.
    pub fn watch(&self, backlog: Backlog) {
        // It is set once: a connection listens once.
        let _ = self.facts.backlog.set(backlog);
    }

    /// Notes that so many bytes went out.
    pub fn sent(&self, bytes: usize) {
        self.facts.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Notes that the browser has answered.
    pub fn heard(&self, now: UnixMillis) {
        self.facts.heard.store(now.0, Relaxed);
    }

    /// Notes why it ends; without a word, the browser has gone.
    pub fn ends(&self, why: &'static str) {
        // The first reason is the one that counts.
        let _ = self.ended.set(why);
    }

    /// Waits for a word from outside. Dropping the future loses nothing.
    pub async fn signal(&self) -> Signal {
        loop {
            if self.facts.parked.load(Relaxed) {
                return Signal::Parked;
            }
            match self.facts.answer.swap(0, Relaxed) {
                0 => self.facts.signal.notified().await,
                number => return Signal::Received(number),
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Facts { id, opening, .. } = &*self.facts;
        let why = self.ended.get().copied().unwrap_or("gone");
        let mut all = self.all.lock();
        all.open.remove(id);
        if let Some(theirs) = all.by_person.get_mut(&opening.person.id) {
            theirs.retain(|it| it != id);
            if theirs.is_empty() {
                all.by_person.remove(&opening.person.id);
            }
        }
        all.totals
            .closed(opening.transport, why, self.facts.bytes());
        if all.open.is_empty() {
            self.all.0.empty.notify_waiters();
        }
        drop(all);
        let (took, bytes) = (self.facts.opened.elapsed(), self.facts.bytes());
        log_end(&self.facts, why, took, bytes);
    }
}

fn log(facts: &Facts, what: &'static str) {
    let Opening {
        person,
        room,
        transport,
        from,
        ..
    } = &facts.opening;
    let room = room.as_ref().map(|room| room.id.0);
    let transport = transport.as_str();
    tracing::debug!(live.id = facts.id, user = person.id.0, room, transport, %from, "{what}");
}

fn log_end(facts: &Facts, why: &'static str, took: Duration, bytes: u64) {
    let Opening {
        person,
        room,
        transport,
        ..
    } = &facts.opening;
    let room = room.as_ref().map(|room| room.id.0);
    let (transport, seconds) = (transport.as_str(), took.as_secs_f32());
    tracing::debug!(
        live.id = facts.id,
        user = person.id.0,
        room,
        transport,
        why,
        seconds,
        bytes,
        "live connection closed"
    );
}

#[cfg(test)]
mod tests;
