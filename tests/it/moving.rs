//! `tertulia move`: everything from a file to a server and back, or nothing. Whatever database the other tests run on.

use std::path::Path;

use sea_orm::{ConnectionTrait, Statement};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::process::{outcome_of, spawned};
use crate::support::{House, Town, databases, postgres};

/// What it said, and whether it says that it went well.
async fn moves(from: &str, to: &str) -> (bool, String) {
    let run = outcome_of(&["move", "--from", from, "--to", to]).await;
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let said = said + &String::from_utf8_lossy(&run.stderr);
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(run.status.code(), Some(i32::from(!run.status.success())));
    (run.status.success(), said)
}

fn file(data: &Path, name: &str) -> String {
    format!("sqlite://{}", data.join(name).display())
}

/// A town on a file in which everything has happened that leaves a trace.
pub async fn eventful_town(url: &str) -> Town {
    let town = Town::with(&["--database", url]).await;
    let (ada, ben) = town.ada_and_ben().await;
    let carla = town.person("carla").await;
    let room = ada.creates_room("General").await;
    let chat = ada.opens_chat_with(&ben).await;
    for n in 1..=30 {
        let seq = ada.posts(room, &format!("Nº {n} with 'quotes' & 👋")).await;
        if n % 3 == 0 {
            ben.edits(room, ben.posts(room, "mine").await, "mine, better")
                .await;
        }
        if n % 10 == 0 {
            ada.deletes(room, seq).await;
        }
    }
    ada.posts(chat, "between us").await;
    carla.reads(room, 20).await;
    carla.marks_unread(room, 5).await;
    ben.mutes(room, "week").await;
    ben.shows(false, true).await;
    ada.tries_to_switch_receipts(false).await;
    town
}

/// All that is in a file of SQLite's, in words: in every table but those with these names there is something. By what
/// pages and nodes know a database is not part of it: each copy has that of its own.
pub async fn contents(url: &str, empty: &[&str]) -> Vec<String> {
    let database = postgres::open(url).await;
    let query = |sql: &str| Statement::from_string(database.get_database_backend(), sql);
    let texts = async |sql: &str| {
        let rows = database.query_all_raw(query(sql)).await.expect("a query");
        let text = |row: &sea_orm::QueryResult| row.try_get_by_index::<String>(0).expect("text");
        rows.iter().map(text).collect::<Vec<_>>()
    };
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' \
        AND name <> 'seaql_migrations' ORDER BY name";
    let mut all = Vec::new();
    for table in texts(tables).await {
        let columns = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns = texts(&columns).await;
        let columns = columns.iter().map(|name| format!("quote({name})"));
        let row = columns.collect::<Vec<_>>().join(" || ',' || ");
        let own = match table.as_str() {
            "settings" => "WHERE name NOT IN ('incarnation', 'house')",
            _ => "",
        };
        let rows = texts(&format!("SELECT {row} FROM {table} {own} ORDER BY 1")).await;
        let is_empty = empty.contains(&table.as_str());
        assert_eq!(
            rows.is_empty(),
            is_empty,
            "{table}: nothing would prove nothing"
        );
        all.extend(rows.iter().map(|row| format!("{table}: {row}")));
    }
    database.close().await.expect("it was open");
    all
}

/// Somebody was sent a link for a new password.
pub async fn has_a_link(url: &str) {
    let database = postgres::open(url).await;
    let sql = "INSERT INTO one_time_links (token_hash, kind, user_id, created, expires) \
        VALUES ('hash', 'password', 2, 1, 9999999999999)";
    let stored = database.execute_unprepared(sql).await;
    stored.expect("the person is there");
    database.close().await.expect("it was open");
}

