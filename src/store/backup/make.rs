//! Making a backup, while the database is served or not.

use std::{collections::BTreeMap, fs, path::Path};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, FromQueryResult};
use tokio::task::spawn_blocking;

use super::{
    digest,
    manifest::{self, Manifest},
    partial::{Partial, said},
    place,
    verify::{Holes, must_be_sound},
};
use crate::{
    clock::UnixMillis,
    config::DatabaseUrl,
    store::{
        connect,
        copy::{self, Source, Target, Use},
        failure, is_full,
        progress::{Progress, Report, Unit, watched},
        schema, sqlite, statement,
    },
};

#[derive(FromQueryResult)]
struct SizeRow {
    bytes: i64,
}

/// Makes a backup in the file `to`, of one snapshot of the database; whoever serves it goes on meanwhile. `made` is
/// the time. A backup that is there already is replaced once the new one is whole.
///
/// # Errors
/// A sentence for the operator. There is no new file then, and what was there is as it was.
pub async fn backup(
    from: &DatabaseUrl,
    to: &Path,
    made: UnixMillis,
    report: Report<'_>,
) -> Result<Manifest, String> {
    let is_there = to.exists();
    if is_there && !(to.is_file() && manifest::is_backup(to)) {
        return Err(format!(
            "there is already something in {}, which is no backup of Tertulia's: choose another name",
            to.display()
        ));
    }
    let partial = Partial::begin(to)?;
    match from {
        DatabaseUrl::Sqlite(file) => snapshot(file, &partial, report).await?,
        DatabaseUrl::Postgres(_) => {
            let source = Source::open(from, Use::Shared).await?;
            let target = Target::on_file(partial.path(), source.steps().await?).await?;
            copy::fill(&source, &target, &[], report).await?;
            close(target.commit().await?).await;
            source.close().await;
        }
    }
    if is_there {
        must_not_have_less(partial.path(), to).await?;
    }
    finish(partial, made, Holes::Refused).await
}

/// Refuses to put a copy in the place of a backup that holds more messages. A chat never has fewer than it had.
async fn must_not_have_less(copy: &Path, old: &Path) -> Result<(), String> {
    let (new, old_count) = (
        manifest::messages_in(copy).await?,
        manifest::messages_in(old).await?,
    );
    match new < old_count {
        true => Err(format!(
            "{} is a backup with {old_count} messages, and this would have {new}: it is of another chat, or of one that has \
             lost some. Choose another name",
            old.display()
        )),
        false => Ok(()),
    }
}

/// Copies a file of SQLite's as it is at this moment into a new one.
pub(super) async fn snapshot(file: &Path, to: &Partial, report: Report<'_>) -> Result<(), String> {
    if !file.exists() {
        return Err(format!("there is no file {}", file.display()));
    }
    place::must_be_no_backup(file)?;
    let db = connect(sqlite::options(file, 1, None)).await?;
    let copied = vacuum(&db, file, to.path(), report).await;
    close(db).await;
    copied
}

async fn vacuum(
    db: &DatabaseConnection,
    file: &Path,
    to: &Path,
    report: Report<'_>,
) -> Result<(), String> {
    schema::steps(db).await?;
    let of = size(db).await.map_err(not_copied)?;
    // Whatever else it begins with, SQLite might take the name for a URL.
    let to = std::path::absolute(to).map_err(|err| said(&err))?;
    let name = to.to_str().ok_or("the name of the file must be UTF-8")?;
    let sql = format!("VACUUM INTO '{}'", name.replace('\'', "''"));
    let what = file.file_name().unwrap_or_default().to_string_lossy();
    let state = |done| Progress {
        what: what.clone().into_owned(),
        done,
        of,
        unit: Unit::Bytes,
    };
    let look = || {
        let done = fs::metadata(&to).map_or(0, |it| it.len());
        report(&state(done.min(of)));
    };
    watched(db.execute_unprepared(&sql), look)
        .await
        .map_err(not_copied)?;
    report(&state(of));
    Ok(())
}

/// Checks the copy, writes into it what it is, and gives it its name.
pub(super) async fn finish(
    partial: Partial,
    made: UnixMillis,
    holes: Holes,
) -> Result<Manifest, String> {
    let db = connect(sqlite::preliminary(partial.path())).await?;
    let placeholder = digest::placeholder();
    let described = describe(&db, (made, holes), &placeholder).await;
    close(db).await;
    let manifest = described?;
    spawn_blocking(move || {
        let sealed = digest::seal(partial.path(), &placeholder);
        sealed.map_err(|err| format!("cannot write the backup: {}", said(&err)))?;
        partial.keep()
    })
    .await
    .map_err(|err| format!("cannot write the backup: {err}"))??;
    Ok(manifest)
}

async fn describe(
    db: &DatabaseConnection,
    (made, holes): (UnixMillis, Holes),
    placeholder: &str,
) -> Result<Manifest, String> {
    let steps = schema::steps(db).await?;
    let step = steps.last.ok_or("there is no chat in the database")?;
    must_be_sound(db, holes).await?;
    let rows = count_all(db).await.map_err(not_copied)?;
    let manifest = Manifest::new(made, step, rows);
    manifest.write(db, placeholder).await.map_err(not_copied)?;
    Ok(manifest)
}

/// How many rows each table has.
pub(super) async fn count_all(db: &DatabaseConnection) -> Result<BTreeMap<String, u64>, DbErr> {
    let mut rows = BTreeMap::new();
    for table in copy::tables_of(db).await? {
        let count = copy::count(db, &table.name).await?;
        rows.insert(table.name, count.unsigned_abs());
    }
    Ok(rows)
}

/// How many bytes a file of SQLite's holds, without what is free in it.
pub(super) async fn size(db: &DatabaseConnection) -> Result<u64, DbErr> {
    let sql = "SELECT (pages.page_count - free.freelist_count) * page.page_size AS bytes \
        FROM pragma_page_count AS pages, pragma_freelist_count AS free, pragma_page_size AS page";
    let size = SizeRow::find_by_statement(statement(db, sql, []));
    let size = size.one(db).await?;
    Ok(size.map_or(0, |row| row.bytes.unsigned_abs()))
}

/// Lets go of it; what was committed is in the file, so a failure costs nothing.
pub(super) async fn close(db: DatabaseConnection) {
    if let Err(err) = db.close().await {
        tracing::warn!(error = %err, "a connection did not close cleanly");
    }
}

pub(super) fn not_copied(err: DbErr) -> String {
    match is_full(&err) {
        true => "the disk is full. Nothing was kept".into(),
        false => format!("cannot copy the database: {}", failure(err)),
    }
}
