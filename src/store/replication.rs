//! Whether a failover of PostgreSQL would lose anything that was acknowledged.

use sea_orm::FromQueryResult;

use super::{Store, failure, statement};
use crate::{error::Result, records::Replication};

#[derive(FromQueryResult)]
struct ReplicationRow {
    is_standby: bool,
    standbys: i64,
    is_synchronous: bool,
}

impl Store {
    /// What the server has behind it; nothing where a file is the database.
    pub async fn replication(&self) -> Result<Option<Replication>> {
        if !self.is_shared() {
            return Ok(None);
        }
        // Who may not look into pg_stat_replication sees how many there are, and not their state.
        let sql = "SELECT pg_is_in_recovery() AS is_standby, \
            (SELECT COUNT(*) FROM pg_stat_replication WHERE COALESCE(state, 'streaming') = 'streaming') AS standbys, \
            current_setting('synchronous_standby_names') <> '' \
            AND current_setting('synchronous_commit') NOT IN ('off', 'local') AS is_synchronous";
        let found = ReplicationRow::find_by_statement(statement(&self.write, sql, []));
        let found = found.one(&self.write).await.map_err(failure)?;
        Ok(found.map(|row| Replication {
            is_standby: row.is_standby,
            standbys: row.standbys,
            is_synchronous: row.is_synchronous,
        }))
    }
}
