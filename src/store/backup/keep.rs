//! A directory of backups: their names, and which of them are old enough to go.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    manifest,
    partial::{said, sweep},
};
use crate::{clock::UnixMillis, store::rights};

/// What all names begin with.
const PREFIX: &str = "tertulia-";
/// What all names end with.
const SUFFIX: &str = ".db";

/// The name of a new backup in a directory, by its time in UTC. The directory is made, and what was left there by a
/// process that was killed is removed.
///
/// # Errors
/// A sentence for the operator.
pub fn place_in(dir: &Path, made: UnixMillis) -> Result<PathBuf, String> {
    rights::make_directory_of(&dir.join(PREFIX))?;
    sweep(dir, |name| time_of(name).is_some()).map_err(|err| unusable(dir, &err))?;
    let made = jiff::Timestamp::from_millisecond(made.0).unwrap_or_default();
    let made = made.strftime("%Y-%m-%d-%H%M%S").to_string();
    let first = std::iter::once(format!("{PREFIX}{made}{SUFFIX}"));
    let others = (2..).map(|n| format!("{PREFIX}{made}-{n}{SUFFIX}"));
    let mut names = first.chain(others).map(|name| dir.join(name));
    let free = names.find(|path| !path.exists());
    free.ok_or_else(|| format!("there is no name left in {}", dir.display()))
}

/// What became of old backups.
#[derive(Debug, Default)]
pub struct Pruned {
    /// These are gone.
    pub removed: Vec<PathBuf>,
    /// These would have gone, but hold more messages than the new one. A chat never has fewer than it had, so the new one
    /// is of another chat, or of one that has lost some.
    pub kept: Vec<PathBuf>,
}

/// Removes the oldest backups that were made here by their time, until `keep` are left; never `newest`, which has so
/// many `messages`, never what holds more than that, and never what has another name or is no backup.
///
/// # Errors
/// A sentence for the operator.
pub async fn prune(
    dir: &Path,
    keep: usize,
    (newest, messages): (&Path, u64),
) -> Result<Pruned, String> {
    let mut all = made_here(dir).map_err(|err| unusable(dir, &err))?;
    all.retain(|(_, path)| path != newest);
    all.sort();
    let many = (all.len() + 1).saturating_sub(keep.max(1));
    let mut pruned = Pruned::default();
    for (_, path) in all.into_iter().take(many) {
        // One that cannot be read is no worse kept than removed.
        if manifest::messages_in(&path)
            .await
            .is_ok_and(|it| it > messages)
        {
            pruned.kept.push(path);
            continue;
        }
        fs::remove_file(&path).map_err(|err| {
            format!(
                "the new backup is whole, but {} stays: {}",
                path.display(),
                said(&err)
            )
        })?;
        pruned.removed.push(path);
    }
    Ok(pruned)
}

fn made_here(dir: &Path) -> io::Result<Vec<((String, u32), PathBuf)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let time = entry.file_name().to_str().and_then(time_of);
        if let Some(time) = time
            && entry.file_type()?.is_file()
            && manifest::is_backup(&entry.path())
        {
            all.push((time, entry.path()));
        }
    }
    Ok(all)
}

/// The time in a name, and which of that second it is; none when the name is not one of ours.
fn time_of(name: &str) -> Option<(String, u32)> {
    let inner = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let (time, rest) = inner.split_at_checked("2026-11-28-010203".len())?;
    let is_time = time.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 | 10 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let count = match rest {
        "" => 1,
        rest => rest.strip_prefix('-')?.parse().ok()?,
    };
    is_time.then(|| (time.to_owned(), count))
}

fn unusable(dir: &Path, err: &io::Error) -> String {
    format!("cannot use the directory {}: {}", dir.display(), said(err))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_time_are_ours() {
        let of = |name| time_of(name).map(|(_, count)| count);
        assert_eq!(of("tertulia-2026-11-28-010203.db"), Some(1));
        assert_eq!(of("tertulia-2026-11-28-010203-12.db"), Some(12));
        for other in [
            "tertulia.db",
            "tertulia-2026.db",
            "tertulia-2026-11-28-01020x.db",
            "tertulia-2026-11-28-010203-.db",
            "tertulia-2026-11-28-010203.db.old",
            "tertulia-keep-this.db",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
