//! Whatever interrupts an upgrade, of this version or an earlier one, the next start does all of it.

use std::fs;

use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use super::golden::{file, golden, is_kept, open, shape, tables, texts, url};
use crate::faults::disk::Disk;
use crate::starting::is_sound;
use crate::support::killing::{dies_at, is_ready, moments};
use crate::support::process::outcome_of;
use crate::support::{databases, postgres};

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_is_killed_at_any_moment_can_be_done_again() {
    let whole = TempDir::new().expect("a directory");
    golden(whole.path(), 1).await;
    let mut shapes = vec![shape(&file(whole.path())).await];
    databases::node(whole.path(), &url(whole.path()))
        .await
        .close()
        .await;
    shapes.push(shape(&file(whole.path())).await);
    let mut kills = 0;
    for moment in moments() {
        let data = TempDir::new().expect("a directory");
        let before = golden(data.path(), 1).await;
        let old = tables(&file(data.path())).await;
        let folder = data.path().to_str().expect("a path in UTF-8");
        let arguments = ["--listen", "127.0.0.1:0", "--data", folder];
        kills += usize::from(!dies_at(&arguments, data.path(), &moment).await);
        let left = shape(&file(data.path())).await;
        assert!(
            shapes.contains(&left),
            "neither old nor new, {moment:?}: {left:#?}"
        );
        is_kept(&before, &file(data.path()), &old).await;
        databases::node(data.path(), &url(data.path()))
            .await
            .close()
            .await;
        is_kept(&before, &file(data.path()), &old).await;
        is_sound(&file(data.path())).await;
    }
    assert!(kills >= 10, "{kills} kills");
}

/// The statements of the second step, as versions before whole steps ran them one by one.
const SECOND: [&str; 15] = [
    "ALTER TABLE users ADD COLUMN sends_receipts boolean NOT NULL DEFAULT TRUE",
    "ALTER TABLE users ADD COLUMN shows_presence boolean NOT NULL DEFAULT TRUE",
    "ALTER TABLE users ADD COLUMN last_seen bigint NULL",
    "ALTER TABLE users ADD COLUMN banned boolean NOT NULL DEFAULT FALSE",
    "ALTER TABLE rooms ADD COLUMN read_floor bigint NOT NULL DEFAULT 0",
    "ALTER TABLE memberships ADD COLUMN sends_receipts boolean NOT NULL DEFAULT TRUE",
    "ALTER TABLE memberships ADD COLUMN marked_seq bigint NULL",
    "ALTER TABLE memberships ADD COLUMN muted_until bigint NULL",
    "ALTER TABLE memberships ADD COLUMN delivered_trail text NOT NULL DEFAULT ''",
    "ALTER TABLE memberships ADD COLUMN read_trail text NOT NULL DEFAULT ''",
    "ALTER TABLE messages ADD COLUMN counts_reads boolean NOT NULL DEFAULT TRUE",
    "CREATE TABLE settings (name text NOT NULL PRIMARY KEY, value text NOT NULL)",
    "DROP INDEX memberships_read",
    "CREATE INDEX memberships_read ON memberships (room_id, read_seq) WHERE joined IS NOT NULL AND sends_receipts = TRUE",
    "UPDATE rooms SET read_floor = 1",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_an_earlier_version_left_half_done_is_done_to_the_end() {
    let whole = TempDir::new().expect("a directory");
    golden(whole.path(), 1).await;
    databases::node(whole.path(), &url(whole.path()))
        .await
        .close()
        .await;
    let wanted = shape(&file(whole.path())).await;
    for done in [1, 5, 11, 12, 13, 14, 15] {
        let data = TempDir::new().expect("a directory");
        let before = golden(data.path(), 1).await;
        let old = tables(&file(data.path())).await;
        let database = open(&file(data.path())).await;
        for sql in &SECOND[..done] {
            database
                .execute_unprepared(sql)
                .await
                .unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        database.close().await.expect("it was open");
        databases::node(data.path(), &url(data.path()))
            .await
            .close()
            .await;
        is_kept(&before, &file(data.path()), &old).await;
        assert_eq!(shape(&file(data.path())).await, wanted, "{done} statements");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_an_earlier_version_left_half_done_is_done_to_the_end() {
    let whole = TempDir::new().expect("a directory");
    databases::node(whole.path(), &url(whole.path()))
        .await
        .close()
        .await;
    let wanted = shape(&file(whole.path())).await;
    let first = open(&file(whole.path())).await;
    let made = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'one_time%' ORDER BY rowid";
    let made = texts(&first, made).await;
    first.close().await.expect("it was open");
    for done in [1, 2, 4, 8, made.len()] {
        let data = TempDir::new().expect("a directory");
        let database = postgres::open(&format!("{}?mode=rwc", url(data.path()))).await;
        for sql in made[..done]
            .iter()
            .filter(|sql| !sql.contains("sqlite_sequence"))
        {
            database
                .execute_unprepared(sql)
                .await
                .unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        database.close().await.expect("it was open");
        databases::node(data.path(), &url(data.path()))
            .await
            .close()
            .await;
        assert_eq!(shape(&file(data.path())).await, wanted, "{done} statements");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_on_a_full_disk_is_refused_in_words_and_done_when_there_is_room_again() {
    let disk = Disk::new();
    let mut refused = 0;
    for room in [0, 8, 16, 32, 64, 96, 128, 160, 224, 320] {
        let data = disk.path().join(format!("{room}"));
        fs::create_dir(&data).expect("there is room");
        let before = golden(&data, 1).await;
        let old = tables(&file(&data)).await;
        if !disk.fill() {
            return;
        }
        disk.makes_room(room * 1024);
        let folder = data.to_str().expect("a path in UTF-8");
        // The copy before the step would need more room still: `backups::before_step` tells of it.
        let place = ["--listen", "127.0.0.1:0", "--data", folder];
        let start = [&place[..], &["--no-backup"]].concat();
        if !is_ready(&start).await {
            let run = outcome_of(&start).await;
            let said = String::from_utf8_lossy(&run.stderr);
            assert!(
                !run.status.success() && said.contains("disk is full"),
                "{room} KiB: {said}"
            );
            refused += 1;
        }
        disk.empty();
        databases::node(&data, &url(&data)).await.close().await;
        is_kept(&before, &file(&data), &old).await;
        is_sound(&file(&data)).await;
    }
    assert!(refused >= 3, "{refused} times");

    let data = disk.path().join("first");
    let folder = data.to_str().expect("a path in UTF-8");
    let start = ["--listen", "127.0.0.1:0", "--data", folder];
    disk.fill();
    let run = outcome_of(&start).await;
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(
        !run.status.success() && said.contains("disk is full"),
        "{said}"
    );
    disk.empty();
    assert!(
        is_ready(&start).await,
        "a first start is done when there is room"
    );
}