/// By what pages know the database.
pub async fn incarnation(url: &str) -> Option<String> {
    let database = postgres::open(url).await;
    let sql = "SELECT value FROM settings WHERE name = 'incarnation'";
    let row = Statement::from_string(database.get_database_backend(), sql);
    let row = database.query_one_raw(row).await.expect("a query");
    database.close().await.expect("it was open");
    row.map(|row| row.try_get_by_index(0).expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_to_a_server_and_back_and_the_chat_goes_on() {
    let data = TempDir::new().expect("a directory");
    let (old, back) = (file(data.path(), "old.db"), file(data.path(), "back.db"));
    let server = databases::url(data.path()).await;
    let town = eventful_town(&old).await;
    town.ends().await;
    has_a_link(&old).await;

    let (went_well, said) = moves(&old, &server).await;
    assert!(went_well, "{said}");
    let told = "3 people, 2 rooms, 41 messages";
    assert!(
        said.contains("messages: 41 of 41") && said.contains(told),
        "{said}"
    );
    let (went_well, said) = moves(&server, &back).await;
    assert!(went_well, "{said}");
    let all = async |url| contents(url, &[]).await;
    assert_eq!(all(&old).await, all(&back).await);
    assert_ne!(incarnation(&old).await, incarnation(&back).await);

    let (went_well, said) = moves(&old, &server).await;
    assert!(!went_well && said.contains("not empty"), "{said}");

    let town = Town::with(&["--database", &server]).await;
    let ada = town.anon_as("ada");
    ada.signs_in().await;
    assert_eq!(ada.posts(1, "it goes on").await, 41);
    assert_eq!(ada.reads_back(1).await.len(), 41);
    let dora = town.person("dora").await;
    dora.creates_room("Another").await;
    assert_eq!(dora.posts(3, "hello").await, 1);

    let (went_well, said) = moves(&server, &file(data.path(), "late.db")).await;
    assert!(!went_well && said.contains("a node uses"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_served_or_missing_is_not_moved() {
    let data = TempDir::new().expect("a directory");
    let (old, new) = (file(data.path(), "old.db"), file(data.path(), "new.db"));
    let house = House::opens("127.0.0.1:0", data.path(), &["--database", &old]).await;
    let ada = house.person("ada").await;
    ada.posts(ada.creates_room("General").await, "hello").await;
    let (went_well, said) = moves(&old, &new).await;
    let holder = format!("in use by process {}", house.id());
    assert!(!went_well && said.contains(&holder), "{said}");
    house.dies().await;
    let (went_well, said) = moves(&old, &new).await;
    assert!(went_well, "what was answered is there after a kill: {said}");
    assert!(said.contains("1 messages"), "{said}");

    let (went_well, said) = moves(&file(data.path(), "none.db"), &new).await;
    assert!(!went_well && said.contains("there is no file"), "{said}");
    assert!(!data.path().join("none.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_was_killed_leaves_nothing_and_can_be_done_again() {
    const MANY: i64 = 60_000;
    let data = TempDir::new().expect("a directory");
    let old = file(data.path(), "old.db");
    let server = databases::url(data.path()).await;
    let town = Town::with(&["--database", &old]).await;
    let ada = town.person("ada").await;
    ada.creates_room("General").await;
    town.ends().await;
    let database = postgres::open(&old).await;
    for sql in [
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) \
             INSERT INTO messages (room_id, seq, rev, author_id, body, key, digest, has_audience, created) \
             SELECT 1, i, i, 1, 'message ' || i, 'key ' || i, '', TRUE, 1 FROM n"
        ),
        format!("UPDATE rooms SET last_seq = {MANY}, last_rev = {MANY}"),
    ] {
        let stored = database.execute_unprepared(&sql).await;
        stored.expect("the tables are there");
    }
    database.close().await.expect("it was open");

    let mut running = spawned(&["move", "--from", &old, "--to", &server]);
    let mut lines = BufReader::new(running.stdout.take().expect("a pipe")).lines();
    let half = async {
        while let Some(line) = lines.next_line().await.expect("UTF-8") {
            if line.contains("messages: 0 of 60000") {
                return;
            }
        }
        panic!("it ended");
    };
    half.await;
    running.kill().await.expect("it is at it");
    let left = postgres::open(&server).await;
    let rows = Statement::from_string(left.get_database_backend(), "SELECT COUNT(*) FROM users");
    let rows = left.query_one_raw(rows).await.expect("a query");
    let rows = rows.map(|row| row.try_get_by_index::<i64>(0).expect("a number"));
    assert_eq!(rows, Some(0), "nothing is left");
    left.close().await.expect("it was open");

    let (went_well, said) = moves(&old, &server).await;
    assert!(went_well && said.contains("60000 messages"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_with_a_hole_are_not_moved_as_if_nothing_were() {
    let data = TempDir::new().expect("a directory");
    let (old, new) = (file(data.path(), "old.db"), file(data.path(), "new.db"));
    let town = Town::with(&["--database", &old]).await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    for _ in 0..3 {
        ada.posts(room, "hello").await;
    }
    town.ends().await;
    let database = postgres::open(&old).await;
    let lost = "DELETE FROM messages WHERE seq = 2";
    database
        .execute_unprepared(lost)
        .await
        .expect("it was there");
    database.close().await.expect("it was open");
    let (went_well, said) = moves(&old, &new).await;
    assert!(!went_well && said.contains("have a hole"), "{said}");
}
