//! What a chat is: its rules. Knows facts (`store`) and news (`realtime`), but no HTTP, no HTML, no SQL.

use std::{sync::Arc, time::Duration};

use quick_cache::sync::Cache;
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::{
    clock::Clock,
    error::Result,
    ids::{Rev, RoomId},
    realtime::{Bus, Event, Hub},
    records::{Replication, Room},
    store::{Change, Committed, Health, Store, Writer},
};

pub use crate::store::{Cause, Condition};

pub mod accounts;
pub mod body;
mod first_account;
mod lanes;
pub mod messages;
pub mod names;
pub mod neighbours;
mod nodes;
pub mod passwords;
pub mod people;
pub mod presence;
pub mod privacy;
mod reads;
pub mod receipts;
mod reconcile;
pub mod rooms;
pub mod typing;
mod version;

use lanes::Lanes;
use messages::Missed;
use neighbours::Neighbours;
use passwords::Passwords;
use presence::Presence;
use privacy::House;
use reads::Reads;
use receipts::Deliveries;
use typing::Typing;

/// How many rooms' fixed facts (kind, name, the two of a direct room) are remembered.
const ROOMS_REMEMBERED: usize = 10_000;
/// How many readers who come back are brought up to date at the same time; pages keep a connection to the database.
const TURNS: usize = 3;
/// How long closing waits for the writer to commit what waits.
const LAST_COMMITS: Duration = Duration::from_secs(10);

/// What changed in a room after a change, on its way to all who ask.
type WhatWasMissed = Lanes<(RoomId, Rev), Result<Arc<Missed>>>;

/// All that the rules act on; cheap to clone.
#[derive(Debug, Clone)]
pub struct Chat {
    pub(crate) store: Store,
    pub(crate) hub: Hub,
    pub(crate) clock: Clock,
    writer: Writer,
    bus: Bus,
    passwords: Passwords,
    rooms: Arc<Cache<RoomId, Arc<Room>>>,
    deliveries: Deliveries,
    reads: Reads,
    presence: Presence,
    typing: Typing,
    house: House,
    neighbours: Neighbours,
    missed: Arc<WhatWasMissed>,
    /// How many who come back may look up what concerns them alone at the same time.
    turns: Arc<Semaphore>,
}

impl Chat {
    /// A chat over `store` whose news goes over `bus`, and its writer's task, which ends in [`Chat::close`].
    ///
    /// # Errors
    /// What the administrator set cannot be read.
    pub async fn start(store: Store, clock: Clock, bus: Bus) -> Result<(Self, JoinHandle<()>)> {
        let house = House::read(&store).await?;
        let presence = Presence::new(clock.clone());
        let (hub, news) = (bus.hub().clone(), bus.clone());
        let publish = move |committed: Vec<Committed>| {
            committed.into_iter().for_each(|it| news.publish(event(it)))
        };
        let (writer, task) = Writer::start(store.clone(), Box::new(publish));
        let rooms = Arc::new(Cache::new(ROOMS_REMEMBERED));
        let chat = Self {
            store,
            hub,
            clock,
            writer,
            bus,
            passwords: Passwords::new(),
            rooms,
            deliveries: Deliveries::default(),
            reads: Reads::default(),
            presence,
            typing: Typing::default(),
            house,
            neighbours: Neighbours::default(),
            missed: Arc::default(),
            turns: Arc::new(Semaphore::new(TURNS)),
        };
        Ok((chat, task))
    }

    /// How the database is: whether it can be read and written, and how much room is left.
    pub async fn condition(&self) -> Condition {
        self.store.condition().await
    }

    /// What has become of statements so far.
    pub fn health(&self) -> &Health {
        self.store.health()
    }

    /// Why a PostgreSQL server cannot be used at the moment, in a few words that name no address.
    pub fn database_cause(&self) -> Option<String> {
        self.store.cause()
    }

    /// Whether a failover of the database could lose what was acknowledged; nothing where a file is the database.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer.
    pub async fn replication(&self) -> Result<Option<Replication>> {
        self.store.replication().await
    }

    /// Commits what was accepted, then closes the database.
    pub async fn close(self, writer: JoinHandle<()>) {
        self.writer.close();
        if tokio::time::timeout(LAST_COMMITS, writer).await.is_err() {
            tracing::error!(
                "the writer did not finish in time; unanswered posts may not be stored"
            );
        }
        self.store.close().await;
    }
}

/// The news that a commit is.
fn event(committed: Committed) -> Event {
    match committed {
        Committed::Message {
            room,
            message,
            change,
            floors,
        } => match change {
            Change::Posted => Event::MessagePosted {
                room,
                message,
                floors,
            },
            Change::Edited => Event::MessageEdited {
                room,
                message,
                floors,
            },
            Change::Deleted => Event::MessageDeleted {
                room,
                message,
                floors,
            },
        },
        Committed::Read {
            room,
            user,
            read_seq,
        } => Event::RoomRead {
            room,
            user,
            read_seq,
        },
        Committed::Marked {
            room,
            user,
            seen_seq,
        } => Event::RoomMarked {
            room,
            user,
            seen_seq,
        },
        Committed::FloorsMoved {
            room,
            floors,
            newest,
        } => Event::FloorsMoved {
            room,
            floors,
            newest,
        },
    }
}
