//! One server at a time on a file of SQLite's: two would be deaf to each other.
//!
//! A lock file beside the database is held as long as the process lives, and says who holds it. The kernel frees it
//! with the process, so what a killed one leaves behind is only a text. The database file is locked as well: it can have
//! a second name (a hard link), and somebody may delete the lock file. Commands that open the database for a moment do
//! not take the lock; serving does, and whatever puts another file in its place.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process, thread,
    time::Duration,
};

use super::rights;

/// A process that only asks whether the lock is held has it for an instant, which is not to be taken for a server.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(10);

/// The lock on a database; dropping it lets others in.
#[derive(Debug)]
pub struct ServerLock {
    beside: File,
    /// Kept open as long as the lock is held: to close a file ends all locks that SQLite has on it in this process.
    database: Option<File>,
}

impl ServerLock {
    /// Takes the lock of this database file, which need not be there yet. All ways to the file (relative, over links)
    /// lead to the same lock.
    ///
    /// # Errors
    /// A sentence for the operator: another process holds it (which, and at what address), or it cannot be made.
    pub fn acquire(database: &Path) -> Result<Self, String> {
        let path = lock_file(database);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.mode(0o600).open(&path).map_err(|err| {
            let words = rights::who_may_write(&path);
            format!("cannot open {}: {err}{words}", path.display())
        })?;
        rights::give_to_the_owner_of_its_directory(&path);
        let mut locked = file.try_lock();
        for _ in 0..TRIES {
            if locked.is_ok() {
                break;
            }
            thread::sleep(PAUSE);
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => {
                let mut lock = Self {
                    beside: file,
                    database: None,
                };
                lock.guard(database)?;
                lock.write(&process::id().to_string());
                Ok(lock)
            }
            Err(TryLockError::WouldBlock) => Err(taken(database, file)),
            Err(TryLockError::Error(err)) => Err(format!("cannot lock {}: {err}", path.display())),
        }
    }

    /// Locks the database file itself, if it is there; to be asked again once it was made.
    ///
    /// # Errors
    /// A sentence for the operator: a server has it under another name.
    pub fn guard(&mut self, database: &Path) -> Result<(), String> {
        if self.database.is_some() || !database.is_file() {
            return Ok(());
        }
        let Ok(file) = File::open(database) else {
            // Whoever opens it next says why that cannot be done.
            return Ok(());
        };
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(format!(
                "another server serves {}, under another name or with a lock file that was deleted: stop that one \
                 first, or give this one a directory of its own with --data",
                database.display()
            ));
        }
        self.database = Some(file);
        Ok(())
    }

    /// Says at which address this process serves, for whoever comes too late.
    pub fn serves_at(&self, address: &str) {
        self.write(&format!("{} at {address}", process::id()));
    }

    /// What the file says is a help for people; without room for it the lock holds all the same.
    fn write(&self, words: &str) {
        let mut file = &self.beside;
        let written = file
            .rewind()
            .and_then(|()| file.set_len(0))
            .and_then(|()| writeln!(file, "{words}"));
        if let Err(err) = written {
            tracing::warn!(error = %err, "the lock file does not say who holds it");
        }
    }
}

/// Whether a server other than this process has this database.
pub(super) fn is_held_by_another(database: &Path) -> bool {
    let Ok(mut file) = File::open(lock_file(database)) else {
        return false;
    };
    let is_held = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    let mut holder = String::new();
    let is_ours = file.read_to_string(&mut holder).is_ok()
        && holder.split_whitespace().next() == Some(&process::id().to_string());
    is_held && !is_ours
}

fn taken(database: &Path, mut file: File) -> String {
    let mut holder = String::new();
    let holder = match file.read_to_string(&mut holder) {
        Ok(_) if !holder.trim().is_empty() => format!("process {}", holder.trim()),
        _ => "another process".into(),
    };
    format!(
        "{} is already served by {holder}. Two servers on one file would not hear of each other's messages: stop that \
         one first, or give this one a directory of its own with --data",
        database.display()
    )
}

/// Beside the database itself, where its links lead.
fn lock_file(database: &Path) -> PathBuf {
    let mut path = resolved(database).into_os_string();
    path.push(".lock");
    path.into()
}

/// The file's own place; of one that is not there, its directory's.
fn resolved(file: &Path) -> PathBuf {
    if let Ok(path) = fs::canonicalize(file) {
        return path;
    }
    // A link to what is not there yet leads to where SQLite will make it.
    if let Ok(target) = fs::read_link(file) {
        let target = file
            .parent()
            .map_or(target.clone(), |dir| dir.join(&target));
        return resolved_in_its_directory(&target);
    }
    resolved_in_its_directory(file)
}

fn resolved_in_its_directory(file: &Path) -> PathBuf {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = fs::canonicalize(dir.unwrap_or(Path::new(".")));
    match (dir, file.file_name()) {
        (Ok(dir), Some(name)) => dir.join(name),
        _ => file.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn all_ways_to_a_file_lead_to_one_lock() {
        let data = tempfile::TempDir::new().expect("a directory");
        let (dir, link) = (data.path().join("a"), data.path().join("b"));
        fs::create_dir(&dir).expect("a directory");
        symlink(&dir, &link).expect("a link");
        let file = dir.join("tertulia.db");
        symlink("a/tertulia.db", data.path().join("c.db")).expect("a link");
        let ways = [
            dir.join("../a/tertulia.db"),
            link.join("tertulia.db"),
            data.path().join("c.db"),
        ];
        for is_there in [false, true] {
            if is_there {
                fs::write(&file, "").expect("a file");
            }
            let lock = ServerLock::acquire(&file).expect("nobody holds it");
            lock.serves_at("http://127.0.0.1:8000");
            for way in &ways {
                let words = ServerLock::acquire(way).expect_err("it is held");
                let holder = format!("process {} at http://127.0.0.1:8000", process::id());
                assert!(words.contains(&holder), "{words}");
            }
            drop(lock);
            for way in &ways {
                drop(ServerLock::acquire(way).expect("it is free again"));
            }
        }
    }
}
