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

/// How long an answer is waited for: longer than the server itself lets a statement run.
const PATIENCE: Duration = Duration::from_secs(6);

/// Connections, each statement on which is answered in time or given up. What a transaction does is not timed here.
#[derive(Debug, Clone)]
pub(super) struct Line(DatabaseConnection);

impl Line {
    /// A line over these connections.
    pub fn new(connections: DatabaseConnection) -> Self {
        Self(connections)
    }

    /// Begins a transaction that writes. On SQLite it waits for its turn here: one that only reads at first is refused
    /// when another process (a command of the operator's) writes before it does.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let is_sqlite = self.get_database_backend() == DbBackend::Sqlite;
        let options = TransactionOptions {
            sqlite_transaction_mode: is_sqlite.then_some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        in_time(self.0.begin_with_options(options)).await
    }

    /// Closes all connections.
    pub async fn close(self) -> Result<(), DbErr> {
        self.0.close().await
    }
}

#[async_trait]
impl ConnectionTrait for Line {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        in_time(self.0.execute_raw(stmt)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        in_time(self.0.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        in_time(self.0.query_one_raw(stmt)).await
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        in_time(self.0.query_all_raw(stmt)).await
    }
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
