//! Where facts are kept: people, sessions, rooms, memberships, messages. The only home of `sea_orm`.
//!
//! Knows no rules (what may be done) and no readers (who is told). Everything that changes a room goes through
//! the one [`Writer`]; everything else that writes uses the same single connection, so SQLite never sees two writers.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr,
    SqlErr, Statement, Value, sqlx,
};

use crate::{clock::Clock, config::DatabaseUrl, error::Error};

pub mod backup;
mod beside;
pub mod check;
pub mod copy;
mod entity;
mod health;
mod leftover;
mod line;
mod locks;
pub mod membership;
pub mod message;
pub mod moment;
pub mod news;
pub mod one_time_link;
mod postgres;
pub mod progress;
mod replication;
mod rights;
pub mod room;
mod schema;
pub mod server_lock;
pub mod session;
pub mod setting;
mod sqlite;
pub mod stamp;
mod trail;
mod transaction;
pub mod user;
mod version;
mod writer;

pub use backup::CopyFirst;
use health::Probe;
pub use health::{Cause, Condition, Disk, Health, Room};
use line::Line;
use progress::Report;
pub use schema::MIGRATIONS_LOG;
use server_lock::ServerLock;
use stamp::Stamps;
use transaction::Transaction;
use version::Pasts;
pub use writer::{Change, Committed, NewMessage, Write, Writer, Written};

/// Takes a database for this process to serve, before it is opened: on SQLite it takes the server's lock and mends the
/// rights of the files. `data` is the data directory.
///
/// # Errors
/// A sentence for the operator: another server has it. Nothing was changed.
pub fn take_to_serve(url: &DatabaseUrl, data: &Path) -> Result<Option<ServerLock>, String> {
    let DatabaseUrl::Sqlite(file) = url else {
        rights::mend(data, None);
        return Ok(None);
    };
    rights::make_directory_of(file)?;
    sqlite::can_be_used(file)?;
    let lock = ServerLock::acquire(file)?;
    rights::mend(data, Some(file));
    Ok(Some(lock))
}

/// The database: connections that write (one for SQLite), several that only read.
#[derive(Debug, Clone)]
pub struct Store {
    write: Line,
    read: Line,
    health: Health,
    probe: Arc<Probe>,
    watch: Option<postgres::Watch>,
    has_timelines: bool,
    /// How often the connection that writes to a file was opened anew.
    reopened: Arc<AtomicU64>,
    stamps: Stamps,
    pasts: Pasts,
}

