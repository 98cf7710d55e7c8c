//! PostgreSQL: how connections are made and given up, and what its errors mean.
//!
//! No part of it may keep anybody waiting for more than a few seconds: the server ends what takes too long, and a
//! server that does not answer at all loses its connections. A node that stands still loses its locks.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use sea_orm::{
    ConnectOptions, ConnectionTrait as _, DatabaseConnection, DbErr, RuntimeErr,
    sqlx::{self, Connection as _},
};
use tokio::time::timeout;

use super::{health::Cause, quiet, version::Pasts};

mod reach;
mod trouble;
mod watch;

pub(super) use reach::{PATIENCE, reach};
pub(super) use trouble::Place;
use trouble::adjusted;
pub(super) use watch::{TIMELINE, Watch};

/// What is said of a server that takes no writes.
pub(super) const ONLY_READS: &str = "this PostgreSQL server only reads (a standby)";
/// How many connections the writer and single statements share.
pub(super) const WRITERS: u32 = 4;
/// How many connections read.
pub(super) const READERS: u32 = 8;

/// How long a connection is waited for, also while the server starts.
const ACQUIRE: Duration = Duration::from_secs(3);
/// How long a connection may rest before it is asked whether it still stands.
const RESTED: Duration = Duration::from_secs(1);
/// How long all connections are asked first once one was found broken.
const SUSPICIOUS: Duration = Duration::from_secs(30);
/// How long it has for the answer.
const ANSWER: Duration = Duration::from_secs(2);
/// A connection is replaced after so long: servers and their addresses change.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How many prepared statements a connection keeps: batches come in many sizes.
const STATEMENTS: usize = 512;

