//! The database as a command opens it: beside a server that may be running, without making or changing its tables.

use std::{path::Path, time::Duration};

use super::{Store, backup, connect, health::Probe, not_opened, postgres, schema, sqlite};
use crate::config::DatabaseUrl;

impl Store {
    /// Opens a database that a server has made, one connection to write and one to read. On SQLite what the command
    /// writes waits for the server's transactions and the server's for it, a few seconds at most.
    ///
    /// # Errors
    /// A sentence for the operator: there is none, it cannot be opened, or it belongs to another version.
    pub async fn open_beside(url: &DatabaseUrl) -> Result<Self, String> {
        let marks = sqlite::WriterMarks::default();
        let (write, read) = match url {
            DatabaseUrl::Sqlite(file) => {
                must_be_there(file)?;
                backup::must_be_no_backup(file)?;
                let write = sqlite::open(file, marks.clone()).await?;
                (write, sqlite::options(file, 1, None))
            }
            DatabaseUrl::Postgres(url) => {
                postgres::reach(url, Duration::ZERO).await?;
                let suspicion = postgres::Suspicion::default();
                let options = || postgres::options(url, 1, &suspicion);
                (connect(options()).await?, options())
            }
        };
        if !schema::is_up_to_date(&write).await? {
            return Err(
                "this database has not been brought up to date by this version of Tertulia: start the server once, \
                 then try again. Nothing was changed"
                    .into(),
            );
        }
        let read = connect(read).await?;
        let store = Self::over((write, read), Probe::default(), marks, None);
        store.begin_stamps().await.map_err(not_opened)?;
        Ok(store)
    }
}

/// A command makes no database: it would be another than the one that is meant.
fn must_be_there(file: &Path) -> Result<(), String> {
    match file.try_exists() {
        Ok(false) => Err(format!(
            "there is no database {}: start the server once, or name the place that it was given with --data or \
             --database",
            file.display()
        )),
        Ok(true) | Err(_) => Ok(()),
    }
}
