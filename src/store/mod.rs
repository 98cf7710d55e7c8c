//! Where facts are kept: people, sessions, rooms, memberships, messages. The only home of `sea_orm`.
//!
//! Knows no rules (what may be done) and no readers (who is told). Everything that changes a room goes through
//! the one [`Writer`]; everything else that writes uses the same single connection, so SQLite never sees two writers.

use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use migrations::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, RuntimeErr, SqlErr,
    Statement, Value,
    sqlx::{self, Connection as _, sqlite::SqliteJournalMode, sqlite::SqliteSynchronous},
};

use crate::{config::DatabaseUrl, error::Error};

mod entity;
pub mod membership;
pub mod message;
pub mod news;
pub mod room;
pub mod session;
pub mod setting;
mod trail;
pub mod user;
mod writer;

pub use writer::{Change, Committed, NewMessage, Write, Writer, Written};

/// How many read-only connections SQLite gets; reads are short, and two cores serve them.
const SQLITE_READERS: u32 = 4;
/// How many connections a PostgreSQL server is asked for, the writer's own not counted.
const POSTGRES_READERS: u32 = 8;
/// How many rows SQLite's thread may be ahead of who reads them: a whole lobby, so that the two rarely wait in turns.
const ROWS: usize = 1024;
/// How long a statement waits for another process that has locked the database file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);

/// The database: one connection that writes, several that only read.
#[derive(Debug, Clone)]
pub struct Store {
    write: DatabaseConnection,
    read: DatabaseConnection,
    doubtful: Arc<AtomicBool>,
}

impl Store {
    /// Opens the database, creating the SQLite file if there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// A sentence for the operator: the directory cannot be made, the server does not answer, a migration failed.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, String> {
        let failed = |err: DbErr| format!("cannot open the database: {err}");
        let doubtful = Arc::new(AtomicBool::new(false));
        let (write, read) = match url {
            DatabaseUrl::Sqlite(file) => {
                make_room_for(file)?;
                let write = Database::connect(sqlite(file, 1, Some(doubtful.clone())))
                    .await
                    .map_err(failed)?;
                migrate(&write).await?;
                (
                    write,
                    Database::connect(sqlite(file, SQLITE_READERS, None))
                        .await
                        .map_err(failed)?,
                )
            }
            DatabaseUrl::Postgres(url) => {
                let write = Database::connect(postgres(url, 1)).await.map_err(failed)?;
                migrate(&write).await?;
                (
                    write,
                    Database::connect(postgres(url, POSTGRES_READERS))
                        .await
                        .map_err(failed)?,
                )
            }
        };
        Ok(Self {
            write,
            read,
            doubtful,
        })
    }

    /// Notes that a write has failed: the next one opens a connection of its own. A file that was opened while it was
    /// read-only stays so for its connection, whatever becomes of the file.
    fn doubt(&self) {
        self.doubtful.store(true, Ordering::Relaxed);
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// `Unavailable` when it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        self.read
            .execute_unprepared("SELECT 1")
            .await
            .map_err(failure)?;
        Ok(())
    }

    /// Closes all connections; SQLite folds its write-ahead log into the file.
    pub async fn close(self) {
        let closed = (self.read.close().await, self.write.close().await);
        if let (Err(err), _) | (_, Err(err)) = closed {
            tracing::warn!(error = %err, "the database did not close cleanly");
        }
    }
}

/// What people say to each other is in there: only the operator's own account may look into a directory made here.
fn make_room_for(file: &Path) -> Result<(), String> {
    let Some(dir) = file.parent().filter(|dir| !dir.as_os_str().is_empty()) else {
        return Ok(());
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|err| format!("cannot create the directory {}: {err}", dir.display()))
}

async fn migrate(db: &DatabaseConnection) -> Result<(), String> {
    Migrator::up(db, None)
        .await
        .map_err(|err| format!("cannot bring the database up to date: {err}"))
}

/// Every commit reaches the disk before it is answered (`synchronous = FULL`), readers never wait for it (WAL).
/// The connection that writes is opened anew when it is doubtful; without that mark connections only read.
fn sqlite(file: &Path, connections: u32, doubtful: Option<Arc<AtomicBool>>) -> ConnectOptions {
    let read_only = doubtful.is_none();
    let file = file.to_path_buf();
    let mut options = ConnectOptions::new("sqlite::memory:");
    quiet(&mut options, connections).map_sqlx_sqlite_opts(move |opts| {
        let opts = opts
            .filename(&file)
            .in_memory(false)
            .shared_cache(false)
            .busy_timeout(BUSY_TIMEOUT)
            .row_buffer_size(ROWS);
        let opts = opts
            .read_only(read_only)
            .create_if_missing(!read_only)
            .foreign_keys(true);
        match read_only {
            true => opts,
            false => opts
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full),
        }
    });
    options.map_sqlx_sqlite_before_acquire(move |connection, _| {
        // A transaction that SQLite itself took back (the disk is full) is still counted by sqlx, which from then on
        // only sets savepoints inside it: commits would be answered and never made. The pool opens another instead.
        let is_at_rest = !connection.is_in_transaction();
        let is_doubtful = doubtful.as_ref();
        let is_doubtful = is_doubtful.is_some_and(|it| it.swap(false, Ordering::Relaxed));
        Box::pin(async move { Ok(is_at_rest && !is_doubtful) })
    });
    options
}

fn postgres(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    quiet(&mut options, connections);
    options
}

fn quiet(options: &mut ConnectOptions, connections: u32) -> &mut ConnectOptions {
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .max_lifetime(None)
        .idle_timeout(None)
        .sqlx_logging(false)
        .test_before_acquire(false)
}

/// What a failed statement means to the caller: the machinery may come back, anything else is a fault of ours.
fn failure(err: DbErr) -> Error {
    let passing = match &err {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(inner)) | DbErr::Query(RuntimeErr::SqlxError(inner)) => {
            is_passing(inner)
        }
        _ => false,
    };
    if passing {
        Error::Unavailable(err.to_string())
    } else {
        Error::Internal(err.to_string())
    }
}

/// SQLite's busy (5), locked (6), read-only (8), I/O error (10), full (13) and "cannot open" (14, as without file
/// descriptors) can pass; so can a lost connection.
fn is_passing(err: &sqlx::Error) -> bool {
    match err {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(err) => {
            let code = err.code().and_then(|code| code.parse::<u32>().ok());
            code.is_some_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14))
        }
        _ => false,
    }
}

/// Whether a statement failed because the value must be unique and is taken.
fn is_taken(err: &DbErr) -> bool {
    matches!(err.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// A statement written for both databases, with `$1`, `$2` … for its values.
fn statement(
    db: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}
