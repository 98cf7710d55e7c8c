//! Small statements that find out what no real one has said: at most one reading a second, at most one writing in five.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use sea_orm::{ConnectionTrait, Database, DbErr};
use tokio::{sync::Mutex, time::Instant, time::timeout};

use super::{Cause, Condition, Disk};
use crate::store::{Store, sqlite, statement};

/// How long an answer about reading holds, and how long it is waited for.
const READ_HOLDS: Duration = Duration::from_secs(1);
const READ_PATIENCE: Duration = Duration::from_secs(3);
/// How long the last write says that the next one will succeed.
const WRITE_HOLDS: Duration = Duration::from_secs(60);
/// How long after a tiny write another one may be tried, and how long one may take.
const WRITE_PAUSE: Duration = Duration::from_secs(5);
const WRITE_PATIENCE: Duration = Duration::from_secs(1);
/// How much room there must be again before a write is tried on a disk that was full. Into a log that has its blocks
/// already, a tiny one fits while a real one does not.
const ROOM: u64 = 4 * 1024 * 1024;

/// From every table something that is stored at its end, so that a page of each is read.
const READ: &str = "SELECT (SELECT length(name) FROM users ORDER BY id DESC LIMIT 1), \
    (SELECT last_seq FROM rooms ORDER BY id DESC LIMIT 1), \
    (SELECT max(user_id) FROM memberships WHERE room_id = (SELECT max(id) FROM rooms)), \
    (SELECT length(body) FROM messages ORDER BY room_id DESC, seq DESC LIMIT 1), \
    (SELECT max(length(value)) FROM settings), \
    (SELECT max(expires) FROM sessions)";
const WRITE: &str = "INSERT INTO settings (name, value) VALUES ('probe', 'written') \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// When what was tried last, and where the database is if it is a file.
#[derive(Debug, Default)]
pub struct Probe {
    file: Option<(PathBuf, Option<Identity>)>,
    /// Whether another file, or none, is in its place.
    moved: AtomicBool,
    read: Mutex<Option<(Instant, Result<(), Cause>)>>,
    wrote: Mutex<Option<Instant>>,
}

/// Which file it is, whatever its name.
type Identity = (u64, u64);

fn identity(file: &Path) -> Option<Identity> {
    let file = std::fs::metadata(file).ok()?;
    Some((file.dev(), file.ino()))
}

impl Probe {
    /// Of a SQLite file that has just been opened.
    pub fn of_file(file: &Path) -> Self {
        Self {
            file: Some((file.into(), identity(file))),
            ..Self::default()
        }
    }

    fn disk(&self) -> Option<Disk> {
        let (file, _) = self.file.as_ref()?;
        let directory = file.parent().filter(|it| !it.as_os_str().is_empty());
        Disk::of(directory.unwrap_or(Path::new(".")))
    }
}

impl Store {
    /// How the database is. Where real statements do not say, small ones are tried; four seconds at most.
    pub async fn condition(&self) -> Condition {
        let reading = self.reading().await;
        let disk = self.probe.disk();
        let writing = match reading {
            Ok(()) => self.writing(disk).await,
            failed => failed,
        };
        Condition {
            reading,
            writing,
            disk,
        }
    }

    async fn reading(&self) -> Result<(), Cause> {
        let mut last = self.probe.read.lock().await;
        if self.health.is_damaged() {
            return Err(Cause::Damaged);
        }
        if let Some((at, outcome)) = *last
            && at.elapsed() < READ_HOLDS
        {
            return outcome;
        }
        let outcome = match timeout(READ_PATIENCE, twice(|| self.try_reading())).await {
            Ok(Ok(())) => self.is_in_place(),
            Ok(Err(err)) => {
                self.health.note_unread(&err);
                Err(Cause::of(&err).unwrap_or(Cause::Other))
            }
            Err(_) => Err(Cause::NoAnswer),
        };
        *last = Some((Instant::now(), outcome));
        outcome
    }

    async fn try_reading(&self) -> Result<(), DbErr> {
        let tx = self.read.begin_plain().await?;
        if !self.is_shared() {
            // What the connection remembers of the file says nothing of the file.
            tx.execute_unprepared("PRAGMA shrink_memory").await?;
        }
        tx.query_one_raw(statement(&tx, READ, [])).await?;
        tx.commit().await
    }