/// What each connection asks of the server; times in milliseconds or seconds, as the server has it. Nobody here waits for
/// a statement or a commit as long as `statement_timeout` says (`TimedPool`, `writer::attempt`): when it ends a commit
/// that waits for a standby, the server answers as if the standby had it.
const SETTINGS: [(&str, &str); 7] = [
    ("default_transaction_isolation", "read committed"),
    ("statement_timeout", "7000"),
    ("lock_timeout", "4000"),
    ("idle_in_transaction_session_timeout", "10000"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// What connections are worth, as far as it is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Suspicion {
    suspected: Arc<Mutex<Suspected>>,
    /// Told of the timeline of each new connection.
    pasts: Pasts,
}

#[derive(Debug, Default)]
struct Suspected {
    /// When a connection was last found broken. The others may be so too: each is asked before it is used, for a while.
    broken: Option<Instant>,
    /// Connections that were opened before are not used any more: their server is gone or is another one's standby now.
    given_up: Option<Instant>,
    /// The timeline of the server that the newest connection leads to.
    timeline: Option<String>,
}

impl Suspicion {
    /// One that tells `pasts` of each timeline.
    pub fn telling(pasts: &Pasts) -> Self {
        Self {
            suspected: Arc::default(),
            pasts: pasts.clone(),
        }
    }

    /// From now on every connection is a new one, which leads to whatever server the address stands for now.
    pub fn give_all_up(&self) {
        self.lock().given_up = Some(Instant::now());
    }

    /// The timeline of the server that the newest connection leads to, if it takes writes and says so.
    pub fn timeline(&self) -> Option<String> {
        self.lock().timeline.clone()
    }

    /// A new connection leads to a server on this timeline. If it is another one than before, there was a failover: no
    /// connection to the former primary is used any more, for what is committed there is lost to everybody else.
    fn meets(&self, now: &str) {
        self.pasts.is_on(now);
        let before = self.lock().timeline.replace(now.to_owned());
        if let Some(before) = before.filter(|before| before != now) {
            self.give_all_up();
            tracing::warn!(
                before,
                now,
                "PostgreSQL is another server since a failover: connections to the former one are given up"
            );
        }
    }

    fn is_on(&self) -> bool {
        let last = self.lock().broken;
        last.is_some_and(|last| last.elapsed() < SUSPICIOUS)
    }

    fn is_given_up(&self, age: Duration) -> bool {
        let given_up = self.lock().given_up;
        given_up.is_some_and(|at| at.elapsed() <= age)
    }

    async fn stands(&self, connection: &mut sqlx::PgConnection) -> bool {
        let answer = timeout(ANSWER, connection.ping()).await;
        if !matches!(answer, Ok(Ok(()))) {
            self.lock().broken = Some(Instant::now());
        }
        if answer.is_err() {
            // Each of the others would be waited for as long.
            self.give_all_up();
        }
        matches!(answer, Ok(Ok(())))
    }

    /// An error, and not only "no", because then the pool does not wait for a farewell either.
    async fn may_be_used(
        &self,
        connection: &mut sqlx::PgConnection,
        age: Duration,
        is_doubtful: bool,
    ) -> Result<bool, sqlx::Error> {
        let is_good = !self.is_given_up(age) && (!is_doubtful || self.stands(connection).await);
        is_good.then_some(true).ok_or(sqlx::Error::WorkerCrashed)
    }

    /// What is asked of the server once for each connection. A commit that is answered is on the server's disk, whatever
    /// is set there for others; and no transaction lasts longer than cursors by time allow for (`store::stamp`), which
    /// servers know from version 17 on.
    async fn new_connection(&self, connection: &mut sqlx::PgConnection) -> Result<(), sqlx::Error> {
        let sql = "SELECT set_config(name, value, false) \
            FROM (VALUES ('synchronous_commit', 'on'), ('transaction_timeout', '20s')) AS wanted (name, value) \
            WHERE current_setting(name, true) = 'off' OR (name = 'transaction_timeout' AND current_setting(name, true) IS NOT NULL)";
        sqlx::query(sql).execute(&mut *connection).await?;
        // A standby has no timeline yet, and not every server that speaks PostgreSQL knows the word.
        if let Ok(timeline) = watch::timeline(connection).await {
            self.meets(&timeline);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Suspected> {
        self.suspected.lock().expect("nobody panics in here")
    }
}

/// Connections for serving.
pub(super) fn options(url: &str, connections: u32, suspicion: &Suspicion) -> ConnectOptions {
    let mut options = plain(url, connections);
    let (on_acquire, on_release) = (suspicion.clone(), suspicion.clone());
    options
        .acquire_timeout(ACQUIRE)
        .max_lifetime(LIFETIME)
        .map_sqlx_postgres_opts(|opts| {
            adjusted(opts)
                .application_name("tertulia")
                .statement_cache_capacity(STATEMENTS)
                .options(SETTINGS)
        })
        .map_sqlx_postgres_before_acquire(move |connection, rest| {
            let is_doubtful = rest.idle_for >= RESTED || on_acquire.is_on();
            let suspicion = on_acquire.clone();
            Box::pin(async move {
                let good = suspicion.may_be_used(connection, rest.age, is_doubtful);
                good.await
            })
        })
        // A statement that nobody waits for any more may never be answered; its connection must not wait for it.
        .map_sqlx_postgres_pool_opts(move |pool| {
            let suspicion = on_release.clone();
            let met = on_release.clone();
            let pool = pool.after_connect(move |connection, _| {
                let met = met.clone();
                Box::pin(async move { met.new_connection(connection).await })
            });
            pool.after_release(move |connection, meta| {
                let suspicion = suspicion.clone();
                Box::pin(async move { suspicion.may_be_used(connection, meta.age, true).await })
            })
        });
    options
}

/// Connections for work that may take its time.
pub(super) fn plain(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url.replacen("postgresql://", "postgres://", 1));
    quiet(&mut options, connections).map_sqlx_postgres_opts(adjusted);
    options
}

/// Whether the server says on which timeline it is.
pub(super) async fn has_timelines(db: &DatabaseConnection) -> bool {
    let sql = format!("SELECT {}", watch::TIMELINE);
    db.execute_unprepared(&sql).await.is_ok()
}

/// Why a server could not be used though it answers.
pub(super) fn not_opened(url: &str, err: &DbErr) -> String {
    match (Place::parse(url), err) {
        (Ok(place), DbErr::Conn(RuntimeErr::SqlxError(err))) => place.trouble(err).words,
        (Ok(place), DbErr::ConnectionAcquire(_)) => place.silent().words,
        _ => super::not_opened(err),
    }
}

/// Lost connections (08), serialization failures and deadlocks (40), no resources, among them the disk (53), stopping,
/// starting and timeouts (57), I/O (58), locks not granted in time (55P03) and a server that only reads for now (25006)
/// can pass.
pub(super) fn can_pass(code: &str) -> bool {
    matches!(code, "55P03" | "25006" | "25P03")
        || ["08", "40", "53", "57", "58"]
            .iter()
            .any(|class| code.starts_with(class))
}

/// What PostgreSQL's code says of the server; `None` when it only speaks of the statement or of another one in its way.
pub(super) fn cause(code: &str) -> Option<Cause> {
    Some(match (code, code.get(..2)?) {
        ("53100", _) => Cause::DiskFull,
        ("25006" | "42501", _) => Cause::ReadOnly,
        ("55P03", _) => Cause::Locked,
        ("57014" | "25P03", _) => Cause::NoAnswer,
        ("XX001" | "XX002", _) => Cause::Damaged,
        (_, "08" | "28" | "3D" | "53" | "57") => Cause::Unreachable,
        (_, "58") => Cause::Disk,
        (_, "22" | "23" | "40") => return None,
        _ => Cause::Other,
    })
}

/// Whether another transaction got in the way, so that the same again may succeed.
pub(super) fn is_rivalry(code: &str) -> bool {
    matches!(code, "40001" | "40P01")
}

/// Whether a commit that ended with this code stored nothing: constraints (23), serialization failures and deadlocks.
pub(super) fn is_refusal(code: &str) -> bool {
    code.starts_with("23") || code.starts_with("40")
}
