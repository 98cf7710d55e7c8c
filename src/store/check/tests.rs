use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::*;
use crate::store::{Store, connect};

/// A file with two people, a public room with so many messages, and a chat of two with none.
pub(in crate::store) async fn sound(messages: u32) -> (TempDir, PathBuf) {
    let data = TempDir::new().expect("a directory");
    let file = data.path().join("tertulia.db");
    let store = Store::open(&DatabaseUrl::Sqlite(file.clone())).await;
    store.expect("it is made").close().await;
    let rows = [
        "INSERT INTO users (id, name, name_folded, password, role, created) VALUES \
         (1, 'ada', 'ada', '', 'admin', 1), (2, 'ben', 'ben', '', 'member', 1)",
        &format!(
            "INSERT INTO rooms (id, kind, low_user_id, high_user_id, last_seq, last_rev, created, changed) VALUES \
             (1, 'public', NULL, NULL, {messages}, {messages} + 1, 1, 1), (2, 'direct', 1, 2, 0, 0, 1, 1)"
        ),
        "INSERT INTO memberships (room_id, user_id, joined, read_seq, changed) VALUES (1, 1, 1, 10, 1), (2, 2, 1, 0, 1)",
        "INSERT INTO sessions (id, user_id, data, expires) VALUES ('a', 1, '', 1), ('b', NULL, '', 1)",
        &format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {messages}) \
             INSERT INTO messages (room_id, seq, rev, author_id, body, key, digest, has_audience, created) \
             SELECT 1, i, i, 1 + i % 2, 'message ' || i, 'key ' || i, '', TRUE, 1 FROM n"
        ),
        // One was edited.
        &format!("UPDATE messages SET rev = {messages} + 1 WHERE seq = 7"),
    ];
    does(&file, &rows).await;
    (data, file)
}

pub(in crate::store) async fn does(file: &Path, rows: &[&str]) {
    let db = connect(sqlite::options(file, 1, Some(Default::default()))).await;
    let db = db.expect("it is there");
    for sql in rows {
        let done = db.execute_unprepared(sql).await;
        done.unwrap_or_else(|err| panic!("{sql}: {err}"));
    }
    db.close().await.expect("it was open");
}

async fn told(file: &Path) -> String {
    let found = check_database(&DatabaseUrl::Sqlite(file.to_path_buf())).await;
    found.expect("it can be read").join("; ")
}

#[tokio::test]
async fn each_fault_is_told_and_a_sound_database_has_none() {
    let (_data, file) = sound(2000).await;
    let before = fs::read(&file).expect("it is there");
    assert_eq!(told(&file).await, "");
    assert!(before == fs::read(&file).expect("it is there"), "only read");
    let beside = fs::read_dir(file.parent().expect("a directory")).expect("it is there");
    assert_eq!(beside.count(), 1, "nothing is left beside the file");
    for (harm, mend, words) in [
        (
            "UPDATE messages SET seq = 2001 WHERE seq = 9",
            "UPDATE messages SET seq = 9 WHERE seq = 2001",
            "room 1 have a hole",
        ),
        (
            "UPDATE messages SET seq = 0 WHERE seq = 1",
            "UPDATE messages SET seq = 1 WHERE seq = 0",
            "room 1 have a hole",
        ),
        (
            "UPDATE rooms SET last_seq = 1 WHERE id = 2",
            "UPDATE rooms SET last_seq = 0 WHERE id = 2",
            "room 2 have a hole",
        ),
        (
            "UPDATE rooms SET last_rev = 2000 WHERE id = 1",
            "UPDATE rooms SET last_rev = 2001 WHERE id = 1",
            "change numbers of room 1 are wrong",
        ),
        (
            "UPDATE memberships SET read_seq = 2001 WHERE user_id = 1",
            "UPDATE memberships SET read_seq = 0 WHERE user_id = 1",
            "1 people have read or been reached past the end",
        ),
        (
            "UPDATE messages SET room_id = 3 WHERE seq = 2000",
            "UPDATE messages SET room_id = 1 WHERE seq = 2000",
            "1 messages are in a room that is not there",
        ),
        (
            "UPDATE messages SET author_id = 3 WHERE author_id = 2",
            "UPDATE messages SET author_id = 2 WHERE author_id = 3",
            "1000 messages are by a person that is not there",
        ),
        (
            "UPDATE memberships SET user_id = 3 WHERE user_id = 2",
            "UPDATE memberships SET user_id = 2 WHERE user_id = 3",
            "1 memberships are of a person that is not there",
        ),
        (
            "UPDATE memberships SET room_id = 3 WHERE room_id = 2",
            "UPDATE memberships SET room_id = 2 WHERE room_id = 3",
            "1 memberships are of a room that is not there",
        ),
        (
            "UPDATE sessions SET user_id = 3 WHERE id = 'a'",
            "UPDATE sessions SET user_id = 1 WHERE id = 'a'",
            "1 sessions are of a person that is not there",
        ),
        (
            "UPDATE rooms SET high_user_id = 3 WHERE id = 2",
            "UPDATE rooms SET high_user_id = 2 WHERE id = 2",
            "1 chats of two are with a person that is not there",
        ),
        (
            "INSERT INTO one_time_links (token_hash, kind, user_id, created) VALUES ('a', '', 9, 1)",
            "DELETE FROM one_time_links",
            "1 rows point at something that is not there",
        ),
    ] {
        does(&file, &["PRAGMA foreign_keys = OFF", harm]).await;
        let said = told(&file).await;
        assert!(said.contains(words), "{harm}: {words:?} in {said:?}");
        does(&file, &[mend]).await;
    }
    assert_eq!(told(&file).await, "");
}

#[tokio::test]
async fn a_file_with_other_bytes_in_its_middle_is_damaged() {
    let (_data, file) = sound(2000).await;
    let mut bytes = fs::read(&file).expect("it is there");
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x2a);
    fs::write(&file, &bytes).expect("it is ours");
    let said = told(&file).await;
    assert!(said.starts_with("the file is damaged: "), "{said}");

    fs::write(&file, [0x2a; 8192]).expect("it is ours");
    let said = check_database(&DatabaseUrl::Sqlite(file.clone())).await;
    let said = said.map(|it| it.join("; ")).unwrap_or_else(|words| words);
    assert!(said.contains("not a database"), "{said}");
}

#[tokio::test]
async fn a_database_without_tables_has_no_fault() {
    let data = TempDir::new().expect("a directory");
    let file = data.path().join("tertulia.db");
    does(&file, &["SELECT 1"]).await;
    assert_eq!(told(&file).await, "");
}

#[tokio::test]
async fn one_lost_message_among_200_000_is_missed() {
    let (_data, file) = sound(200_000).await;
    assert_eq!(told(&file).await, "");
    does(&file, &["DELETE FROM messages WHERE seq = 100000"]).await;
    let said = told(&file).await;
    assert!(
        said.contains("it ends at 200000 and has 199999 messages"),
        "{said}"
    );
}
