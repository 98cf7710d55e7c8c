//! Tables that are not this program's to change.

use std::fs;

use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use super::golden::{file, golden, open, shape, texts, url};
use crate::support::process::outcome_of;
use crate::support::{databases, postgres};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_of_a_newer_version_leaves_the_tables_of_a_running_server_alone() {
    let data = TempDir::new().expect("a directory");
    golden(data.path(), 3).await;
    let older = shape(&file(data.path())).await;
    // Who serves it is told by the lock alone; this one stands for a server of the version that wrote the file.
    let mut lock = data.path().join("tertulia.db").into_os_string();
    lock.push(".lock");
    let lock = fs::File::create(lock).expect("a file");
    lock.lock().expect("nobody else has it");
    let opened = tertulia::store::Store::open(&url(data.path()).parse().expect("a URL")).await;
    let said = opened.expect_err("it is served");
    assert!(said.contains("is served by an older version"), "{said}");
    assert_eq!(shape(&file(data.path())).await, older);
    drop(lock);
    databases::node(data.path(), &url(data.path()))
        .await
        .close()
        .await;
    assert_ne!(shape(&file(data.path())).await, older);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_program_is_refused_and_left_as_it_is() {
    let data = TempDir::new().expect("a directory");
    let database = postgres::open(&format!("{}?mode=rwc", url(data.path()))).await;
    for sql in [
        "CREATE TABLE users (id integer, name text)",
        "INSERT INTO users VALUES (1, 'somebody')",
    ] {
        database
            .execute_unprepared(sql)
            .await
            .expect("there is room");
    }
    database.close().await.expect("it was open");
    let folder = data.path().to_str().expect("a path in UTF-8");
    let run = outcome_of(&["--listen", "127.0.0.1:0", "--data", folder]).await;
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success(), "{said}");
    assert!(
        said.contains("table users that Tertulia has not made") && said.contains("--database"),
        "{said}"
    );
    let database = open(&file(data.path())).await;
    assert_eq!(
        texts(&database, "SELECT name FROM users").await,
        ["somebody"]
    );
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table'";
    assert_eq!(texts(&database, tables).await, ["users"]);
    database.close().await.expect("it was open");
}
