//! The way to the database for single statements: none is waited for longer than a page has.
//!
//! SQLite answers or says that it cannot; a server can fall silent, and what waits for it must not wait with it.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use tokio::time::timeout;

use super::{can_pass, code, health::Health, postgres::Watch, transaction::Transaction};

/// How long an answer is waited for: not as long as a server lets a statement run. When it ends one that waits for a
/// synchronous standby, it says that it is stored, and a failover loses it.
const PATIENCE: Duration = Duration::from_secs(6);

/// Connections, each statement on which is answered in time or given up, and noted. What a transaction does is not
/// timed.
#[derive(Debug, Clone)]
pub(super) struct Line {
    connections: DatabaseConnection,
    health: Health,
    watch: Option<Watch>,
    writes: bool,
}

impl Line {
    /// A line over connections that write; `watch` knows why their server cannot be used.
    pub fn writing(connections: DatabaseConnection, health: Health, watch: Option<Watch>) -> Self {
        Self {
            connections,
            health,
            watch,
            writes: true,
        }
    }

    /// A line over connections that only read.
    pub fn reading(connections: DatabaseConnection, health: Health, watch: Option<Watch>) -> Self {
        Self {
            connections,
            health,
            watch,
            writes: false,
        }
    }

    /// Begins a transaction that writes, and notes what becomes of it. On SQLite it waits for its turn here: one that
    /// only reads at first is refused when another process (a command of the operator's) writes before it does.
    pub async fn begin(&self) -> Result<Transaction, DbErr> {
        let begun = self.begin_plain().await;
        let begun = begun.inspect_err(|err| self.health.note_failure(err))?;
        Ok(Transaction::new(begun, self.health.clone()))
    }

    /// The same of which nothing is noted here, for whoever does so; one that only reads on connections that do.
    pub async fn begin_plain(&self) -> Result<DatabaseTransaction, DbErr> {
        let waits = self.writes && self.get_database_backend() == DbBackend::Sqlite;
        let options = TransactionOptions {
            sqlite_transaction_mode: waits.then_some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        self.told(in_time(self.connections.begin_with_options(options)).await)
    }

    /// What was asked came to, with the cause in words when a connection was lost or is not to be had.
    fn told<T>(&self, answer: Result<T, DbErr>) -> Result<T, DbErr> {
        let (Err(err), Some(watch)) = (&answer, &self.watch) else {
            return answer;
        };
        if !can_pass(err) {
            return answer;
        }
        watch.look_soon();
        match (code(err), watch.cause()) {
            (None, Some(cause)) => Err(DbErr::Conn(RuntimeErr::Internal(cause))),
            _ => answer,
        }
    }

    /// Closes all connections.
    pub async fn close(self) -> Result<(), DbErr> {
        self.connections.close().await
    }

    fn noted<T>(&self, reads: bool, done: Result<T, DbErr>) -> Result<T, DbErr> {
        match &done {
            Ok(_) if self.writes && !reads => self.health.wrote(),
            Ok(_) => {}
            Err(err) if self.writes => self.health.note_failure(err),
            Err(err) => self.health.note_unread(err),
        }
        self.told(done)
    }
}

#[async_trait]
impl ConnectionTrait for Line {
    fn get_database_backend(&self) -> DbBackend {
        self.connections.get_database_backend()
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        let reads = reads(&stmt.sql);
        self.noted(reads, in_time(self.connections.execute_raw(stmt)).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.noted(
            reads(sql),
            in_time(self.connections.execute_unprepared(sql)).await,
        )
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        let reads = reads(&stmt.sql);
        self.noted(reads, in_time(self.connections.query_one_raw(stmt)).await)
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let reads = reads(&stmt.sql);
        self.noted(reads, in_time(self.connections.query_all_raw(stmt)).await)
    }
}

/// Whether a statement only reads.
fn reads(sql: &str) -> bool {
    let first = sql.trim_start().get(..6);
    // What is asked of SQLite by PRAGMA while the chat runs changes nothing.
    first.is_some_and(|word| {
        ["SELECT", "PRAGMA"]
            .iter()
            .any(|it| word.eq_ignore_ascii_case(it))
    })
}

/// What `work` comes to, or, as for a lost connection, that there was no answer.
pub(super) async fn in_time<T>(work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    match timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => {
            let words = "the database did not answer in time";
            Err(DbErr::Conn(RuntimeErr::Internal(words.into())))
        }
    }
}