impl Store {
    /// Opens the database, creating the SQLite file if there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// A sentence for the operator: what cannot be used and why (the directory cannot be made, the server refuses the
    /// password), or a migration failed.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, String> {
        let to = (CopyFirst::Yes, Duration::ZERO);
        Self::open_within(url, to, &|_| {}).await
    }

    /// The same for a program that is to serve: it waits a minute for a PostgreSQL server that starts, or that cannot
    /// be reached yet, and says so in the log; what waiting does not mend is said at once. Says how far long work has
    /// come. Before the schema of a file of SQLite's is changed, a copy of it is made, unless the operator does without.
    ///
    /// # Errors
    /// As [`Store::open`], and that there is no room for the copy.
    pub async fn open_when_there(
        url: &DatabaseUrl,
        copy_first: CopyFirst,
        report: Report<'_>,
    ) -> Result<Self, String> {
        Self::open_within(url, (copy_first, postgres::PATIENCE), report).await
    }

    async fn open_within(
        url: &DatabaseUrl,
        (copy_first, patience): (CopyFirst, Duration),
        report: Report<'_>,
    ) -> Result<Self, String> {
        let (marks, pasts) = (sqlite::WriterMarks::default(), Pasts::default());
        let (connections, probe, watch) = match url {
            DatabaseUrl::Sqlite(file) => {
                backup::must_be_no_backup(file)?;
                let write = sqlite::open(file, marks.clone()).await?;
                schema::bring_file_up_to_date(&write, file, copy_first, report).await?;
                let read = connect(sqlite::options(file, sqlite::READERS, None)).await?;
                ((write, read), Probe::of_file(file), None)
            }
            DatabaseUrl::Postgres(url) => {
                postgres::reach(url, patience).await?;
                schema::bring_up_to_date_together(url, report).await?;
                let suspicion = postgres::Suspicion::telling(&pasts);
                let write = postgres::options(url, postgres::WRITERS, &suspicion);
                let read = postgres::options(url, postgres::READERS, &suspicion);
                let connect = async |options| {
                    let connected = Database::connect(options).await;
                    connected.map_err(|err| postgres::not_opened(url, &err))
                };
                let watch = postgres::Watch::new(postgres::Place::parse(url)?, suspicion);
                let connections = (connect(write).await?, connect(read).await?);
                (connections, Probe::default(), Some(watch))
            }
        };
        let has_timelines = watch.is_some() && postgres::has_timelines(&connections.0).await;
        pasts.begin(&connections.0).await.map_err(not_opened)?;
        let store = Self {
            has_timelines,
            pasts,
            ..Self::over(connections, probe, marks, watch)
        };
        store.begin_stamps().await.map_err(not_opened)?;
        Ok(store)
    }

    fn over(
        (write, read): (DatabaseConnection, DatabaseConnection),
        probe: Probe,
        (doubtful, reopened): sqlite::WriterMarks,
        watch: Option<postgres::Watch>,
    ) -> Self {
        let health = Health::new(doubtful);
        Self {
            write: Line::writing(write, health.clone(), watch.clone()),
            read: Line::reading(read, health.clone(), watch.clone()),
            health,
            probe: Arc::new(probe),
            watch,
            has_timelines: false,
            reopened,
            stamps: Stamps::new(Clock::system()),
            pasts: Pasts::default(),
        }
    }

    /// Notes that a server did not answer a commit: all connections are opened anew, and lead to whatever server stands
    /// at the address now. One that lost its synchronous standby to a failover answers everything but commits.
    fn doubt_server(&self) {
        if let Some(watch) = &self.watch {
            watch.give_all_up();
        }
    }

    /// Whether the server says on which timeline it is, as not everything does that speaks PostgreSQL.
    fn has_timelines(&self) -> bool {
        self.has_timelines
    }

    /// Looks again and again whether a PostgreSQL server can be used, and says in the log what is wrong with it; without
    /// end, or not at all where a file is the database.
    pub async fn watch(self) {
        if let Some(watch) = self.watch {
            watch.run().await;
        }
    }

    /// Why a PostgreSQL server cannot be used at the moment, in a few words that name no address.
    pub fn cause(&self) -> Option<String> {
        self.watch.as_ref()?.cause()
    }

    /// The timeline of the PostgreSQL server at the address as it was last looked at: another one after a failover.
    pub fn timeline(&self) -> Option<String> {
        self.watch.as_ref()?.timeline()
    }

    /// What has become of statements so far.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Whether several nodes may write to the same database, so that each has to mind the others.
    pub fn is_shared(&self) -> bool {
        self.write.get_database_backend() == DbBackend::Postgres
    }

    /// Closes all connections; SQLite folds its write-ahead log into the file.
    pub async fn close(self) {
        let closed = (self.read.close().await, self.write.close().await);
        if let (Err(err), _) | (_, Err(err)) = closed {
            tracing::warn!(error = %err, "the database did not close cleanly");
        }
    }
}

async fn connect(options: ConnectOptions) -> Result<DatabaseConnection, String> {
    Database::connect(options).await.map_err(not_opened)
}

fn not_opened(err: impl std::fmt::Display) -> String {
    format!("cannot open the database: {err}")
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
    if matches!(code(&err), Some(Code::Postgres(code)) if code == "25006") {
        return Error::Unavailable(postgres::ONLY_READS.into());
    }
    match can_pass(&err) {
        true => Error::Unavailable(err.to_string()),
        false => Error::Internal(err.to_string()),
    }
}

