//! A transaction that writes, and what becomes of it noted.

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};

use super::health::Health;

/// A transaction on a connection that writes. Dropping it takes it back.
#[derive(Debug)]
pub(super) struct Transaction {
    tx: DatabaseTransaction,
    health: Health,
}

impl Transaction {
    /// A transaction that has just begun.
    pub fn new(tx: DatabaseTransaction, health: Health) -> Self {
        Self { tx, health }
    }

    /// Puts it on the disk.
    pub async fn commit(self) -> Result<(), DbErr> {
        let done = self.tx.commit().await;
        match &done {
            Ok(()) => self.health.wrote(),
            Err(err) => self.health.note_failure(err),
        }
        done
    }

    fn noted<T>(&self, done: Result<T, DbErr>) -> Result<T, DbErr> {
        done.inspect_err(|err| self.health.note_failure(err))
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.tx.get_database_backend()
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        self.noted(self.tx.execute_raw(stmt).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.noted(self.tx.execute_unprepared(sql).await)
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.noted(self.tx.query_one_raw(stmt).await)
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.noted(self.tx.query_all_raw(stmt).await)
    }
}
