//! Tables that are half made: until steps were taken as a whole, a process that died in the middle of one on SQLite left
//! some of it behind, without a row in the log, and every later start ran into it.
//!
//! Nobody has been served with such tables, so what goes beyond the steps in the log is empty and can go. What those
//! steps make is read from a database in memory that takes them.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, FromQueryResult,
};

use super::{not_done, take_steps, taken};
use crate::store::{quiet, statement};

/// Tables with their columns; indexes with how they are made.
#[derive(Debug, Default)]
struct Shape {
    tables: BTreeMap<String, BTreeSet<String>>,
    indexes: BTreeMap<String, String>,
}

#[derive(FromQueryResult)]
struct ColumnRow {
    table_name: String,
    column_name: String,
}

#[derive(FromQueryResult)]
struct IndexRow {
    name: String,
    sql: String,
}

#[derive(FromQueryResult)]
struct Any {
    is_there: bool,
}

/// Takes back what goes beyond the steps in the log, and returns how many tables that were.
///
/// # Errors
/// A sentence for the operator: there is something in it, or the tables are of another program. Nothing was changed.
pub(super) async fn undo(tx: &DatabaseTransaction) -> Result<usize, String> {
    if tx.get_database_backend() != DbBackend::Sqlite {
        return Ok(0);
    }
    let steps = taken(tx).await.map_err(not_done)?.len();
    let (due, all) = (made_by(Some(steps)).await?, made_by(None).await?);
    let found = Shape::of(tx).await.map_err(not_done)?;
    let undone = [
        drop_tables(tx, &found, &due, &all).await?,
        drop_columns(tx, &found, &due, &all).await?,
    ];
    make_indexes(tx, &due).await.map_err(not_done)?;
    let undone = undone.into_iter().flatten();
    Ok(undone.collect::<BTreeSet<_>>().len())
}

/// What the first so many steps make, or all.
async fn made_by(steps: Option<usize>) -> Result<Shape, String> {
    let db = in_memory().await.map_err(not_done)?;
    let steps = steps.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let made = match steps {
        Some(0) => Ok(()),
        steps => take_steps(&db, steps).await,
    };
    made.map_err(not_done)?;
    Shape::of(&db).await.map_err(not_done)
}

async fn in_memory() -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new("sqlite::memory:");
    quiet(&mut options, 1);
    Database::connect(options).await
}

/// Tables of steps that are not in the log. One that has rows, or columns that we never made, is somebody's.
async fn drop_tables(
    tx: &DatabaseTransaction,
    found: &Shape,
    due: &Shape,
    all: &Shape,
) -> Result<Vec<String>, String> {
    let mut dropped = Vec::new();
    for (name, columns) in &found.tables {
        let Some(ours) = all
            .tables
            .get(name)
            .filter(|_| !due.tables.contains_key(name))
        else {
            continue;
        };
        let rows = format!("SELECT EXISTS (SELECT 1 FROM \"{name}\") AS is_there");
        let rows = Any::find_by_statement(statement(tx, &rows, []))
            .one(tx)
            .await;
        let has_rows = rows.map_err(not_done)?.is_some_and(|it| it.is_there);
        if has_rows || !columns.is_subset(ours) {
            return Err(format!(
                "the database has a table {name} that Tertulia has not made: it belongs to another program, or its log of \
                 steps (seaql_migrations) was lost. Nothing was changed: choose another file with --database, or restore \
                 a backup"
            ));
        }
        does(tx, &format!("DROP TABLE \"{name}\"")).await?;
        dropped.push(name.clone());
    }
    Ok(dropped)
}

/// Columns of steps that are not in the log, and first the indexes that may need them.
async fn drop_columns(
    tx: &DatabaseTransaction,
    found: &Shape,
    due: &Shape,
    all: &Shape,
) -> Result<Vec<String>, String> {
    for name in Shape::of(tx).await.map_err(not_done)?.indexes.keys() {
        let is_ours = all.indexes.contains_key(name) || due.indexes.contains_key(name);
        if is_ours && found.indexes.get(name) != due.indexes.get(name) {
            does(tx, &format!("DROP INDEX \"{name}\"")).await?;
        }
    }
    let mut changed = Vec::new();
    for (name, ours) in &due.tables {
        let later = all.tables.get(name).unwrap_or(ours);
        let columns = found.tables.get(name).into_iter().flatten();
        for column in columns.filter(|it| later.contains(*it) && !ours.contains(*it)) {
            does(
                tx,
                &format!("ALTER TABLE \"{name}\" DROP COLUMN \"{column}\""),
            )
            .await?;
            changed.push(name.clone());
        }
    }
    Ok(changed)
}

/// Indexes that a step in the log made and a half step dropped.
async fn make_indexes(tx: &DatabaseTransaction, due: &Shape) -> Result<(), DbErr> {
    let left = Shape::of(tx).await?;
    let missing = due.indexes.iter();
    for (_, sql) in missing.filter(|(name, _)| !left.indexes.contains_key(*name)) {
        tx.execute_unprepared(sql).await?;
    }
    Ok(())
}

async fn does(tx: &DatabaseTransaction, sql: &str) -> Result<(), String> {
    tx.execute_unprepared(sql).await.map_err(not_done)?;
    Ok(())
}

impl Shape {
    async fn of(db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let mut shape = Self::default();
        let rows = ColumnRow::find_by_statement(statement(db, COLUMNS, []));
        for row in rows.all(db).await? {
            let columns = shape.tables.entry(row.table_name).or_default();
            columns.insert(row.column_name);
        }
        let rows = IndexRow::find_by_statement(statement(db, INDEXES, []));
        let rows = rows.all(db).await?.into_iter();
        shape.indexes = rows.map(|row| (row.name, row.sql)).collect();
        Ok(shape)
    }
}

const COLUMNS: &str = "\
SELECT t.name AS table_name, c.name AS column_name FROM sqlite_master t JOIN pragma_table_info(t.name) c
WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name <> 'seaql_migrations'";

const INDEXES: &str =
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL";