/// Lost connections can pass, and what each database says of itself.
fn can_pass(err: &DbErr) -> bool {
    let answer = match err {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => return true,
        DbErr::Exec(RuntimeErr::SqlxError(err)) | DbErr::Query(RuntimeErr::SqlxError(err)) => err,
        _ => return false,
    };
    match (&**answer, code(err)) {
        (_, Some(Code::Sqlite(code))) => sqlite::can_pass(&code),
        (_, Some(Code::Postgres(code))) => postgres::can_pass(&code),
        (
            sqlx::Error::Io(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::BeginFailed
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed,
            None,
        ) => true,
        _ => false,
    }
}

/// What the database itself calls an error.
enum Code {
    Sqlite(String),
    Postgres(String),
}

fn code(err: &DbErr) -> Option<Code> {
    let (DbErr::Conn(RuntimeErr::SqlxError(err))
    | DbErr::Exec(RuntimeErr::SqlxError(err))
    | DbErr::Query(RuntimeErr::SqlxError(err))) = err
    else {
        return None;
    };
    let err = err.as_database_error()?;
    let is_postgres = err.try_downcast_ref::<sqlx::postgres::PgDatabaseError>();
    let code = err.code()?.into_owned();
    Some(match is_postgres {
        Some(_) => Code::Postgres(code),
        None => Code::Sqlite(code),
    })
}

/// Whether the database itself refused to commit, so that nothing was stored; other failures leave that open.
fn is_refused(err: &DbErr) -> bool {
    matches!(code(err), Some(Code::Postgres(code)) if postgres::is_refusal(&code))
}

/// Whether a transaction of another node got in the way, so that the same again may succeed.
fn is_rivalry(err: &DbErr) -> bool {
    matches!(code(err), Some(Code::Postgres(code)) if postgres::is_rivalry(&code))
}

/// Whether a statement failed because another process is at the file.
fn is_busy(err: &DbErr) -> bool {
    matches!(code(err), Some(Code::Sqlite(code)) if sqlite::is_busy(&code))
}

/// Whether a statement failed because the disk is full.
fn is_full(err: &DbErr) -> bool {
    match code(err) {
        Some(Code::Sqlite(code)) => sqlite::is_full(&code),
        Some(Code::Postgres(code)) => code == "53100",
        None => false,
    }
}

/// Whether a statement failed because the file is not what it should be, which does not pass.
fn is_damage(err: &DbErr) -> bool {
    matches!(code(err), Some(Code::Sqlite(code)) if sqlite::is_damage(&code))
}

/// Commits.
///
/// # Errors
/// `Unknown` when the answer of a server was lost; otherwise nothing was stored.
async fn commit(tx: Transaction) -> Result<(), Error> {
    let is_shared = tx.get_database_backend() == DbBackend::Postgres;
    match line::in_time(tx.commit()).await {
        Ok(()) => Ok(()),
        Err(err) if is_shared && !is_refused(&err) && can_pass(&err) => Err(Error::Unknown),
        Err(err) => Err(failure(err)),
    }
}

/// Whether a statement failed because the value must be unique and is taken.
fn is_taken(err: &DbErr) -> bool {
    matches!(err.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// How long a transaction of a few statements may take in all; the server ends a statement by itself after 7 s.
const WHOLE: Duration = Duration::from_secs(12);

/// What a transaction comes to, or, as for a lost connection, that there was no answer in time.
/// Cursors by time rest on that ([`stamp::BEHIND`]).
async fn bounded<T>(transaction: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let words = "the database did not answer in time";
    let done = tokio::time::timeout(WHOLE, transaction).await;
    done.unwrap_or_else(|_| Err(Error::Unavailable(words.into())))
}

/// A statement written for both databases, with `$1`, `$2` … for its values.
fn statement(
    db: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}
