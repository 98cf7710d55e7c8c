//! The copy that is made before the schema changes.

use std::path::Path;

use migrations::{Migrator, MigratorTrait};
use tempfile::TempDir;

use super::{changes, does, is_refused, large_database, names, sqlite, text};
use crate::faults::disk::Disk;
use crate::support::{House, postgres};

/// Takes the newest steps back, as an older version left the database.
async fn is_of_an_older_version(file: &Path, steps: u32) {
    let database = postgres::open(&sqlite(file)).await;
    let taken_back = Migrator::down(&database, Some(steps)).await;
    taken_back.expect("every step can be taken back");
    database.close().await.expect("it was open");
}

async fn is_served(data: &Path, flags: &[&str]) {
    let url = sqlite(&data.join("tertulia.db"));
    let flags = [&["--database", &url], flags].concat();
    House::opens("127.0.0.1:0", data, &flags).await.dies().await;
}

/// The copies in the data directory.
fn copies(data: &Path) -> Vec<String> {
    let mut names = names(data);
    names.retain(|name| name.starts_with("before-"));
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_begins_with_a_copy_that_leads_back() {
    let data = TempDir::new().expect("a directory");
    let file = data.path().join("tertulia.db");
    is_served(data.path(), &[]).await;
    assert_eq!(
        copies(data.path()),
        Vec::<String>::new(),
        "nothing to lose yet"
    );
    std::fs::remove_file(&file).expect("it is there");
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(data.path().join(format!("tertulia.db{suffix}")));
    }
    large_database(&file, 300).await;
    let newest = Migrator::migrations().len() as u32;
    is_of_an_older_version(&file, 1).await;
    is_served(data.path(), &["--no-backup"]).await;
    assert_eq!(copies(data.path()), Vec::<String>::new());

    for back in [1, 2, 3] {
        is_of_an_older_version(&file, back).await;
        is_served(data.path(), &[]).await;
        let first = newest - back + 1;
        let name = format!("before-{first:06}.db");
        assert!(
            copies(data.path()).contains(&name),
            "{:?}",
            copies(data.path())
        );
        assert!(copies(data.path()).len() <= 2, "{:?}", copies(data.path()));
        let copy = data.path().join(&name);
        let said = does(&["backup", "--verify", text(&copy)]).await;
        assert!(said.contains("300 messages"), "{said}");
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(&copy).expect("it is there").permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);

        // The way back: into another place, and from there on as today.
        let again = TempDir::new().expect("a directory");
        does(&[
            "restore",
            "--from",
            text(&copy),
            "--data",
            text(again.path()),
        ])
        .await;
        is_served(again.path(), &[]).await;
        assert_eq!(
            copies(again.path()),
            Vec::<String>::new(),
            "it is up to date"
        );
        let backup = again.path().join("backup");
        let said = does(&[
            "backup",
            "--data",
            text(again.path()),
            "--to",
            text(&backup),
        ])
        .await;
        assert!(said.contains("300 messages"), "{said}");
    }
    is_served(data.path(), &[]).await;
    assert_eq!(copies(data.path()).len(), 2, "no step, no copy");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_for_the_copy_nothing_is_changed_until_the_operator_does_without() {
    let disk = Disk::new();
    let file = disk.path().join("tertulia.db");
    large_database(&file, 300).await;
    is_of_an_older_version(&file, 1).await;
    if !disk.fill() {
        return;
    }
    let url = sqlite(&file);
    let serves = [
        "--listen",
        "127.0.0.1:0",
        "--data",
        text(disk.path()),
        "--database",
        &url,
    ];
    is_refused(&serves, &["disk is full", "Nothing was changed"]).await;
    assert_eq!(copies(disk.path()), Vec::<String>::new());
    disk.empty();
    // Room for the steps, but not for the copy.
    let ballast = disk.path().join("ballast");
    let file = std::fs::File::create(&ballast).expect("room");
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, 180 << 20).expect("room");
    is_refused(&serves, &["no room", "--no-backup", "not changed"]).await;
    is_served(disk.path(), &["--no-backup"]).await;
    assert_eq!(copies(disk.path()), Vec::<String>::new());
    changes(
        &disk.path().join("tertulia.db"),
        &["SELECT token_hash FROM one_time_links"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_every_older_schema_is_made_and_restored() {
    let place = TempDir::new().expect("a directory");
    let file = place.path().join("old.db");
    large_database(&file, 50).await;
    let newest = Migrator::migrations().len();
    for _ in 1..newest {
        is_of_an_older_version(&file, 1).await;
        let (backup, to) = (place.path().join("backup"), place.path().join("new.db"));
        does(&[
            "backup",
            "--database",
            &sqlite(&file),
            "--to",
            text(&backup),
        ])
        .await;
        does(&[
            "restore",
            "--from",
            text(&backup),
            "--database",
            &sqlite(&to),
        ])
        .await;
        let again = place.path().join("again");
        let said = does(&["backup", "--database", &sqlite(&to), "--to", text(&again)]).await;
        assert!(
            said.contains("50 messages") && said.contains("000004"),
            "{said}"
        );
        std::fs::remove_file(&to).expect("it is there");
    }
}
