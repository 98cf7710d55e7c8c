//! PostgreSQL: how connections are made and given up, and what its errors mean.
//!
//! No part of it may keep anybody waiting for more than a few seconds: the server ends what takes too long, and a
//! server that does not answer at all loses its connections. A node that stands still loses its locks.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use sea_orm::{
    ConnectOptions,
    sqlx::{self, Connection as _},
};
use tokio::time::timeout;

use super::{health::Cause, quiet};

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

/// What each connection asks of the server; times in milliseconds or seconds, as the server has it.
const SETTINGS: [(&str, &str); 7] = [
    ("default_transaction_isolation", "read committed"),
    ("statement_timeout", "5000"),
    ("lock_timeout", "4000"),
    ("idle_in_transaction_session_timeout", "10000"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// When a connection was last found broken. The others may be so too: each is asked before it is used, for a while.
#[derive(Debug, Clone, Default)]
pub(super) struct Suspicion(Arc<Mutex<Option<Instant>>>);

impl Suspicion {
    fn is_on(&self) -> bool {
        let last = *self.0.lock().expect("nobody panics in here");
        last.is_some_and(|last| last.elapsed() < SUSPICIOUS)
    }

    async fn stands(&self, connection: &mut sqlx::PgConnection) -> bool {
        let stands = matches!(timeout(ANSWER, connection.ping()).await, Ok(Ok(())));
        if !stands {
            *self.0.lock().expect("nobody panics in here") = Some(Instant::now());
        }
        stands
    }

    /// An error, and not only "no", because then the pool does not wait for a farewell either.
    async fn released(&self, connection: &mut sqlx::PgConnection) -> Result<bool, sqlx::Error> {
        match self.stands(connection).await {
            true => Ok(true),
            false => Err(sqlx::Error::WorkerCrashed),
        }
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
            opts.application_name("tertulia")
                .statement_cache_capacity(STATEMENTS)
                .options(SETTINGS)
        })
        .map_sqlx_postgres_before_acquire(move |connection, rest| {
            let is_doubtful = rest.idle_for >= RESTED || on_acquire.is_on();
            let suspicion = on_acquire.clone();
            Box::pin(async move { Ok(!is_doubtful || suspicion.stands(connection).await) })
        })
        // A statement that nobody waits for any more may never be answered; its connection must not wait for it.
        .map_sqlx_postgres_pool_opts(move |pool| {
            let suspicion = on_release.clone();
            pool.after_release(move |connection, _| {
                let suspicion = suspicion.clone();
                Box::pin(async move { suspicion.released(connection).await })
            })
        });
    options
}

/// Connections for work that may take its time.
pub(super) fn plain(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url.replacen("postgresql://", "postgres://", 1));
    quiet(&mut options, connections);
    options
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
