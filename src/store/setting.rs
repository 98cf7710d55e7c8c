//! What the administrator set for everyone: texts by name.

use sea_orm::{ConnectionTrait, FromQueryResult};

use super::{Store, failure, statement};
use crate::error::{Error, Result};

/// Under which setting the house has its name.
const HOUSE: &str = "house";

#[derive(FromQueryResult)]
struct SettingRow {
    value: String,
}

impl Store {
    /// What was set under this name, if anything was.
    pub async fn find_setting(&self, name: &str) -> Result<Option<String>> {
        let sql = "SELECT value FROM settings WHERE name = $1";
        let found = SettingRow::find_by_statement(statement(&self.read, sql, [name.into()]))
            .one(&self.read)
            .await
            .map_err(failure)?;
        Ok(found.map(|row| row.value))
    }

    /// The name under which this database's nodes know each other: made once, by whoever comes first.
    pub async fn house(&self) -> Result<String> {
        let sql =
            "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        let name = format!("{:016x}", rand::random::<u64>());
        self.write
            .execute_raw(statement(&self.write, sql, [HOUSE.into(), name.into()]))
            .await
            .map_err(failure)?;
        let name = self.find_setting(HOUSE).await?;
        name.ok_or_else(|| Error::Internal("the house has lost its name".into()))
    }

    /// Sets `name` to `value`.
    pub async fn put_setting(&self, name: &str, value: &str) -> Result<()> {
        let sql = "INSERT INTO settings (name, value) VALUES ($1, $2) \
            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.write
            .execute_raw(statement(&self.write, sql, [name.into(), value.into()]))
            .await
            .map_err(failure)?;
        Ok(())
    }
}
