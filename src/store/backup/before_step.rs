//! The copy of a file of SQLite's that is made before its schema is changed, so that there is a way back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sea_orm::{ConnectionTrait, DatabaseConnection};

use super::{
    make::{finish, not_copied, size, snapshot},
    manifest,
    partial::{Partial, directory_of, sweep},
    verify::Holes,
};
use crate::{
    clock::Clock,
    store::{copy, progress::Report, schema},
};

/// How many are kept.
const KEPT: usize = 2;
/// What must be free beside a copy: the changes themselves need room, too.
const MARGIN: u64 = 16 << 20;

/// Whether a copy is made before a schema is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyFirst {
    /// It is.
    Yes,
    /// The operator does without.
    No,
}

/// Makes a copy of a database with something in it that is about to take steps: `before-000004.db` beside it. Keeps
/// the newest two. Returns where it is, if one was needed.
///
/// # Errors
/// A sentence for the operator: there is no room. The database is as it was.
pub(in crate::store) async fn copy_before_step(
    db: &DatabaseConnection,
    file: &Path,
    report: Report<'_>,
) -> Result<Option<PathBuf>, String> {
    let Some((step, bytes)) = needed(db).await? else {
        return Ok(None);
    };
    let dir = directory_of(file);
    let copy = dir.join(format!("before-{}.db", number(&step)));
    let swept = sweep(dir, is_ours);
    swept.map_err(|err| format!("cannot use the directory {}: {err}", dir.display()))?;
    must_have_room(dir, bytes, &step)?;
    make(file, &copy, report).await.map_err(|words| {
        format!(
            "before the step {step} a copy of the database is made, which failed: {words}. The database was not \
             changed. Mend that, or start once with --no-backup to go on without a copy"
        )
    })?;
    prune(dir, &copy);
    Ok(Some(copy))
}

/// The step that is taken first and how large a copy is; none when there is no step to take, or nothing to lose.
async fn needed(db: &DatabaseConnection) -> Result<Option<(String, u64)>, String> {
    let steps = schema::steps(db).await?;
    let (Some(_), Some(next)) = (steps.last, steps.next) else {
        return Ok(None);
    };
    match has_something(db).await.map_err(not_copied)? {
        true => Ok(Some((next, size(db).await.map_err(not_copied)?))),
        false => Ok(None),
    }
}

async fn has_something(db: &impl ConnectionTrait) -> Result<bool, sea_orm::DbErr> {
    let tables = copy::tables_of(db).await?;
    let facts = tables
        .iter()
        .filter(|table| ["users", "rooms", "messages"].contains(&table.name.as_str()));
    for table in facts {
        if copy::count(db, &table.name).await? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn make(file: &Path, to: &Path, report: Report<'_>) -> Result<(), String> {
    let partial = Partial::begin(to)?;
    snapshot(file, &partial, report).await?;
    finish(partial, Clock::system().now(), Holes::Told).await?;
    Ok(())
}

fn must_have_room(dir: &Path, bytes: u64, step: &str) -> Result<(), String> {
    let needed = bytes + MARGIN;
    let free = free(dir);
    match free >= needed {
        true => Ok(()),
        false => Err(format!(
            "before the step {step} a copy of the database is made, for which there is no room: it takes {} MB, and \
             {} has {} MB free. The database was not changed. Make room, or start once with --no-backup to go on \
             without a copy",
            megabytes(needed),
            dir.display(),
            free >> 20,
        )),
    }
}

/// How many bytes are free; a file system that does not say is tried.
fn free(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(u64::MAX, |it| it.f_bavail.saturating_mul(it.f_frsize))
}

fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

/// `000004` of `m20261128_000004_links`.
fn number(step: &str) -> &str {
    step.split('_').nth(1).unwrap_or(step)
}

fn is_ours(name: &str) -> bool {
    let number = name
        .strip_prefix("before-")
        .and_then(|it| it.strip_suffix(".db"));
    number.is_some_and(|it| it.len() == 6 && it.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Removes all but the newest. What cannot be removed stays: the database matters more.
fn prune(dir: &Path, newest: &Path) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut old: Vec<_> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(is_ours))
        .map(|entry| entry.path())
        .filter(|path| path != newest && manifest::is_backup(path))
        .collect();
    old.sort();
    let many = (old.len() + 1).saturating_sub(KEPT);
    for path in old.iter().take(many) {
        if let Err(err) = fs::remove_file(path) {
            tracing::warn!(file = %path.display(), error = %err, "an old copy was not removed");
        }
    }
}
