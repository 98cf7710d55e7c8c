//! The writer: one task per process that commits everything that waits, in one transaction.
//!
//! Many small posts then cost one flush to the disk instead of one each, and each caller is still answered only
//! after its own commit. What was committed is handed to `on_commit` in commit order, before anyone is answered:
//! that is how news leaves in the order of the rooms. Knows nothing of who is told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::Store;
use crate::{
    error::{Error, Result},
    ids::{RoomId, Seq, UserId},
    records::{Floors, Message, Newest, Person, Room},
};

mod attempt;
mod batch;
mod doubt;
mod floors;
mod gathered;
mod members;
mod numbers;
mod plan;
mod receipts;
mod setback;
mod task;

/// How many writes may wait; one more is refused with `Unavailable`.
const QUEUE: usize = 4096;
/// How long a caller waits before the outcome is called unknown.
const PATIENCE: Duration = Duration::from_secs(10);

/// A message to be posted. The same `key` by the same author is the same message, however often it comes.
#[derive(Debug)]
pub struct NewMessage {
    /// Where.
    pub room: Arc<Room>,
    /// By whom.
    pub author: Person,
    /// The text.
    pub body: String,
    /// Made by the client, once per message.
    pub key: String,
}

/// Something that changes a room.
#[derive(Debug)]
pub enum Write {
    /// Adds a message at the room's end.
    Post(NewMessage),
    /// Replaces the text of the author's own message.
    Edit {
        /// Where.
        room: Arc<Room>,
        /// Which.
        seq: Seq,
        /// By whom.
        author: UserId,
        /// The new text.
        body: String,
    },
    /// Removes the text of the author's own message; its place remains.
    Delete {
        /// Where.
        room: Arc<Room>,
        /// Which.
        seq: Seq,
        /// By whom.
        author: UserId,
    },
    /// Notes what clients of members have received: nobody waits for it, so it comes in bundles.
    Delivered(BTreeMap<(RoomId, UserId), Seq>),
    /// Notes that somebody has read up to `seq`; beyond the room's end means the end.
    Read {
        /// Where.
        room: RoomId,
        /// Who.
        user: UserId,
        /// How far.
        seq: Seq,
    },
    /// Marks what is behind `seq` as unread for one person, and changes no receipt.
    Mark {
        /// Where.
        room: RoomId,
        /// For whom.
        user: UserId,
        /// The last message that stays read.
        seq: Seq,
    },
}

/// What a write came to.
#[derive(Debug, Clone)]
pub enum Written {
    /// The message in its present state.
    Message(Arc<Message>),
    /// The watermarks are at least where they were asked to be.
    Receipts,
}

/// A change that is on the disk.
#[derive(Debug, Clone)]
pub enum Committed {
    /// A message was written: it is new, has another text, or none any more.
    Message {
        /// Where.
        room: Arc<Room>,
        /// Its present state.
        message: Arc<Message>,
        /// What happened to it.
        change: Change,
        /// How far everybody in the room has come.
        floors: Floors,
    },
    /// Somebody has read further.
    Read {
        /// Where.
        room: RoomId,
        /// Who.
        user: UserId,
        /// Up to where.
        read_seq: Seq,
    },
    /// Somebody has marked messages as unread.
    Marked {
        /// Where.
        room: RoomId,
        /// For whom.
        user: UserId,
        /// The last message that is not unread.
        seen_seq: Seq,
    },
    /// Everybody in a room has come further.
    FloorsMoved {
        /// Where.
        room: RoomId,
        /// Up to where.
        floors: Floors,
        /// The room's newest message.
        newest: Option<Newest>,
    },
}

/// What can happen to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Posted,
    /// It has another text.
    Edited,
    /// It has no text any more.
    Deleted,
}

/// Told of everything committed, in commit order, from the writer's own task: it must not block.
pub type OnCommit = Box<dyn Fn(Vec<Committed>) + Send + Sync>;

/// The way to the writer's task; cheap to clone.
#[derive(Debug, Clone)]
pub struct Writer {
    queue: mpsc::Sender<Job>,
    closing: CancellationToken,
    /// Whether what the task remembers is of another past.
    is_outdated: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Job {
    write: Write,
    done: oneshot::Sender<Result<Written>>,
}

impl Writer {
    /// Starts the task. It ends after [`Writer::close`], when everything accepted is committed.
    pub fn start(store: Store, on_commit: OnCommit) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let closing = CancellationToken::new();
        let is_outdated = Arc::new(AtomicBool::new(false));
        let task = task::Task::new(store, on_commit, is_outdated.clone());
        let task = tokio::spawn(task.run(waiting, closing.clone()));
        let writer = Self {
            queue,
            closing,
            is_outdated,
        };
        (writer, task)
    }

    /// Has `write` committed and says what it came to.
    ///
    /// # Errors
    /// What the write itself deserves (`NotFound`, `Conflict`), `Unavailable` when nothing was stored,
    /// `Unknown` after 10 s without an answer.
    pub async fn write(&self, write: Write) -> Result<Written> {
        let (done, answer) = oneshot::channel();
        self.queue
            .try_send(Job { write, done })
            .map_err(|_| Error::Unavailable("the writer's queue is full".into()))?;
        match timeout(PATIENCE, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Error::Unavailable("the writer has stopped".into())),
            Err(_) => Err(Error::Unknown),
        }
    }

    /// Forgets what was remembered of rooms: the database has another past.
    pub fn forget(&self) {
        self.is_outdated.store(true, Ordering::Relaxed);
    }

    /// Takes no more writes; what waits is still committed.
    pub fn close(&self) {
        self.closing.cancel();
    }
}
