//! Killed in the middle, and out of room.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::sleep;

use super::{backup_of, does, is_refused, large_database, left, names, sqlite, text};
use crate::faults::disk::Disk;
use crate::support::{eventually, process::spawned};

/// When it is killed, in milliseconds after its start: while it starts, copies, checks, writes.
const MOMENTS: [u64; 7] = [10, 40, 80, 150, 300, 500, 800];

async fn is_killed_after(moment: u64, arguments: &[&str]) {
    let mut running = spawned(arguments);
    sleep(Duration::from_millis(moment)).await;
    // It may be done by now.
    let _ = running.kill().await;
}

/// How many backups there are.
fn made(dir: &Path) -> usize {
    let names = names(dir);
    names
        .iter()
        .filter(|name| name.starts_with("tertulia-"))
        .count()
}

/// Whatever has a whole file's name is a whole file.
async fn all_are_whole(dir: &Path) {
    for name in names(dir).iter().filter(|name| name.ends_with(".db")) {
        does(&["backup", "--verify", text(&dir.join(name))]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_killed_leaves_no_half_file_and_the_next_one_works() {
    let place = TempDir::new().expect("a directory");
    let (old, dir) = (place.path().join("old.db"), place.path().join("backups"));
    large_database(&old, 30_000).await;
    let url = sqlite(&old);
    let to = format!("{}/", dir.display());
    let backs_up = ["backup", "--database", &url, "--to", &to];
    does(&backs_up).await;
    let mut were_left = 0;
    for moment in MOMENTS {
        is_killed_after(moment, &backs_up).await;
        were_left += usize::from(!left(&dir).is_empty());
        all_are_whole(&dir).await;
    }
    assert!(
        were_left > 0,
        "it was never killed in the middle, which proves nothing"
    );
    does(&backs_up).await;
    assert_eq!(left(&dir), Vec::<String>::new());
    assert!(names(&dir).len() >= 2);
    all_are_whole(&dir).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_killed_leaves_an_empty_place_and_the_next_one_works() {
    let place = TempDir::new().expect("a directory");
    let (old, data) = (place.path().join("old.db"), place.path().join("data"));
    large_database(&old, 30_000).await;
    let backup = backup_of(&sqlite(&old), place.path()).await;
    let restores = ["restore", "--from", text(&backup), "--data", text(&data)];
    let (file, mut were_left) = (data.join("tertulia.db"), 0);
    for moment in MOMENTS {
        is_killed_after(moment, &restores).await;
        if file.exists() {
            // It was done: whole, and it can be backed up again.
            let again = place.path().join("again");
            does(&["backup", "--data", text(&data), "--to", text(&again)]).await;
            std::fs::remove_file(&file).expect("it is there");
        }
        were_left += usize::from(data.exists() && !left(&data).is_empty());
    }
    assert!(
        were_left > 0,
        "it was never killed in the middle, which proves nothing"
    );
    let said = does(&restores).await;
    assert!(said.contains("30000 messages"), "{said}");
    assert_eq!(left(&data), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_it_says_so_and_the_old_backups_are_as_they_were() {
    let place = TempDir::new().expect("a directory");
    let old = place.path().join("old.db");
    large_database(&old, 5_000).await;
    let url = sqlite(&old);
    let disk = Disk::new();
    let dir = format!("{}/", disk.path().display());
    let backs_up = ["backup", "--database", &url, "--to", &dir, "--keep", "1"];
    does(&backs_up).await;
    let before = names(disk.path());
    let backup = disk.path().join(&before[0]);
    if !disk.fill() {
        return;
    }
    is_refused(&backs_up, &["no backup was made", "full"]).await;
    let there = disk.path().join("tertulia.db");
    is_refused(
        &[
            "restore",
            "--from",
            text(&backup),
            "--database",
            &sqlite(&there),
        ],
        &["nothing was restored", "full"],
    )
    .await;
    disk.empty();
    // The lock of a server stays a file, held by nobody.
    let mut now = names(disk.path());
    now.retain(|name| !name.ends_with(".lock"));
    assert_eq!(now, before);
    does(&["backup", "--verify", text(&backup)]).await;
    does(&backs_up).await;
    assert!(!backup.exists() && made(disk.path()) == 1, "one is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_told_to_stop_removes_what_it_began() {
    let place = TempDir::new().expect("a directory");
    let (old, dir) = (place.path().join("old.db"), place.path().join("backups"));
    large_database(&old, 30_000).await;
    let (url, to) = (sqlite(&old), format!("{}/", dir.display()));
    for _ in 0..20 {
        let mut running = spawned(&["backup", "--database", &url, "--to", &to]);
        let id = running.id().expect("it runs").to_string();
        eventually("it has begun, or is done", async || {
            dir.exists() && !names(&dir).is_empty()
        })
        .await;
        let told = std::process::Command::new("kill")
            .args(["-TERM", &id])
            .status();
        let ended = running.wait().await.expect("it is a child of ours");
        assert_eq!(left(&dir), Vec::<String>::new());
        if told.expect("kill is there").success() && ended.code() == Some(1) {
            assert_eq!(names(&dir), Vec::<String>::new());
            return;
        }
        for name in names(&dir) {
            std::fs::remove_file(dir.join(name)).expect("it is there");
        }
    }
    panic!("it was never stopped in the middle, which proves nothing");
}
