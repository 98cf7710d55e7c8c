//! The database that is written: empty at first, all in one transaction, checked before it is committed.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, FromQueryResult,
    TransactionTrait, Value,
};

use super::{Progress, source, tables::Table, unwritable};
use crate::{
    config::DatabaseUrl,
    store::{not_opened, postgres, schema, sqlite, statement},
};

/// How many values one statement takes: SQLite has room for 32,766.
const VALUES: usize = 30_000;

/// A transaction in which everything is written.
pub(super) struct Target {
    tx: DatabaseTransaction,
    db: DatabaseConnection,
}

#[derive(FromQueryResult)]
struct CounterRow {
    table_name: String,
    column_name: String,
}

/// Columns that count by themselves.
const COUNTERS: &str = "\
SELECT CAST(table_name AS TEXT) AS table_name, CAST(column_name AS TEXT) AS column_name FROM information_schema.columns
WHERE table_schema = current_schema() AND pg_get_serial_sequence(quote_ident(table_name), column_name) IS NOT NULL";

impl Target {
    /// Opens a database and makes its tables; nodes that start meanwhile wait, and are refused after a minute.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, String> {
        let db = match url {
            DatabaseUrl::Sqlite(file) => {
                let db = sqlite::open(file, Default::default()).await?;
                schema::bring_file_up_to_date(&db, file).await?;
                db
            }
            DatabaseUrl::Postgres(url) => {
                postgres::reach(url, Duration::ZERO).await?;
                let db = Database::connect(postgres::plain(url, 1)).await;
                let db = db.map_err(not_opened)?;
                source::nobody_else_may_serve(&db).await?;
                schema::lock(&db).await?;
                schema::bring_up_to_date(&db).await?;
                db
            }
        };
        let tx = db.begin().await.map_err(unwritable)?;
        Ok(Self { tx, db })
    }

    /// What can be asked.
    pub fn db(&self) -> &DatabaseTransaction {
        &self.tx
    }

    /// Refuses a database in which there is anything.
    pub async fn must_be_empty(&self, tables: &[Table]) -> Result<(), String> {
        for table in tables {
            let rows = source::count(&self.tx, &table.name).await;
            if rows.map_err(unwritable)? > 0 {
                return Err(format!(
                    "the new database is not empty: there is something in {}. Nothing was changed",
                    table.name
                ));
            }
        }
        Ok(())
    }

    /// Writes rows, each with its values in the order of the columns.
    pub async fn insert(&self, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), String> {
        let width = table.columns.len();
        for rows in rows.chunks((VALUES / width).max(1)) {
            let row = |n: usize| {
                let places: Vec<_> = (1..=width)
                    .map(|at| format!("${}", n * width + at))
                    .collect();
                format!("({})", places.join(", "))
            };
            let places: Vec<_> = (0..rows.len()).map(row).collect();
            let sql = format!(
                "INSERT INTO \"{}\" ({}) VALUES {}",
                table.name,
                table.list(),
                places.join(", ")
            );
            let values = rows.iter().flatten().cloned();
            let inserted = self.tx.execute_raw(statement(&self.tx, &sql, values)).await;
            inserted.map_err(unwritable)?;
        }
        Ok(())
    }

    /// Lets PostgreSQL's counters go on behind what was copied; SQLite's do so by themselves.
    pub async fn continue_counting(&self, tables: &[Table]) -> Result<(), String> {
        if self.tx.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let counters = CounterRow::find_by_statement(statement(&self.tx, COUNTERS, []));
        for counter in counters.all(&self.tx).await.map_err(unwritable)? {
            let (table, column) = (&counter.table_name, &counter.column_name);
            if tables.iter().any(|it| it.name == *table) {
                let sql = format!(
                    "SELECT setval(pg_get_serial_sequence('\"{table}\"', '{column}'), \
                     COALESCE(MAX(\"{column}\"), 1), MAX(\"{column}\") IS NOT NULL) FROM \"{table}\""
                );
                let set = self.tx.execute_unprepared(&sql).await;
                set.map_err(unwritable)?;
            }
        }
        Ok(())
    }

    /// Refuses a copy with another number of rows.
    pub async fn must_have(&self, state: &Progress) -> Result<(), String> {
        let rows = source::count(&self.tx, &state.table).await;
        let rows = rows.map_err(unwritable)?.unsigned_abs();
        match rows == state.of && rows == state.rows {
            true => Ok(()),
            false => Err(format!(
                "{} has {rows} rows in the new database and {} in the old one. Nothing was kept",
                state.table, state.of
            )),
        }
    }

    /// Keeps everything.
    pub async fn commit(self) -> Result<(), String> {
        self.tx.commit().await.map_err(unwritable)?;
        if let Err(err) = self.db.close().await {
            tracing::warn!(error = %err, "the new database did not close cleanly");
        }
        Ok(())
    }
}
