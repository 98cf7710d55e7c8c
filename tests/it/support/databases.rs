//! Which database the servers of the tests run on: a file of SQLite's in the data directory of each, or, with
//! `TERTULIA_TEST_DATABASE=postgres`, a database of its own on one PostgreSQL server, which is remembered there. Then
//! they are also joined by Redis, as nodes are, so that the same tests run over both ways of the news.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use clap::Parser;
use sea_orm::{Database, DatabaseConnection};
use tempfile::TempDir;
use tertulia::{app::App, clock::Clock, config::Config};
use tokio::sync::OnceCell;

use super::NOON;
use super::postgres::{self, Postgres};
use super::redis::Redis;

/// The server of this process, made when it is first needed; it ends with the process.
static SERVER: OnceCell<Postgres> = OnceCell::const_new();
/// The Redis server of this process, as long.
static JOINT: OnceCell<Redis> = OnceCell::const_new();
/// Databases and the data directories that they belong to.
static MADE: Mutex<Vec<(PathBuf, String)>> = Mutex::new(Vec::new());
/// A database with all tables and nothing in them.
const EMPTY: &str = "empty";

/// Whether this run is about PostgreSQL.
pub fn are_postgres() -> bool {
    match std::env::var("TERTULIA_TEST_DATABASE").as_deref() {
        Ok("postgres") => true,
        Ok("sqlite" | "") | Err(_) => false,
        Ok(other) => panic!("TERTULIA_TEST_DATABASE is sqlite or postgres, not {other}"),
    }
}

/// The flags with which a server finds the database that belongs to this data directory, and Redis, unless it is told
/// others.
pub async fn flags(data: &Path, others: &[&str]) -> Vec<String> {
    if !are_postgres() || others.contains(&"--database") {
        return Vec::new();
    }
    let redis = JOINT.get_or_init(async || Redis::start()).await.url();
    let flags = ["--database", &url(data).await, "--redis", &redis];
    flags.map(str::to_owned).into()
}

/// A node without a face to the web, on the database at this URL.
pub async fn node(data: &Path, url: &str) -> App {
    let folder = data.to_str().expect("a path in UTF-8");
    let line = ["tertulia", "--data", folder, "--database", url];
    let app = App::open(Config::parse_from(line), Clock::fixed(NOON)).await;
    app.expect("the app opens")
}

/// Opens the database that belongs to this data directory beside the server.
pub async fn open(data: &Path) -> DatabaseConnection {
    if are_postgres() {
        return postgres::open(&url(data).await).await;
    }
    let file = data.join("tertulia.db");
    let opened = Database::connect(format!("sqlite://{}?mode=rw", file.display())).await;
    opened.expect("the database is there")
}

/// A database of a test's own on the PostgreSQL server of this process, whatever the run is about.
/// It is gone when `data` is.
pub async fn url(data: &Path) -> String {
    let server = server().await;
    let known = known(data);
    let name = match known {
        Some(name) => name,
        None => create(server, data).await,
    };
    server.url(&name)
}

/// The PostgreSQL server of this process.
pub async fn server() -> &'static Postgres {
    SERVER.get_or_init(prepared).await
}

fn known(data: &Path) -> Option<String> {
    let made = MADE.lock().expect("nobody panicked in here");
    let mine = made.iter().find(|(path, _)| path == data);
    mine.map(|(_, name)| name.clone())
}

/// Makes a database, after those that nobody needs any more are dropped: each takes a few megabytes.
async fn create(server: &Postgres, data: &Path) -> String {
    let (name, gone) = {
        let mut made = MADE.lock().expect("nobody panicked in here");
        let gone: Vec<_> = made.extract_if(.., |(path, _)| !path.exists()).collect();
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("town_{next}");
        made.push((data.to_owned(), name.clone()));
        (name, gone)
    };
    let gone = gone.iter();
    let mut all: Vec<_> = gone
        .map(|(_, name)| format!("DROP DATABASE {name} WITH (FORCE)"))
        .collect();
    all.push(format!("CREATE DATABASE {name} TEMPLATE {EMPTY}"));
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    server.does(&all).await;
    name
}

/// A server with a database to copy.
async fn prepared() -> Postgres {
    let server = Postgres::start().await;
    server.does(&[&format!("CREATE DATABASE {EMPTY}")]).await;
    let data = TempDir::new().expect("a directory");
    node(data.path(), &server.url(EMPTY)).await.close().await;
    server
}
