//! Whether the database can be read and written: what real statements came to, and, where they do not say, what a small
//! one comes to. Knows nothing of who asks.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use sea_orm::DbErr;
use tokio::time::Instant;

mod cause;
mod disk;
mod probe;

pub use cause::Cause;
pub use disk::{Disk, Room};
pub(super) use probe::Probe;

/// How the database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Whether it can be read; without it no page can be served.
    pub reading: Result<(), Cause>,
    /// Whether posts can be stored.
    pub writing: Result<(), Cause>,
    /// How much room is left where the SQLite file is; `None` for a server's database, which has its own disk.
    pub disk: Option<Disk>,
}

/// What has become of statements so far; cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Health(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    last_write: Mutex<Option<(Instant, Result<(), Cause>)>>,
    failed: [AtomicU64; Cause::ALL.len()],
    posts: AtomicU64,
    is_damaged: AtomicBool,
    doubtful: Arc<AtomicBool>,
}

impl Health {
    /// Nothing is known yet. A failed write makes `doubtful` true: the next one opens a connection of its own. A file
    /// that was opened while it was read-only stays so for its connection, whatever becomes of the file.
    pub(super) fn new(doubtful: Arc<AtomicBool>) -> Self {
        Self(Arc::new(Inner {
            doubtful,
            ..Inner::default()
        }))
    }

    /// Something was written and is on the disk.
    pub(super) fn wrote(&self) {
        self.note(Ok(()));
    }

    /// So many messages were posted, each of them new.
    pub(super) fn posted(&self, count: usize) {
        self.0.posts.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// A write failed for this reason, and nothing was stored.
    pub(super) fn not_written(&self, cause: Cause) {
        self.0.failed[cause as usize].fetch_add(1, Ordering::Relaxed);
        self.note(Err(cause));
        self.0.doubtful.store(true, Ordering::Relaxed);
        self.damaged_if(cause);
    }

    /// A write failed. An error that is the statement's own says nothing of the database.
    pub(super) fn note_failure(&self, err: &DbErr) {
        if let Some(cause) = Cause::of(err) {
            self.not_written(cause);
        }
    }

    /// A statement that only reads failed.
    pub(super) fn note_unread(&self, err: &DbErr) {
        Cause::of(err)
            .into_iter()
            .for_each(|cause| self.damaged_if(cause));
    }

    /// How many messages this process has stored.
    pub fn posts(&self) -> u64 {
        self.0.posts.load(Ordering::Relaxed)
    }

    /// How many writes failed, by why.
    pub fn failed(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        let count = |cause: Cause| self.0.failed[cause as usize].load(Ordering::Relaxed);
        Cause::ALL
            .into_iter()
            .map(move |cause| (cause, count(cause)))
    }

    /// Whether a statement found the file damaged. No later one that happens to succeed undoes that.
    fn is_damaged(&self) -> bool {
        self.0.is_damaged.load(Ordering::Relaxed)
    }

    fn damaged_if(&self, cause: Cause) {
        let is_first = cause == Cause::Damaged && !self.0.is_damaged.swap(true, Ordering::Relaxed);
        if is_first {
            tracing::error!(
                "the database is damaged: what it says cannot be relied on any more. Stop the server, keep the files \
                 as they are, and restore the newest backup"
            );
        }
    }

    fn note(&self, outcome: Result<(), Cause>) {
        let mut last = self.0.last_write.lock().expect("nobody panics in here");
        *last = Some((Instant::now(), outcome));
    }

    /// What the last write came to, and how long ago.
    fn last_write(&self) -> Option<(Duration, Result<(), Cause>)> {
        let last = *self.0.last_write.lock().expect("nobody panics in here");
        last.map(|(at, outcome)| (at.elapsed(), outcome))
    }
}
