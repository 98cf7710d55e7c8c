//! The database that is read: one snapshot of it, in pieces, and whether somebody is writing to it meanwhile.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, process, time::Duration};

use sea_orm::{
    AccessMode, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, FromQueryResult, IsolationLevel, QueryResult, TransactionTrait, Value,
};

use super::{
    tables::{Column, Kind, Table},
    unreadable,
};
use crate::{
    config::DatabaseUrl,
    store::{leftover, not_opened, postgres, schema, sqlite, statement},
};

/// How many rows are read at a time.
const PIECE: usize = 1000;

/// Who else may use a database while it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Use {
    /// Nobody: what is written meanwhile would be lost.
    Alone,
    /// Whoever serves it goes on: what is written meanwhile is not in the snapshot.
    Shared,
}

/// A snapshot of a database.
pub(in crate::store) struct Source {
    tx: DatabaseTransaction,
    db: DatabaseConnection,
}

/// The rows of one table, piece by piece.
pub(in crate::store) struct Reading<'a> {
    source: &'a Source,
    table: &'a Table,
    /// The last row that was read, as SQLite numbers them.
    last: i64,
}

#[derive(FromQueryResult)]
struct CountRow {
    rows: i64,
}

impl Source {
    /// Opens a database that exists, to read it.
    ///
    /// # Errors
    /// A sentence for the operator: it cannot be read, belongs to a newer version, or is in use and must not be.
    pub async fn open(url: &DatabaseUrl, by: Use) -> Result<Self, String> {
        let options = match url {
            DatabaseUrl::Sqlite(file) => {
                if !file.exists() {
                    return Err(format!("there is no file {}", file.display()));
                }
                sqlite::can_be_used(file)?;
                if by == Use::Alone {
                    leftover::check(file, leftover::PATIENCE).await?;
                }
                sqlite::options(file, 1, None)
            }
            DatabaseUrl::Postgres(url) => {
                postgres::reach(url, Duration::ZERO).await?;
                postgres::plain(url, 1)
            }
        };
        let db = Database::connect(options).await.map_err(not_opened)?;
        let is_postgres = db.get_database_backend() == DbBackend::Postgres;
        let isolation = is_postgres.then_some(IsolationLevel::RepeatableRead);
        let access = is_postgres.then_some(AccessMode::ReadOnly);
        let tx = db.begin_with_config(isolation, access).await;
        let source = Self {
            tx: tx.map_err(unreadable)?,
            db,
        };
        match url {
            DatabaseUrl::Sqlite(file) if by == Use::Alone => must_be_at_rest(file)?,
            DatabaseUrl::Sqlite(_) => {}
            DatabaseUrl::Postgres(_) => {
                take_time(&source.tx).await?;
                if by == Use::Alone {
                    nobody_else_may_serve(&source.tx).await?;
                }
            }
        }
        Ok(source)
    }

    /// How many steps its schema has taken.
    ///
    /// # Errors
    /// A sentence for the operator: it has taken steps that this program does not know, or none.
    pub async fn steps(&self) -> Result<u32, String> {
        let steps = schema::steps(&self.tx).await?;
        match steps.last {
            Some(_) => Ok(steps.count),
            None => Err("there is no chat in the old database".into()),
        }
    }

    /// The same, of a database that must have taken all.
    pub async fn must_be_up_to_date(&self) -> Result<u32, String> {
        let steps = self.steps().await?;
        match schema::is_up_to_date(&self.tx).await? {
            true => Ok(steps),
            false => Err(
                "the old database belongs to an older version of Tertulia: serve it once with this version, stop it, \
                 then move it"
                    .into(),
            ),
        }
    }

    /// What can be asked.
    pub fn db(&self) -> &DatabaseTransaction {
        &self.tx
    }

    /// How many rows a table has.
    pub async fn count(&self, table: &Table) -> Result<u64, String> {
        let rows = count(&self.tx, &table.name).await.map_err(unreadable)?;
        Ok(rows.unsigned_abs())
    }

    /// Begins to read a table.
    pub async fn read<'a>(&'a self, table: &'a Table) -> Result<Reading<'a>, String> {
        if self.tx.get_database_backend() == DbBackend::Postgres {
            let sql = format!(
                "DECLARE \"read_{0}\" CURSOR FOR SELECT {1}, CAST(0 AS BIGINT) AS row_number FROM \"{0}\"",
                table.name,
                table.list()
            );
            let declared = self.tx.execute_unprepared(&sql).await;
            declared.map_err(unreadable)?;
        }
        Ok(Reading {
            source: self,
            table,
            last: i64::MIN,
        })
    }

