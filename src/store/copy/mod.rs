//! Everything from one database into another that is empty: what `tertulia move`, `backup` and `restore` do.
//!
//! The source is only read, in one snapshot. All that is written is one transaction, in SQLite's case in a file that has
//! another name until it is whole: whatever ends it early, the target is as before, and it can be done again. Knows the
//! tables by what the databases say of themselves, so that none can be forgotten. Knows no terminal: progress is told
//! to whoever asks.

use sea_orm::DbErr;

use super::{
    backup::{self, Partial},
    failure,
    progress::{Progress, Report, Unit},
};
use crate::config::DatabaseUrl;

mod numbers;
mod source;
mod tables;
mod target;

pub(super) use source::{Source, Use, count, must_be_at_rest};
pub(super) use tables::{Table, of as tables_of};
pub(super) use target::{Target, renew};

/// Copies everything from `from` to `to`; returns the last state of each table. The new database is another one to
/// pages and nodes that know the old.
///
/// # Errors
/// A sentence for the operator. The target is as it was before, apart from empty tables on a server.
pub async fn copy(
    from: &DatabaseUrl,
    to: &DatabaseUrl,
    report: Report<'_>,
) -> Result<Vec<Progress>, String> {
    if from == to {
        return Err("the two databases are the same".into());
    }
    if let DatabaseUrl::Sqlite(file) = from {
        backup::must_be_no_backup(file)?;
    }
    let source = Source::open(from, Use::Alone).await?;
    let steps = source.must_be_up_to_date().await?;
    let (done, partial) = match to {
        DatabaseUrl::Sqlite(file) => {
            let lock = backup::take(file)?;
            let partial = Partial::begin(file)?;
            let target = Target::on_file(partial.path(), steps).await?;
            (
                into(&source, target, &[], report).await?,
                Some((partial, file, lock)),
            )
        }
        DatabaseUrl::Postgres(url) => {
            let target = Target::on_server(url, steps).await?;
            (into(&source, target, &[], report).await?, None)
        }
    };
    source.close().await;
    if let Some((partial, file, _lock)) = partial {
        backup::clear(file)?;
        partial.keep()?;
    }
    Ok(done)
}

/// Copies all tables but those that are left out, compares, renews and commits.
async fn into(
    source: &Source,
    target: Target,
    left_out: &[&str],
    report: Report<'_>,
) -> Result<Vec<Progress>, String> {
    let done = fill(source, &target, left_out, report).await?;
    renew(target.db()).await.map_err(unwritable)?;
    target.commit().await?;
    Ok(done)
}

/// Copies all tables but those that are left out, and compares; nothing is committed yet.
pub(super) async fn fill(
    source: &Source,
    target: &Target,
    left_out: &[&str],
    report: Report<'_>,
) -> Result<Vec<Progress>, String> {
    let all = tables::of(source.db()).await.map_err(unreadable)?;
    if all != tables::of(target.db()).await.map_err(unreadable)? {
        return Err("the two databases do not have the same tables".into());
    }
    let indexes = target.without_indexes().await?;
    let mut done = Vec::new();
    let wanted = |table: &&Table| !left_out.contains(&table.name.as_str());
    for table in all.iter().filter(wanted) {
        done.push(copy_table(source, target, table, report).await?);
    }
    target.with_indexes(indexes).await?;
    target.continue_counting(&all).await?;
    for state in &done {
        target.must_have(state).await?;
    }
    numbers::must_be_right(source.db(), "the old database").await?;
    numbers::must_be_right(target.db(), "the new database").await?;
    numbers::must_agree(source.db(), target.db()).await?;
    Ok(done)
}

/// Writes a piece while the next one is read: they are two databases.
async fn copy_table(
    source: &Source,
    target: &Target,
    table: &Table,
    report: Report<'_>,
) -> Result<Progress, String> {
    let mut state = Progress {
        what: table.name.clone(),
        done: 0,
        of: source.count(table).await?,
        unit: Unit::Rows,
    };
    report(&state);
    let mut filling = target.fill(table);
    let mut reading = source.read(table).await?;
    let mut rows = reading.next().await?;
    while !rows.is_empty() {
        let many = rows.len() as u64;
        let (next, written) = tokio::join!(reading.next(), filling.write(rows));
        written?;
        rows = next?;
        state.done += many;
        report(&state);
    }
    Ok(state)
}

fn unreadable(err: DbErr) -> String {
    format!("cannot read the old database: {}", failure(err))
}

fn unwritable(err: DbErr) -> String {
    if super::is_full(&err) {
        return "the disk is full. Nothing was kept".into();
    }
    format!("cannot write to the new database: {}", failure(err))
}
