//! Backups: made while people talk, checked, restored, and whatever may come between.

mod before_step;
mod faults;
mod keeping;
mod refusals;
mod restoring;

use std::path::{Path, PathBuf};

use sea_orm::ConnectionTrait;

use crate::support::Town;
use crate::support::postgres;
use crate::support::process::{outcome_of, outcome_under};

/// Runs the program to its end, and tells whether it went well and what it said.
pub async fn runs(arguments: &[&str]) -> (bool, String) {
    told(outcome_of(arguments).await)
}

/// The same, where new files would be open to everybody.
pub async fn runs_with_an_open_umask(arguments: &[&str]) -> (bool, String) {
    let under = ["sh", "-c", r#"umask 000; exec "$@""#, "sh"];
    told(outcome_under(&under, arguments).await)
}

fn told(run: std::process::Output) -> (bool, String) {
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let said = said + &String::from_utf8_lossy(&run.stderr);
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(run.status.code(), Some(i32::from(!run.status.success())));
    (run.status.success(), said)
}

/// Does it, and must succeed.
pub async fn does(arguments: &[&str]) -> String {
    let (went_well, said) = runs(arguments).await;
    assert!(went_well, "{arguments:?}: {said}");
    said
}

/// Is refused, in words that have these in them.
pub async fn is_refused(arguments: &[&str], words: &[&str]) -> String {
    let (went_well, said) = runs(arguments).await;
    assert!(!went_well, "{arguments:?} went well: {said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in {said}");
    }
    said
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// A file of SQLite's as a URL.
pub fn sqlite(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

/// The names in a directory, in order.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a directory");
    let name = |entry: std::fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
    let mut names: Vec<_> = entries
        .map(|entry| name(entry.expect("an entry")))
        .collect();
    names.sort();
    names
}

/// Runs SQL on a file of SQLite's that nobody serves.
pub async fn changes(file: &Path, statements: &[&str]) {
    let database = postgres::open(&sqlite(file)).await;
    for sql in statements {
        let done = database.execute_unprepared(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    database.close().await.expect("it was open");
}

/// A database, served by nobody, with a room of so many messages.
pub async fn large_database(file: &Path, messages: u64) {
    let town = Town::with(&["--database", &sqlite(file)]).await;
    town.person("ada").await.creates_room("General").await;
    town.ends().await;
    let rows = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {messages}) \
         INSERT INTO messages (room_id, seq, rev, author_id, body, key, digest, has_audience, created) \
         SELECT 1, i, i, 1, 'message ' || i, 'key ' || i, '', TRUE, 1 FROM n"
    );
    let room = format!("UPDATE rooms SET last_seq = {messages}, last_rev = {messages}");
    changes(file, &[&rows, &room]).await;
}

/// What is not whole yet.
pub fn left(dir: &Path) -> Vec<String> {
    let mut names = names(dir);
    names.retain(|name| name.contains("partial"));
    names
}

/// A backup of this database.
pub async fn backup_of(database: &str, dir: &Path) -> PathBuf {
    let file = dir.join("chat.backup");
    does(&["backup", "--database", database, "--to", text(&file)]).await;
    file
}
