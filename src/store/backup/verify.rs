//! Whether a backup is what it was when it was made.

use std::path::{Path, PathBuf};

use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::task::spawn_blocking;

use super::{
    digest,
    make::{close, count_all},
    manifest::{self, Manifest},
    partial::said,
};
use crate::store::{check, connect, schema, sqlite};

/// Checks a backup: that it is one, whole and unchanged, that SQLite finds nothing wrong with it, that each room's
/// numbers have no hole, and that as much is in it as it says.
///
/// # Errors
/// A sentence for the operator.
pub async fn verify(file: &Path) -> Result<Manifest, String> {
    let wrong = |words: String| format!("{} {words}", file.display());
    must_be_whole(file).map_err(wrong)?;
    let db = connect(sqlite::options(file, 1, None)).await;
    let db = db.map_err(|words| wrong(format!("cannot be read: {words}")))?;
    let read = Manifest::read(&db).await;
    let checked = match read {
        Ok((manifest, digest)) => match must_be_unchanged(file.to_owned(), digest).await {
            Ok(()) => must_be_right(&db, &manifest).await.map(|()| manifest),
            Err(words) => Err(words),
        },
        Err(words) => Err(words),
    };
    close(db).await;
    checked.map_err(wrong)
}

fn must_be_whole(file: &Path) -> Result<(), String> {
    let length =
        std::fs::metadata(file).map_err(|err| format!("cannot be read: {}", said(&err)))?;
    match manifest::length_in_header(file) {
        Some(of) if of != length.len() => Err(format!(
            "is not whole: it has {} of {of} bytes. Take another backup",
            length.len()
        )),
        Some(_) if manifest::is_backup(file) => Ok(()),
        _ => Err(
            "is no backup that tertulia backup made (a database of a chat that is stopped is brought over with \
             tertulia move)"
                .into(),
        ),
    }
}

async fn must_be_unchanged(file: PathBuf, digest: String) -> Result<(), String> {
    let sealed = spawn_blocking(move || digest::is_sealed(&file, &digest)).await;
    match sealed {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => {
            Err("is damaged: it is not as it was when it was made. Take another backup".into())
        }
        Ok(Err(err)) => Err(format!("cannot be read: {}", said(&err))),
        Err(err) => Err(format!("cannot be read: {err}")),
    }
}

async fn must_be_right(db: &DatabaseConnection, manifest: &Manifest) -> Result<(), String> {
    schema::steps(db)
        .await
        .map_err(|words| format!("cannot be used: {words}"))?;
    must_be_sound(db, Holes::Refused)
        .await
        .map_err(|words| format!("is damaged: {words}"))?;
    let rows = count_all(db).await;
    let rows = rows.map_err(|err| format!("cannot be read: {err}"))?;
    match rows == manifest.rows {
        true => Ok(()),
        false => Err("does not have as much in it as it says".into()),
    }
}

/// What becomes of a database in which a room's numbers have a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holes {
    /// It is no good.
    Refused,
    /// It is as it was, and the log says so.
    Told,
}

/// Refuses a database whose structure is broken, or in which a room's numbers have a hole. What points at nothing is
/// only told: better a copy with it than none.
pub(super) async fn must_be_sound(db: &impl ConnectionTrait, holes: Holes) -> Result<(), String> {
    let unreadable = |err| format!("the database cannot be checked: {err}");
    let broken = check::structure(db).await.map_err(unreadable)?;
    if !broken.is_empty() {
        return Err(broken.join("; "));
    }
    let wrong = check::numbers(db).await.map_err(unreadable)?;
    if holes == Holes::Refused && !wrong.is_empty() {
        return Err(wrong.join("; "));
    }
    let astray = check::orphans(db).await.map_err(unreadable)?;
    for words in wrong.iter().chain(&astray) {
        tracing::warn!("the database is copied as it is, but not in order: {words}");
    }
    Ok(())
}
