//! The database that is written: empty at first, all in one transaction, checked before it is committed.

use std::{path::Path, time::Duration};

use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    FromQueryResult, Statement, TransactionTrait, Value,
};

use super::{source, tables::Table, unwritable};
use crate::store::{connect, not_opened, postgres, progress::Progress, schema, sqlite, statement};

/// How many rows one statement takes, on SQLite and on PostgreSQL: always as many but for a table's end, so that it is
/// prepared once. SQLite is in this process, so small ones cost nothing; each takes a round trip to a server.
const ROWS: (usize, usize) = (50, 250);

/// A transaction in which everything is written.
pub(in crate::store) struct Target {
    tx: DatabaseTransaction,
    db: DatabaseConnection,
}

/// One table, to which rows are written.
pub(in crate::store) struct Filling<'a> {
    target: &'a Target,
    table: &'a Table,
    /// How many rows a statement takes, and the statement for as many.
    rows: usize,
    usual: String,
}

#[derive(FromQueryResult)]
struct CounterRow {
    table_name: String,
    column_name: String,
}

#[derive(FromQueryResult)]
struct IndexRow {
    name: String,
    sql: String,
}

/// Columns that count by themselves.
const COUNTERS: &str = "\
SELECT CAST(table_name AS TEXT) AS table_name, CAST(column_name AS TEXT) AS column_name FROM information_schema.columns
WHERE table_schema = current_schema() AND pg_get_serial_sequence(quote_ident(table_name), column_name) IS NOT NULL";

impl Target {
    /// Makes the tables in a new file, as they are after so many steps. The file is worth nothing if this ends early.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn on_file(file: &Path, steps: u32) -> Result<Self, String> {
        let db = connect(sqlite::preliminary(file)).await?;
        schema::make_tables(&db, steps).await?;
        Self::begin(db).await
    }

    /// Makes the tables on a server, as they are after so many steps; nodes that start meanwhile wait, and are refused
    /// after a minute.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn on_server(url: &str, steps: u32) -> Result<Self, String> {
        postgres::reach(url, Duration::ZERO).await?;
        let db = Database::connect(postgres::plain(url, 1)).await;
        let db = db.map_err(not_opened)?;
        source::nobody_else_may_serve(&db).await?;
        schema::lock(&db).await?;
        must_be_empty(&db, &super::tables::of(&db).await.map_err(unwritable)?).await?;
        schema::make_tables(&db, steps).await?;
        let target = Self::begin(db).await?;
        target.clear_leftovers().await?;
        Ok(target)
    }

    /// Deletes what a server that was started here once has left before anybody had an account.
    async fn clear_leftovers(&self) -> Result<(), String> {
        let tables = super::tables::of(&self.tx).await.map_err(unwritable)?;
        for table in tables.iter().filter(|it| is_leftover(it)) {
            let sql = format!("DELETE FROM \"{}\"", table.name);
            let deleted = self.tx.execute_unprepared(&sql).await;
            deleted.map_err(unwritable)?;
        }
        Ok(())
    }

    async fn begin(db: DatabaseConnection) -> Result<Self, String> {
        let tx = db.begin().await.map_err(unwritable)?;
        Ok(Self { tx, db })
    }

    /// What can be asked.
    pub fn db(&self) -> &DatabaseTransaction {
        &self.tx
    }

    /// Begins to write to a table.
    pub fn fill<'a>(&'a self, table: &'a Table) -> Filling<'a> {
        let backend = self.tx.get_database_backend();
        let rows = match backend {
            DbBackend::Postgres => ROWS.1,
            _ => ROWS.0,
        };
        Filling {
            target: self,
            table,
            rows,
            usual: insert(backend, table, rows),
        }
    }

    /// Takes away the indexes of a file, which are made faster over all rows than with each. Returns how to make them.
    pub async fn without_indexes(&self) -> Result<Vec<String>, String> {
        if self.tx.get_database_backend() != DbBackend::Sqlite {
            return Ok(Vec::new());
        }
        let sql = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL";
        let indexes = IndexRow::find_by_statement(statement(&self.tx, sql, []));
        let indexes = indexes.all(&self.tx).await.map_err(unwritable)?;
        for index in &indexes {
            let drop = format!("DROP INDEX \"{}\"", index.name);
            self.tx
                .execute_unprepared(&drop)
                .await
                .map_err(unwritable)?;
        }
        Ok(indexes.into_iter().map(|index| index.sql).collect())
    }

    /// Makes them again.
    pub async fn with_indexes(&self, indexes: Vec<String>) -> Result<(), String> {
        for sql in indexes {
            self.tx.execute_unprepared(&sql).await.map_err(unwritable)?;
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
        let rows = source::count(&self.tx, &state.what).await;
        let rows = rows.map_err(unwritable)?.unsigned_abs();
        match rows == state.of && rows == state.done {
            true => Ok(()),
            false => Err(format!(
                "{} has {rows} rows in the new database and {} in the old one. Nothing was kept",
                state.what, state.of
            )),
        }
    }

    /// Keeps everything; the connection can still be used.
    pub async fn commit(self) -> Result<DatabaseConnection, String> {
        self.tx.commit().await.map_err(unwritable)?;
        Ok(self.db)
    }
}

