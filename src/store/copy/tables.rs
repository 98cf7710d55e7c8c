//! The tables of a database, as it describes itself: the same for SQLite and PostgreSQL.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult};

use crate::store::statement;

/// A table; equal ones can be copied into each other.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Table {
    pub name: String,
    pub columns: Vec<Column>,
}

/// A column, by name.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Column {
    pub name: String,
    pub kind: Kind,
}

/// What stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    Number,
    Text,
    /// Yes or no.
    Flag,
}

#[derive(FromQueryResult)]
struct ColumnRow {
    table_name: String,
    column_name: String,
    data_type: String,
}

const SQLITE: &str = "\
SELECT t.name AS table_name, c.name AS column_name, LOWER(c.type) AS data_type
FROM sqlite_master t JOIN pragma_table_info(t.name) c
WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT IN ('seaql_migrations', 'backup')
ORDER BY t.name, c.name";

const POSTGRES: &str = "\
SELECT CAST(table_name AS TEXT) AS table_name, CAST(column_name AS TEXT) AS column_name, CAST(data_type AS TEXT) AS data_type
FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name <> 'seaql_migrations'
ORDER BY CAST(table_name AS TEXT) COLLATE \"C\", CAST(column_name AS TEXT) COLLATE \"C\"";

/// All tables but the one that says how they were made and the one that backups have, in the order of their names.
pub(in crate::store) async fn of(db: &impl ConnectionTrait) -> Result<Vec<Table>, DbErr> {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => POSTGRES,
        _ => SQLITE,
    };
    let rows = ColumnRow::find_by_statement(statement(db, sql, []))
        .all(db)
        .await?;
    let mut tables: Vec<Table> = Vec::new();
    for row in rows {
        if tables.last().is_none_or(|it| it.name != row.table_name) {
            tables.push(Table {
                name: row.table_name.clone(),
                columns: Vec::new(),
            });
        }
        if let Some(table) = tables.last_mut() {
            table.columns.push(Column {
                kind: kind(&row)?,
                name: row.column_name,
            });
        }
    }
    Ok(tables)
}

fn kind(row: &ColumnRow) -> Result<Kind, DbErr> {
    let it = row.data_type.as_str();
    if it.contains("bool") {
        Ok(Kind::Flag)
    } else if it.contains("int") {
        Ok(Kind::Number)
    } else if it.contains("text") || it.contains("char") {
        Ok(Kind::Text)
    } else {
        let words = format!(
            "{}.{} is of a kind unknown here: {it}",
            row.table_name, row.column_name
        );
        Err(DbErr::Custom(words))
    }
}

impl Table {
    /// The names of the columns, as a list in SQL.
    pub fn list(&self) -> String {
        let names: Vec<_> = self
            .columns
            .iter()
            .map(|it| format!("\"{}\"", it.name))
            .collect();
        names.join(", ")
    }
}
