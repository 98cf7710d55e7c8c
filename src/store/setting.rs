//! What the administrator set for everyone: texts by name.

use sea_orm::{ConnectionTrait, FromQueryResult};

use super::{Store, failure, statement};
use crate::error::Result;

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