    /// Whether the file that is open is the one that a restart would open.
    pub(in crate::store) fn is_in_place(&self) -> Result<(), Cause> {
        let Some((file, opened)) = &self.probe.file else {
            return Ok(());
        };
        let is_moved = identity(file) != *opened;
        if self.probe.moved.swap(is_moved, Relaxed) != is_moved {
            match is_moved {
                true => tracing::error!(
                    "{} was moved away or replaced while it is served: posts are refused until it is back. To serve \
                     another file, restart",
                    file.display()
                ),
                false => tracing::info!("{} is back", file.display()),
            }
        }
        match is_moved {
            true => Err(Cause::Replaced),
            false => Ok(()),
        }
    }

    /// By the last real write; when that failed, or there was none for a minute, by a tiny one.
    async fn writing(&self, disk: Option<Disk>) -> Result<(), Cause> {
        // Held while one is tried: who asks meanwhile waits for what it comes to.
        let mut tried = self.probe.wrote.lock().await;
        let last = self.health.last_write();
        if let Some(outcome) = known(last, tried.map(|at| at.elapsed()), disk) {
            return outcome;
        }
        *tried = Some(Instant::now());
        let before = last.map_or(Ok(()), |(_, outcome)| outcome);
        match timeout(WRITE_PATIENCE, twice(|| self.try_writing())).await {
            Ok(Ok(())) => self.health.wrote(),
            // A file that cannot be opened once more can still be written by whoever has it open.
            Ok(Err(err)) if Cause::of(&err) == Some(Cause::NotOpened) && before.is_ok() => {}
            Ok(Err(err)) => self
                .health
                .not_written(Cause::of(&err).unwrap_or(Cause::Other)),
            Err(_) => self.health.not_written(Cause::NoAnswer),
        }
        self.health
            .last_write()
            .map_or(before, |(_, outcome)| outcome)
    }

    /// On a connection of its own where writers queue for one.
    async fn try_writing(&self) -> Result<(), DbErr> {
        let Some((file, _)) = &self.probe.file else {
            return self.write.execute_unprepared(WRITE).await.map(|_| ());
        };
        let connection = Database::connect(sqlite::options_for_probe(file, WRITE_PATIENCE)).await?;
        let written = connection.execute_unprepared(WRITE).await;
        connection.close().await?;
        written.map(|_| ())
    }
}

/// Once more when the first try came upon a connection that was lost: it says nothing of the next one.
async fn twice<F>(work: impl Fn() -> F) -> Result<(), DbErr>
where
    F: Future<Output = Result<(), DbErr>>,
{
    match work().await {
        Err(err) if Cause::of(&err) == Some(Cause::Unreachable) => work().await,
        done => done,
    }
}

/// What is known of writing without trying it: by the last write, which was so long ago, and by how long ago one was
/// last tried.
fn known(
    last: Option<(Duration, Result<(), Cause>)>,
    tried: Option<Duration>,
    disk: Option<Disk>,
) -> Option<Result<(), Cause>> {
    let (age, outcome) = last.unwrap_or((WRITE_HOLDS, Ok(())));
    let is_fresh = outcome.is_ok() && age < WRITE_HOLDS;
    let is_early = tried.is_some_and(|ago| ago < WRITE_PAUSE);
    let is_full = outcome == Err(Cause::DiskFull) && disk.is_some_and(|it| it.free < ROOM);
    (is_fresh || is_early || is_full).then_some(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_tried_only_when_the_last_one_failed_or_is_long_ago_and_not_too_often() {
        let second = Duration::from_secs;
        let (good, bad) = (Ok(()), Err(Cause::DiskFull));
        let disk = |free| {
            Some(Disk {
                free,
                size: u64::MAX,
            })
        };
        for (last, tried, disk, expected) in [
            (None, None, None, None),
            (Some((second(59), good)), None, None, Some(good)),
            (Some((second(61), good)), None, None, None),
            (Some((second(61), good)), Some(second(4)), None, Some(good)),
            (Some((second(61), good)), Some(second(6)), None, None),
            (Some((second(0), bad)), None, None, None),
            (Some((second(0), bad)), Some(second(4)), None, Some(bad)),
            (Some((second(0), bad)), Some(second(6)), disk(0), Some(bad)),
            (Some((second(0), bad)), Some(second(6)), disk(ROOM), None),
            (
                Some((second(0), Err(Cause::Locked))),
                Some(second(6)),
                disk(0),
                None,
            ),
        ] {
            assert_eq!(
                known(last, tried, disk),
                expected,
                "{last:?} {tried:?} {disk:?}"
            );
        }
    }
}