impl Filling<'_> {
    /// Writes rows, each with its values in the order of the columns.
    pub async fn write(&mut self, rows: Vec<Vec<Value>>) -> Result<(), String> {
        let tx = &self.target.tx;
        let backend = tx.get_database_backend();
        let mut rows = rows.into_iter();
        loop {
            let some: Vec<_> = rows.by_ref().take(self.rows).collect();
            let sql = match some.len() {
                0 => return Ok(()),
                many if many == self.rows => self.usual.clone(),
                fewer => insert(backend, self.table, fewer),
            };
            let values = some.into_iter().flatten();
            let row = Statement::from_sql_and_values(backend, sql, values);
            tx.execute_raw(row).await.map_err(unwritable)?;
        }
    }
}

/// Whether a server fills this table before anybody has an account: its own names, and codes for the first account.
fn is_leftover(table: &Table) -> bool {
    matches!(
        table.name.as_str(),
        "settings" | "one_time_links" | "sessions"
    )
}

/// Refuses a database in which there is anything of people's.
async fn must_be_empty(db: &impl ConnectionTrait, tables: &[Table]) -> Result<(), String> {
    for table in tables.iter().filter(|it| !is_leftover(it)) {
        let rows = source::count(db, &table.name).await;
        if rows.map_err(unwritable)? > 0 {
            return Err(format!(
                "the new database is not empty: there is something in {}. Nothing was changed",
                table.name
            ));
        }
    }
    Ok(())
}

/// Makes the database another one to pages and nodes that know the old: what they remember of it is worth nothing.
pub(in crate::store) async fn renew(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    let all = super::tables::of(db).await?;
    if !all.iter().any(|table| table.name == "settings") {
        return Ok(());
    }
    let sql = "INSERT INTO settings (name, value) VALUES ('incarnation', $1) \
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    let name = format!("{:016x}", rand::random::<u64>());
    db.execute_raw(statement(db, sql, [name.into()])).await?;
    // Nodes of the old database may go on, joined by a Redis that both have: the name by which they know each other is
    // made anew by whoever serves this one first.
    db.execute_unprepared("DELETE FROM settings WHERE name = 'house'")
        .await?;
    Ok(())
}

/// A statement that inserts so many rows. SQLite looks for a place that has a name among all others, once to parse and
/// once more to bind it, so its places have none.
fn insert(backend: DbBackend, table: &Table, rows: usize) -> String {
    let width = table.columns.len();
    let place = |at: usize| match backend {
        DbBackend::Postgres => format!("${at}"),
        _ => "?".to_owned(),
    };
    let row = |n: usize| {
        let places: Vec<_> = (1..=width).map(|at| place(n * width + at)).collect();
        format!("({})", places.join(", "))
    };
    let places: Vec<_> = (0..rows).map(row).collect();
    format!(
        "INSERT INTO \"{}\" ({}) VALUES {}",
        table.name,
        table.list(),
        places.join(", ")
    )
}
