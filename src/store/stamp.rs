//! The time that a change bears: what `changed` and `created` hold, by which pages and nodes ask for what they missed.
//!
//! Nodes have clocks of their own, and clocks are set back. So a stamp is the database server's time, or one millisecond
//! more than the newest stamp there when that is not later: a stamp never lies before what was committed when it was
//! taken. Transactions that are open together can commit in another order than they took their stamps in, so whoever asks
//! by time asks from [`BEHIND`] earlier on; no transaction is open for so long. SQLite has one process that serves, and one
//! writer: there it is that process's clock, raised to the newest stamp in the file.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};

use super::{Store, failure, statement};
use crate::{
    clock::{Clock, UnixMillis},
    error::Result,
};

/// How far every cursor by time stands behind the newest change that its reader knows. Transactions are shorter:
/// `store::postgres` and the writer bound them to 20 s; on SQLite a stamp is taken under the write lock.
pub const BEHIND: Duration = Duration::from_secs(30);

/// What time it is for the database, as SQL; `$1` is the time of a clock that stands still, or NULL.
const NOW: &str =
    "COALESCE(CAST($1 AS BIGINT), CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT))";
/// The newest stamp in the database: the last entries of two indexes.
const NEWEST: &str = "GREATEST((SELECT COALESCE(MAX(changed), 0) FROM rooms), (SELECT COALESCE(MAX(created), 0) FROM users))";
/// [`NEWEST`], as SQLite spells it; memberships change when no room does, and are few enough to be read once.
const NEWEST_OF_ALL: &str = "\
SELECT MAX((SELECT COALESCE(MAX(changed), 0) FROM rooms), (SELECT COALESCE(MAX(created), 0) FROM users),
  (SELECT COALESCE(MAX(changed), 0) FROM memberships)) AS at";

/// A stamp, as SQL for PostgreSQL, whose `$1` is [`Stamps::fixed`].
pub(super) fn on_server() -> String {
    format!("GREATEST({NOW}, {NEWEST} + 1)")
}

/// Where stamps come from.
#[derive(Debug, Clone)]
pub(super) struct Stamps {
    clock: Clock,
    /// The newest that this process gave out or found.
    newest: Arc<AtomicI64>,
}

#[derive(FromQueryResult)]
struct AtRow {
    at: i64,
}

impl Stamps {
    /// Stamps by this clock.
    pub fn new(clock: Clock) -> Self {
        let newest = Arc::default();
        Self { clock, newest }
    }

    /// The same by another clock.
    pub fn by(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The next one, on a database that nobody else serves.
    pub fn next(&self) -> UnixMillis {
        let now = self.clock.now().0;
        let next = |newest: i64| Some(now.max(newest + 1));
        let before = self.newest.fetch_update(Relaxed, Relaxed, next);
        UnixMillis(before.map_or(now, |newest| now.max(newest + 1)))
    }

    /// The time of a clock that stands still, for SQL.
    pub fn fixed(&self) -> Value {
        self.clock.fixed_now().map(|now| now.0).into()
    }
}

impl Store {
    /// The same store by another clock than the machine's: on SQLite, or when it stands still, stamps come from it.
    pub fn with_clock(self, clock: Clock) -> Self {
        let stamps = self.stamps.by(clock);
        Self { stamps, ..self }
    }

    /// On SQLite, has stamps begin behind what is in the file already.
    pub(super) async fn begin_stamps(&self) -> std::result::Result<(), DbErr> {
        if !self.is_shared() {
            let found = AtRow::find_by_statement(statement(&self.write, NEWEST_OF_ALL, []));
            let newest = found.one(&self.write).await?.map_or(0, |row| row.at);
            self.stamps.newest.fetch_max(newest, Relaxed);
        }
        Ok(())
    }

    /// A stamp for what is about to be written over `db`.
    pub(super) async fn stamp(
        &self,
        db: &impl ConnectionTrait,
    ) -> std::result::Result<UnixMillis, DbErr> {
        if db.get_database_backend() != DbBackend::Postgres {
            return Ok(self.stamps.next());
        }
        let sql = format!("SELECT {} AS at", on_server());
        let asked = AtRow::find_by_statement(statement(db, &sql, [self.stamps.fixed()]));
        let row = asked.one(db).await?;
        row.map(|row| UnixMillis(row.at))
            .ok_or_else(|| DbErr::Custom("the database has no clock".into()))
    }

    /// What time it is for the database: what nodes compare with each other bears no other.
    pub async fn now(&self) -> Result<UnixMillis> {
        if !self.is_shared() {
            return Ok(self.stamps.clock.now());
        }
        let sql = format!("SELECT {NOW} AS at");
        let asked = AtRow::find_by_statement(statement(&self.read, &sql, [self.stamps.fixed()]));
        let row = asked.one(&self.read).await.map_err(failure)?;
        Ok(row.map_or(self.stamps.clock.now(), |row| UnixMillis(row.at)))
    }

    /// Up to which time all that is committed was stamped: the newest stamp there, or the present, whichever is later.
    pub async fn mark(&self) -> Result<UnixMillis> {
        if !self.is_shared() {
            let newest = self.stamps.newest.load(Relaxed);
            return Ok(self.stamps.clock.now().max(UnixMillis(newest)));
        }
        let sql = format!("SELECT GREATEST({NOW}, {NEWEST}) AS at");
        let asked = AtRow::find_by_statement(statement(&self.read, &sql, [self.stamps.fixed()]));
        let row = asked.one(&self.read).await.map_err(failure)?;
        Ok(row.map_or(self.stamps.clock.now(), |row| UnixMillis(row.at)))
    }

    /// The newest stamp in the database.
    pub async fn newest_stamp(&self) -> Result<UnixMillis> {
        if !self.is_shared() {
            return Ok(UnixMillis(self.stamps.newest.load(Relaxed)));
        }
        let asked =
            AtRow::find_by_statement(statement(&self.read, &format!("SELECT {NEWEST} AS at"), []));
        let row = asked.one(&self.read).await.map_err(failure)?;
        Ok(row.map_or(UnixMillis(0), |row| UnixMillis(row.at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_the_time_and_never_one_that_was_given_out() {
        let stamps = Stamps::new(Clock::fixed(1_000));
        assert_eq!(stamps.next(), UnixMillis(1_000));
        assert_eq!(stamps.next(), UnixMillis(1_001), "the clock stands still");
        let slow = stamps.clone().by(Clock::fixed(10));
        assert_eq!(slow.next(), UnixMillis(1_002), "the clock was set back");
        let later = stamps.by(Clock::fixed(5_000));
        assert_eq!(later.next(), UnixMillis(5_000));
    }
}
