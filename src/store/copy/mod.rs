//! Everything from one database into another that is empty: what `tertulia move` does.
//!
//! The source is only read, in one snapshot. All that is written is one transaction: whatever ends it early, the target
//! is empty as before, and it can be done again. Knows the tables by what the databases say of themselves, so that
//! none can be forgotten. Knows no terminal: progress is told to whoever asks.

use sea_orm::{DatabaseConnection, DbErr};

use super::{failure, schema};
use crate::config::DatabaseUrl;

mod numbers;
mod source;
mod tables;
mod target;

use source::Source;
use tables::Table;
use target::Target;

/// How far it has come with one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The table.
    pub table: String,
    /// How many rows have been copied.
    pub rows: u64,
    /// How many there are.
    pub of: u64,
}

/// Copies everything from `from` to `to`; returns the last state of each table.
///
/// # Errors
/// A sentence for the operator. The target is as it was before, apart from empty tables.
pub async fn copy(
    from: &DatabaseUrl,
    to: &DatabaseUrl,
    progress: impl Fn(&Progress),
) -> Result<Vec<Progress>, String> {
    if from == to {
        return Err("the two databases are the same".into());
    }
    let source = Source::open(from).await?;
    let target = Target::open(to).await?;
    let all = tables::of(source.db()).await.map_err(unreadable)?;
    if all != tables::of(target.db()).await.map_err(unreadable)? {
        return Err("the two databases do not have the same tables".into());
    }
    target.must_be_empty(&all).await?;
    let mut done = Vec::new();
    for table in &all {
        done.push(copy_table(&source, &target, table, &progress).await?);
    }
    target.continue_counting(&all).await?;
    for state in &done {
        target.must_have(state).await?;
    }
    numbers::must_be_right(source.db(), "the old database").await?;
    numbers::must_be_right(target.db(), "the new database").await?;
    numbers::must_agree(source.db(), target.db()).await?;
    target.commit().await?;
    source.close().await;
    Ok(done)
}

async fn copy_table(
    source: &Source,
    target: &Target,
    table: &Table,
    progress: &impl Fn(&Progress),
) -> Result<Progress, String> {
    let mut state = Progress {
        table: table.name.clone(),
        rows: 0,
        of: source.count(table).await?,
    };
    progress(&state);
    let mut reading = source.read(table).await?;
    loop {
        let rows = reading.next().await?;
        if rows.is_empty() {
            return Ok(state);
        }
        state.rows += rows.len() as u64;
        target.insert(table, rows).await?;
        progress(&state);
    }
}

/// Refuses a database whose tables are not those of this program.
async fn must_be_up_to_date(db: &DatabaseConnection) -> Result<(), String> {
    match schema::is_up_to_date(db).await? {
        true => Ok(()),
        false => Err(
            "the old database belongs to an older version of Tertulia: serve it once with this version, stop it, \
             then move it"
                .into(),
        ),
    }
}

fn unreadable(err: DbErr) -> String {
    format!("cannot read the old database: {}", failure(err))
}

fn unwritable(err: DbErr) -> String {
    format!("cannot write to the new database: {}", failure(err))
}
