//! What is not restored, and where nothing is.

use std::path::Path;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{backup_of, changes, does, is_refused, large_database, sqlite, text};
use crate::support::House;

/// A small database and a backup of it.
async fn prepared(place: &Path) -> (String, std::path::PathBuf) {
    let file = place.join("old.db");
    large_database(&file, 20).await;
    let url = sqlite(&file);
    let backup = backup_of(&url, place).await;
    (url, backup)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_not_empty_or_in_use_is_left_as_it_is() {
    let place = TempDir::new().expect("a directory");
    let (old, backup) = prepared(place.path()).await;
    let bytes = std::fs::read(place.path().join("old.db")).expect("it is there");
    let from = ["restore", "--from", text(&backup), "--database"];
    let to = |url: &str| {
        [&from[..], &[url]]
            .concat()
            .iter()
            .map(|it| it.to_string())
            .collect::<Vec<_>>()
    };
    let line = to(&old);
    let line: Vec<_> = line.iter().map(String::as_str).collect();
    is_refused(&line, &["already something in", "Nothing was changed"]).await;
    let after = std::fs::read(place.path().join("old.db")).expect("it is there");
    assert!(bytes == after, "it was not touched");

    let data = place.path().join("data");
    let served = data.join("tertulia.db");
    let flags = ["--database", &sqlite(&served)];
    let house = House::opens("127.0.0.1:0", &data, &flags).await;
    let line = ["restore", "--from", text(&backup), "--data", text(&data)];
    is_refused(&line, &["nothing was restored"]).await;
    // Even when somebody has already taken the file away under the server.
    std::fs::rename(&served, data.join("away.db")).expect("it is there");
    let id = house.id().to_string();
    is_refused(&line, &["nothing was restored", &id]).await;
    assert!(!served.exists());
    house.dies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_neither_served_nor_moved_nor_overwrites_what_is_none() {
    let place = TempDir::new().expect("a directory");
    let (old, backup) = prepared(place.path()).await;
    let before = std::fs::read(&backup).expect("it is there");
    let url = sqlite(&backup);
    let served = [
        "--listen",
        "127.0.0.1:0",
        "--data",
        text(place.path()),
        "--database",
        &url,
    ];
    is_refused(&served, &["is a backup", "tertulia restore"]).await;
    let new = sqlite(&place.path().join("new.db"));
    is_refused(&["move", "--from", &url, "--to", &new], &["is a backup"]).await;
    is_refused(
        &[
            "backup",
            "--database",
            &url,
            "--to",
            text(&place.path().join("b")),
        ],
        &["is a backup"],
    )
    .await;
    assert!(
        before == std::fs::read(&backup).expect("it is there"),
        "it was not touched"
    );

    let notes = place.path().join("notes");
    std::fs::write(&notes, "mine").expect("room");
    is_refused(
        &["backup", "--database", &old, "--to", text(&notes)],
        &["no backup of Tertulia"],
    )
    .await;
    is_refused(&["backup", "--verify", text(&notes)], &["is no backup"]).await;
    is_refused(
        &["backup", "--verify", text(&place.path().join("old.db"))],
        &["is no backup", "tertulia move"],
    )
    .await;
    assert_eq!(std::fs::read(&notes).expect("it is there"), b"mine");
    does(&["backup", "--database", &old, "--to", text(&backup)]).await;
    does(&["backup", "--verify", text(&backup)]).await;
}

/// Writes a file with these bytes, and whether it is refused, with these words, by both who look at it.
async fn is_no_backup(place: &Path, bytes: &[u8], words: &[&str]) {
    let (file, to) = (place.join("changed"), place.join("none/tertulia.db"));
    std::fs::write(&file, bytes).expect("room");
    is_refused(&["backup", "--verify", text(&file)], words).await;
    is_refused(
        &["restore", "--from", text(&file), "--database", &sqlite(&to)],
        words,
    )
    .await;
    assert!(!place.join("none").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_cut_off_or_changed_in_one_letter_is_not_restored() {
    let place = TempDir::new().expect("a directory");
    let (_, backup) = prepared(place.path()).await;
    let whole = std::fs::read(&backup).expect("it is there");
    let find = |words: &[u8]| {
        let mut windows = whole.windows(words.len());
        windows
            .position(|window| window == words)
            .expect("it is in there")
    };
    for length in [
        whole.len() - 1,
        whole.len() - 4096,
        whole.len() / 2,
        4096,
        500,
    ] {
        is_no_backup(place.path(), &whole[..length], &["is not whole"]).await;
    }
    for length in [0, 80] {
        is_no_backup(place.path(), &whole[..length], &["is no backup"]).await;
    }
    for at in [
        find(b"message 7"),
        find(b"key 3"),
        find(b"CREATE TABLE"),
        4096,
        whole.len() - 1,
    ] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        is_no_backup(place.path(), &changed, &["changed"]).await;
    }
}

/// Writes the digest anew, as whoever makes a backup does: SHA-256 over the file in which its digits are zeros.
fn seals(file: &Path, digest: &str) {
    let mut bytes = std::fs::read(file).expect("it is there");
    let mut windows = bytes.windows(digest.len());
    let at = windows.position(|window| window == digest.as_bytes());
    let place = at.expect("it bears its digest")..at.expect("it does") + digest.len();
    bytes[place.clone()].fill(b'0');
    let sum: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    bytes[place].copy_from_slice(sum.as_bytes());
    std::fs::write(file, bytes).expect("room");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_newer_version_or_with_a_hole_is_refused_in_words() {
    let place = TempDir::new().expect("a directory");
    let (_, backup) = prepared(place.path()).await;
    let digest = "0".repeat(64);
    for (change, words) in [
        (
            "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20990101_000099_later', 1)",
            "newer version",
        ),
        (
            "UPDATE backup SET manifest = replace(manifest, '\"format\":1', '\"format\":2')",
            "newer version",
        ),
        ("DELETE FROM messages WHERE seq = 7", "hole"),
        (
            "INSERT INTO settings (name, value) VALUES ('more', 'than it says')",
            "as much in it as it says",
        ),
    ] {
        let changed = place.path().join("other");
        std::fs::copy(&backup, &changed).expect("room");
        changes(
            &changed,
            &[change, &format!("UPDATE backup SET digest = '{digest}'")],
        )
        .await;
        seals(&changed, &digest);
        let to = sqlite(&place.path().join("none/tertulia.db"));
        is_refused(&["backup", "--verify", text(&changed)], &[words]).await;
        is_refused(
            &["restore", "--from", text(&changed), "--database", &to],
            &[words],
        )
        .await;
    }
    // The same way of sealing makes a good one good: the refusals above are not for it.
    changes(
        &backup,
        &[&format!("UPDATE backup SET digest = '{digest}'")],
    )
    .await;
    seals(&backup, &digest);
    does(&["backup", "--verify", text(&backup)]).await;
}