    /// Lets go of it.
    pub async fn close(self) {
        drop(self.tx);
        if let Err(err) = self.db.close().await {
            tracing::warn!(error = %err, "the old database did not close cleanly");
        }
    }
}

impl Reading<'_> {
    /// The next rows, each with its values in the order of the columns; none after the last.
    pub async fn next(&mut self) -> Result<Vec<Vec<Value>>, String> {
        let (tx, name) = (&self.source.tx, &self.table.name);
        let wanted = match tx.get_database_backend() {
            DbBackend::Postgres => {
                statement(tx, &format!("FETCH {PIECE} FROM \"read_{name}\""), [])
            }
            _ => {
                let sql = format!(
                    "SELECT {}, rowid AS row_number FROM \"{name}\" WHERE rowid > $1 ORDER BY rowid LIMIT {PIECE}",
                    self.table.list()
                );
                statement(tx, &sql, [self.last.into()])
            }
        };
        let rows = tx.query_all_raw(wanted).await.map_err(unreadable)?;
        if let Some(last) = rows.last() {
            self.last = last.try_get("", "row_number").map_err(unreadable)?;
        }
        let rows = rows.iter().map(|row| values(row, &self.table.columns));
        rows.collect::<Result<_, _>>().map_err(unreadable)
    }
}

fn values(row: &QueryResult, columns: &[Column]) -> Result<Vec<Value>, DbErr> {
    let value = |column: &Column| {
        let name = column.name.as_str();
        Ok(match column.kind {
            Kind::Number => row.try_get::<Option<i64>>("", name)?.into(),
            Kind::Text => row.try_get::<Option<String>>("", name)?.into(),
            Kind::Flag => row.try_get::<Option<bool>>("", name)?.into(),
        })
    };
    columns.iter().map(value).collect()
}

/// How many rows a table has.
pub(in crate::store) async fn count(db: &impl ConnectionTrait, table: &str) -> Result<i64, DbErr> {
    let sql = format!("SELECT COUNT(*) AS rows FROM \"{table}\"");
    let counted = CountRow::find_by_statement(statement(db, &sql, []));
    Ok(counted.one(db).await?.map_or(0, |row| row.rows))
}

/// Refuses a file of SQLite's that another process has open: what is written there from now on would be lost. SQLite
/// holds a lock on the index of the write-ahead log as long as a file is open, and Linux lists locks.
pub(in crate::store) fn must_be_at_rest(file: &Path) -> Result<(), String> {
    let mut index = file.as_os_str().to_owned();
    index.push("-shm");
    let (Ok(index), Ok(locks)) = (fs::metadata(index), fs::read_to_string("/proc/locks")) else {
        return Ok(());
    };
    let inode = format!(":{}", index.ino());
    let holders = locks.lines().filter_map(|line| {
        let mut words = line
            .split_whitespace()
            .skip_while(|word| !word.ends_with("READ") && !word.ends_with("WRITE"));
        let (_, holder, place) = (words.next()?, words.next()?, words.next()?);
        place.ends_with(&inode).then(|| holder.to_owned())
    });
    let ours = process::id().to_string();
    match holders.into_iter().find(|holder| *holder != ours) {
        Some(holder) => Err(format!(
            "{} is in use by process {holder}: stop it first, or what is written meanwhile is not moved",
            file.display()
        )),
        None => Ok(()),
    }
}

/// What the server is told of statements that may take too long is not meant for this.
async fn take_time(tx: &DatabaseTransaction) -> Result<(), String> {
    let sql = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
    let set = tx.execute_unprepared(sql).await;
    set.map(|_| ()).map_err(unreadable)
}

/// Refuses a database on a server that some node uses.
pub(super) async fn nobody_else_may_serve(db: &impl ConnectionTrait) -> Result<(), String> {
    let sql = "SELECT COUNT(*) AS rows FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name = 'tertulia' AND pid <> pg_backend_pid()";
    let nodes = CountRow::find_by_statement(statement(db, sql, []))
        .one(db)
        .await;
    match nodes.map_err(unreadable)?.map_or(0, |row| row.rows) {
        0 => Ok(()),
        _ => Err("a node uses this PostgreSQL database: stop all its nodes first".into()),
    }
}
