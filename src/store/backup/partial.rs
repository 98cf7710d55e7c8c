//! A file that is being made: it has another name until it is whole, so that nobody takes half of it for all of it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::store::rights;

/// What stands behind the name of a file that is not whole yet.
const SUFFIX: &str = ".tertulia-partial";
/// What SQLite keeps beside a file while it is written.
const COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];
/// How often another process may come between finding a left file and removing it.
const ATTEMPTS: u32 = 5;

/// A file under its preliminary name, which only its owner may read. Dropped without [`Partial::keep`], it is removed.
/// A process that is killed leaves it behind; whoever makes the same file next, or sweeps the directory, removes it:
/// a lock tells it from one that is being made.
#[derive(Debug)]
pub(in crate::store) struct Partial {
    target: PathBuf,
    path: PathBuf,
    file: File,
    is_kept: bool,
}

impl Partial {
    /// Begins an empty file that is to become `target`.
    ///
    /// # Errors
    /// A sentence for the operator: another process is making it, or it cannot be made.
    pub fn begin(target: &Path) -> Result<Self, String> {
        let path = with_suffix(target, SUFFIX);
        let failed = |err: io::Error| format!("cannot make {}: {}", path.display(), said(&err));
        for _ in 0..ATTEMPTS {
            let made = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path);
            match made {
                Ok(file) if is_ours(&file, &path) => {
                    return Ok(Self {
                        target: target.to_owned(),
                        path,
                        file,
                        is_kept: false,
                    });
                }
                Ok(_) => {}
                Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {
                    remove_left(&path).map_err(failed)?;
                }
                Err(err) => return Err(failed(err)),
            }
        }
        Err(format!(
            "another process is making {} right now",
            target.display()
        ))
    }

    /// Where it is until it is kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, in place of what may have it, after all of it has reached the disk. Nobody may have it open
    /// any more. Where root makes it, it belongs to whom the directory belongs.
    ///
    /// # Errors
    /// A sentence for the operator; there is no file then.
    pub fn keep(mut self) -> Result<(), String> {
        let kept = self.try_to_keep();
        kept.map_err(|err| format!("cannot keep {}: {}", self.target.display(), said(&err)))
    }

    fn try_to_keep(&mut self) -> io::Result<()> {
        let dir = directory_of(&self.target);
        rights::give_to_the_owner_of_its_directory(&self.path);
        self.file.sync_all()?;
        fs::rename(&self.path, &self.target)?;
        self.is_kept = true;
        File::open(dir)?.sync_all()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_kept {
            remove(&self.path);
        }
    }
}

/// Removes what killed processes left in a directory while they were making files whose names `is_meant`.
pub(super) fn sweep(dir: &Path, is_meant: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let target = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        if target.is_some_and(&is_meant) {
            remove_left(&entry.path())?;
        }
    }
    Ok(())
}

/// The directory in which a file is.
pub(in crate::store) fn directory_of(file: &Path) -> &Path {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    dir.unwrap_or(Path::new("."))
}

/// The file whose name is longer by this.
pub(in crate::store) fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What an error of the file system means, where its own words say too little.
pub(super) fn said(err: &io::Error) -> String {
    match err.kind() {
        io::ErrorKind::StorageFull => "the disk is full".into(),
        io::ErrorKind::QuotaExceeded => "the quota of the disk is used up".into(),
        _ => err.to_string(),
    }
}

/// Removes a file that nobody is making any more; leaves one alone that somebody makes.
fn remove_left(path: &Path) -> io::Result<()> {
    match File::open(path) {
        Ok(file) => match file.try_lock() {
            Ok(()) => remove(path),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(err)) => return Err(err),
        },
        Err(err) if err.kind() == io::ErrorKind::NotFound => {}
        Err(err) => return Err(err),
    }
    Ok(())
}

fn remove(path: &Path) {
    for companion in COMPANIONS {
        let _ = fs::remove_file(with_suffix(path, companion));
    }
    let _ = fs::remove_file(path);
}

/// Whether this process holds the file that has the name: another may have taken it for a left one before the lock.
fn is_ours(file: &File, path: &Path) -> bool {
    let id = |file: fs::Metadata| (file.dev(), file.ino());
    let is_locked = file.try_lock().is_ok();
    let named = fs::metadata(path).map(id).ok();
    is_locked && named.is_some() && named == file.metadata().map(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_gone_and_what_was_left_is_swept_out() {
        let dir = tempfile::TempDir::new().expect("a directory");
        let target = dir.path().join("chat.db");
        let partial = Partial::begin(&target).expect("there is room");
        let left = partial.path().to_owned();
        let rival = Partial::begin(&target).expect_err("it is being made");
        assert!(rival.contains("another process"), "{rival}");
        sweep(dir.path(), |_| true).expect("it is readable");
        assert!(left.exists(), "what is being made is left alone");
        drop(partial);
        assert!(!left.exists() && !target.exists());

        fs::write(&left, "half").expect("room");
        fs::write(with_suffix(&left, "-journal"), "half").expect("room");
        sweep(dir.path(), |name| name == "chat.db").expect("it is readable");
        assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 0);

        fs::write(&left, "half").expect("room");
        let partial = Partial::begin(&target).expect("what was left is no hindrance");
        partial.keep().expect("the directory is there");
        let made = fs::metadata(&target).expect("it is there");
        assert_eq!((made.len(), made.mode() & 0o777), (0, 0o600));
    }
}
