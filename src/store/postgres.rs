//! PostgreSQL: how connections are made and given up, and what its errors mean.
//!
//! No part of it may keep anybody waiting for more than a few seconds: the server ends what takes too long, and a
//! server that does not answer at all loses its connections. A node that stands still loses its locks.

use std::time::Duration;

use sea_orm::{
    ConnectOptions,
    sqlx::{self, Connection as _},
};
use tokio::time::timeout;

use super::quiet;

/// How many connections the writer and single statements share.
pub(super) const WRITERS: u32 = 4;
/// How many connections read.
pub(super) const READERS: u32 = 8;

/// How long a connection is waited for, also while the server starts.
const ACQUIRE: Duration = Duration::from_secs(3);
/// How long a connection may rest before it is asked whether it still stands.
const RESTED: Duration = Duration::from_secs(1);
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

/// Connections for serving.
pub(super) fn options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = plain(url, connections);
    options
        .acquire_timeout(ACQUIRE)
        .max_lifetime(LIFETIME)
        .map_sqlx_postgres_opts(|opts| {
            opts.application_name("tertulia")
                .statement_cache_capacity(STATEMENTS)
                .options(SETTINGS)
        })
        .map_sqlx_postgres_before_acquire(|connection, rest| {
            Box::pin(async move { Ok(rest.idle_for < RESTED || stands(connection).await) })
        })
        // A statement that nobody waits for any more may never be answered; its connection must not wait for it.
        .map_sqlx_postgres_pool_opts(|pool| {
            pool.after_release(|connection, _| Box::pin(async { released(connection).await }))
        });
    options
}

/// Connections for work that may take its time.
pub(super) fn plain(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url.replacen("postgresql://", "postgres://", 1));
    quiet(&mut options, connections);
    options
}

async fn stands(connection: &mut sqlx::PgConnection) -> bool {
    matches!(timeout(ANSWER, connection.ping()).await, Ok(Ok(())))
}

/// An error, and not only "no", because then the pool does not wait for a farewell either.
async fn released(connection: &mut sqlx::PgConnection) -> Result<bool, sqlx::Error> {
    match stands(connection).await {
        true => Ok(true),
        false => Err(sqlx::Error::WorkerCrashed),
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

/// Whether another transaction got in the way, so that the same again may succeed.
pub(super) fn is_rivalry(code: &str) -> bool {
    matches!(code, "40001" | "40P01")
}

/// Whether a commit that ended with this code stored nothing: constraints (23), serialization failures and deadlocks.
pub(super) fn is_refusal(code: &str) -> bool {
    code.starts_with("23") || code.starts_with("40")
}
