//! Databases that earlier versions wrote, and what is in them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::support::postgres;

/// Databases by the last step that they have taken.
pub const GOLDEN: [u32; 3] = [1, 2, 3];

/// A golden database in a directory of its own, and what is in it.
pub async fn golden(data: &Path, step: u32) -> Vec<String> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packed = home.join(format!("tests/it/golden/step{step}.db.gz"));
    let packed = fs::File::open(packed).expect("it is kept");
    let mut bytes = Vec::new();
    GzDecoder::new(packed)
        .read_to_end(&mut bytes)
        .expect("it is whole");
    let file = data.join("tertulia.db");
    fs::write(&file, bytes).expect("there is room");
    facts(&file, &tables(&file).await).await
}

pub fn file(data: &Path) -> PathBuf {
    data.join("tertulia.db")
}

pub async fn open(file: &Path) -> DatabaseConnection {
    postgres::open(&format!("sqlite://{}", file.display())).await
}

/// The first column of each row.
pub async fn texts(database: &DatabaseConnection, sql: &str) -> Vec<String> {
    let query = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(query).await;
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let text = |row: &sea_orm::QueryResult| row.try_get_by_index::<String>(0).expect("text");
    rows.iter().map(text).collect()
}

/// Tables with their columns, but for the log of steps.
pub async fn tables(file: &Path) -> BTreeMap<String, Vec<String>> {
    let database = open(file).await;
    let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' \
        AND name <> 'seaql_migrations' ORDER BY name";
    let mut tables = BTreeMap::new();
    for table in texts(&database, names).await {
        let columns = format!("SELECT name FROM pragma_table_info('{table}') ORDER BY name");
        let columns = texts(&database, &columns).await;
        tables.insert(table, columns);
    }
    database.close().await.expect("it was open");
    tables
}

/// All that stands in these columns of these tables.
pub async fn facts(file: &Path, tables: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let database = open(file).await;
    let mut all = Vec::new();
    for (table, columns) in tables {
        let columns: Vec<_> = columns
            .iter()
            .map(|name| format!("quote({name})"))
            .collect();
        let row = columns.join(" || ',' || ");
        let rows = texts(&database, &format!("SELECT {row} FROM {table} ORDER BY 1")).await;
        assert!(!rows.is_empty(), "nothing in {table} would prove nothing");
        all.extend(rows.iter().map(|row| format!("{table}: {row}")));
    }
    database.close().await.expect("it was open");
    all
}

/// Everything is there as it was, and nothing else but settings of the program's own.
pub async fn is_kept(before: &[String], file: &Path, old: &BTreeMap<String, Vec<String>>) {
    let mut after = facts(file, old).await;
    let is_new = |row: &mut String| row.starts_with("settings: ") && !before.contains(row);
    after.extract_if(.., is_new).for_each(drop);
    assert_eq!(after, before);
}

pub fn url(data: &Path) -> String {
    format!("sqlite://{}", file(data).display())
}

/// How all tables and indexes are made.
pub async fn shape(file: &Path) -> Vec<String> {
    let database = open(file).await;
    let all = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name";
    let all = texts(&database, all).await;
    database.close().await.expect("it was open");
    all
}
