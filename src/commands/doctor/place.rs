//! Disk and rights: where everything lies.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::Report;
use crate::config::{Config, DatabaseUrl};

/// Less than this is little, in bytes.
const LITTLE: u64 = 1 << 30;

pub fn look(config: &Config, report: &mut Report) {
    let data = config.data_dir();
    let file = match config.database_url() {
        DatabaseUrl::Sqlite(file) => Some(file),
        DatabaseUrl::Postgres(_) => None,
    };
    let dirs = [Some(data.as_path()), file.as_deref().and_then(Path::parent)];
    let mut dirs: Vec<_> = dirs
        .into_iter()
        .flatten()
        .filter(|dir| dir.is_dir())
        .collect();
    dirs.dedup();
    if dirs.is_empty() {
        let words = format!(
            "{} is not there yet; the first start makes it",
            data.display()
        );
        report.good("data directory", words);
        return;
    }
    for dir in dirs {
        look_at_rights(dir, report);
        look_at_room(dir, file.as_deref(), report);
    }
}

/// Whether others may look in, and whether everything has one owner: what root made, the server may not write.
fn look_at_rights(dir: &Path, report: &mut Report) {
    let Ok(own) = fs::metadata(dir) else {
        let remedy = "run this as the user who runs the server, or as root";
        report.bad(
            "rights",
            format!("{} cannot be looked at", dir.display()),
            remedy,
        );
        return;
    };
    let files: Vec<PathBuf> = fs::read_dir(dir)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    let open = |path: &&PathBuf| fs::metadata(path).is_ok_and(|it| it.mode() & 0o077 != 0);
    let foreign = |path: &&PathBuf| fs::metadata(path).is_ok_and(|it| it.uid() != own.uid());
    if files.is_empty() {
        let words = format!(
            "{} is empty; the first start closes it to others",
            dir.display()
        );
        return report.good("rights", words);
    }
    let mut is_good = true;
    if own.mode() & 0o077 != 0 || files.iter().any(|file| open(&file)) {
        is_good = false;
        report.bad(
            "rights",
            format!("others on this machine may look into {}", dir.display()),
            format!(
                "chmod -R go= {}; a start of the server does it too",
                dir.display()
            ),
        );
    }
    if let Some(file) = files.iter().find(foreign) {
        is_good = false;
        let owner = own.uid();
        report.bad(
            "rights",
            format!(
                "{} does not belong to the owner of its directory (user {owner})",
                file.display()
            ),
            format!("chown {owner} {}", file.display()),
        );
    }
    if is_good {
        report.good("rights", format!("{} is its owner's alone", dir.display()));
    }
}

fn look_at_room(dir: &Path, database: Option<&Path>, report: &mut Report) {
    let Ok(disk) = rustix::fs::statvfs(dir) else {
        return;
    };
    let left = disk.f_bavail.saturating_mul(disk.f_frsize);
    let size = database.and_then(|file| fs::metadata(file).ok());
    let size = size.map_or(0, |file| file.len());
    let words = format!("{} left in {}", in_words(left), dir.display());
    match left {
        left if left < LITTLE => {
            report.bad("disk", words, "make room: on a full disk nobody can post")
        }
        left if left < size => report.bad(
            "disk",
            format!("{words}, and the database has {}", in_words(size)),
            "make room: a backup before an upgrade takes as much as the database",
        ),
        _ => report.good("disk", words),
    }
}

fn in_words(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 30 => format!("{:.1} GiB", bytes as f64 / (1_u64 << 30) as f64),
        bytes => format!("{:.1} MiB", bytes as f64 / (1_u64 << 20) as f64),
    }
}
