//! The place where a new database file is to be: free, not in use, and without anything of an old one that SQLite
//! would take for a part of it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    manifest,
    partial::{said, with_suffix},
};
use crate::store::{copy, rights, server_lock::ServerLock};

/// What SQLite would read, or roll back, into a file beside which it finds it.
const LEFT: [&str; 2] = ["-wal", "-journal"];

/// Refuses a place where there is a database, or where somebody has one open; changes nothing.
pub(in crate::store) fn must_be_free(file: &Path) -> Result<(), String> {
    if fs::metadata(file).is_ok_and(|it| it.len() > 0) {
        return Err(format!(
            "there is already something in {}: the place of a new database must be empty. Nothing was changed. Move \
             that file away, or name another place",
            file.display()
        ));
    }
    copy::must_be_at_rest(file)
}

/// Takes a free place: makes the directory, and keeps servers away as long as the lock is held.
pub(in crate::store) fn take(file: &Path) -> Result<ServerLock, String> {
    must_be_free(file)?;
    rights::make_directory_of(file)?;
    let lock = ServerLock::acquire(file)?;
    must_be_free(file)?;
    Ok(lock)
}

/// Puts aside what is left of an old database at a place where there is none any more. Returns where it is now: the old
/// log may hold messages that are nowhere else.
pub(in crate::store) fn clear(file: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |path: &Path, err: io::Error| {
        format!("cannot put {} aside: {}", path.display(), said(&err))
    };
    let mut aside = Vec::new();
    for suffix in LEFT {
        let left = with_suffix(file, suffix);
        match fs::metadata(&left) {
            Ok(it) if it.len() > 0 => {
                let free = free_name(&left);
                fs::rename(&left, &free).map_err(|err| failed(&left, err))?;
                tracing::warn!(
                    file = %free.display(),
                    "what an old database had left beside the place of the new one was put aside"
                );
                aside.push(free);
            }
            _ => remove(&left).map_err(|err| failed(&left, err))?,
        }
    }
    let index = with_suffix(file, "-shm");
    remove(&index).map_err(|err| failed(&index, err))?;
    Ok(aside)
}

/// Refuses to take a backup for a database that can be used.
pub(in crate::store) fn must_be_no_backup(file: &Path) -> Result<(), String> {
    match manifest::is_backup(file) {
        false => Ok(()),
        true => Err(format!(
            "{0} is a backup, which stays as it is: restore it into a place of its own, with tertulia restore --from \
             {0}",
            file.display()
        )),
    }
}

fn free_name(left: &Path) -> PathBuf {
    let names = (1..).map(|n| with_suffix(left, &format!(".old-{n}")));
    let mut free = names.skip_while(|name| name.exists());
    free.next().unwrap_or_else(|| with_suffix(left, ".old"))
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
