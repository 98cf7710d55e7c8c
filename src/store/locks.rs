//! What SQLite's single writer gives for nothing and several nodes on one PostgreSQL server have to ask for.

use sea_orm::{ConnectionTrait, DbBackend};

use super::{Transaction, failure, statement};
use crate::{error::Result, ids::UserId};

/// The lock under which accounts are made and get other roles: `sign up` in ASCII.
const ACCOUNTS: i64 = 0x7369_676e_2075_7000;

/// From here to the end of the transaction nobody else makes an account or changes a role: of two who are the first,
/// one is; of two administrators who leave, one stays.
pub(super) async fn accounts(tx: &Transaction) -> Result<()> {
    lock(tx, "SELECT pg_advisory_xact_lock($1)", ACCOUNTS).await
}

/// From here to the end of the transaction nothing happens in the rooms that `user` is or may come into: what is
/// posted, read and joined there sees what they let others see either as it was or as it will be. The writer locks
/// rooms in the same order.
pub(super) async fn rooms_of(tx: &Transaction, user: UserId) -> Result<()> {
    let sql = "SELECT id FROM rooms WHERE kind = 'public' OR low_user_id = $1 OR high_user_id = $1 \
        ORDER BY id FOR UPDATE";
    lock(tx, sql, user.0).await
}

async fn lock(tx: &Transaction, sql: &str, value: i64) -> Result<()> {
    if tx.get_database_backend() == DbBackend::Postgres {
        let locked = tx.execute_raw(statement(tx, sql, [value.into()])).await;
        locked.map_err(failure)?;
    }
    Ok(())
}
