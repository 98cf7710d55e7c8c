//! The disk of a run: one that can be filled, where that is possible, and a database that can be locked.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use tempfile::TempDir;

/// How large a disk is that can be filled.
const SIZE: &str = "size=192m";

/// A directory for the server's data, on a small file system of its own if there may be one.
pub struct Disk {
    folder: TempDir,
    is_small: bool,
}

impl Disk {
    /// Makes the directory; says so when it cannot be filled.
    pub fn new() -> Disk {
        let folder = TempDir::new().expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "tertulia-faults"]);
        let mounted = mount.arg(folder.path()).output();
        let is_small = mounted.is_ok_and(|done| done.status.success());
        if !is_small {
            eprintln!("The disk is never full in this run: only root can mount a small one.");
        }
        Disk { folder, is_small }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves no byte free; not on a disk that cannot be filled.
    pub fn fill(&self) -> bool {
        if !self.is_small {
            return false;
        }
        let mut file = File::create(self.ballast()).expect("a name has room");
        let full = io::copy(&mut io::repeat(0), &mut file).expect_err("the disk has an end");
        assert_eq!(full.kind(), io::ErrorKind::StorageFull, "{full}");
        true
    }

    /// Makes a little room on a disk that was filled.
    pub fn makes_room(&self, bytes: u64) {
        let file = File::options().write(true).open(self.ballast());
        let file = file.expect("the disk was full");
        let size = file.metadata().expect("it is there").len();
        file.set_len(size - bytes).expect("it can be shorter");
    }

    /// Makes room again.
    pub fn empty(&self) {
        std::fs::remove_file(self.ballast()).expect("the disk was full");
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Locks the database against writers, as another program does that works on the file.
    pub async fn lock(&self) -> Lock {
        let file = self.path().join("tertulia.db");
        let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rw", file.display()));
        options.max_connections(1).sqlx_logging(false);
        let held = Database::connect(options).await.expect("the file is there");
        let begun = held.execute_unprepared("BEGIN IMMEDIATE").await;
        begun.expect("no write takes longer than this waits");
        Lock(held)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_small {
            let mut unmount = Command::new("umount");
            // The server may still be about to die.
            let _ = unmount.arg("--lazy").arg(self.folder.path()).status();
        }
    }
}

/// A database that nobody else can write to.
pub struct Lock(DatabaseConnection);

impl Lock {
    pub async fn release(self) {
        let undone = self.0.execute_unprepared("ROLLBACK").await;
        undone.expect("the transaction is open");
        self.0.close().await.expect("it closes");
    }
}
