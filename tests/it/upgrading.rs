//! Upgrading: databases that earlier versions wrote, kept in `golden/`, keep everything and are used on, on both
//! databases; whatever interrupts an upgrade, the next start does all of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::faults::disk::Disk;
use crate::starting::is_sound;
use crate::support::killing::{dies_at, is_ready, moments};
use crate::support::process::outcome_of;
use crate::support::{House, Town, databases, postgres};

/// Databases by the last step that they have taken.
const GOLDEN: [u32; 3] = [1, 2, 3];

/// Tables that a move leaves exactly as they are.
const COPIED: [&str; 4] = ["users", "rooms", "memberships", "messages"];

/// What landed steps are. One that has landed is never edited, not even in its comments: databases have taken it as it
/// was, and nobody can tell the two apart. What must change is a new step, with a line of its own here and a golden
/// database of the step before it.
const STEPS: [(&str, &str); 4] = [
    (
        "m20261122_000001_chat.rs",
        "f5b1bb0315b97ec0b514fa3bd6fd1bc72f9da2d1f4229fde64912971ef07f3e1",
    ),
    (
        "m20261123_000002_signals.rs",
        "8ed9f282f0f75ee5c45c6bdf49d8068b966c46deac12dbceaaa15859300577bb",
    ),
    (
        "m20261124_000003_since.rs",
        "fe8bd7ce1f4168bf6da384f7314f2d8aa5bdc16027eaacd5daa9c8e6a8e26c7a",
    ),
    (
        "m20261127_000004_one_time_links.rs",
        "745a83445f915f2384133d6bc380591c972463884443aa8ff81ec87c12954de9",
    ),
];

#[test]
fn a_step_that_has_landed_is_never_edited() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = home.join("migrations/src");
    let all = fs::read_dir(&folder).expect("it is there").flatten();
    let all = all.map(|file| file.file_name().into_string().expect("UTF-8"));
    let mut steps: Vec<_> = all.filter(|name| name.starts_with("m2")).collect();
    steps.sort();
    let known: Vec<_> = STEPS.iter().map(|(name, _)| *name).collect();
    assert_eq!(steps, known, "each step has its checksum here");
    for (name, sum) in STEPS {
        let bytes = fs::read(folder.join(name)).expect("a step");
        let real: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(real, sum, "{name} has landed: write a new step instead");
    }
}

/// A golden database in a directory of its own, and what is in it.
async fn golden(data: &Path, step: u32) -> Vec<String> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packed = home.join(format!("tests/it/golden/step{step}.db.gz"));
    let packed = fs::File::open(packed).expect("it is kept");
    let mut bytes = Vec::new();
    GzDecoder::new(packed)
        .read_to_end(&mut bytes)
        .expect("it is whole");
    let file = data.join("tertulia.db");
    fs::write(&file, bytes).expect("there is room");
    facts(&file, &tables(&file).await).await
}

fn file(data: &Path) -> PathBuf {
    data.join("tertulia.db")
}

async fn open(file: &Path) -> DatabaseConnection {
    postgres::open(&format!("sqlite://{}", file.display())).await
}

/// The first column of each row.
async fn texts(database: &DatabaseConnection, sql: &str) -> Vec<String> {
    let query = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(query).await;
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let text = |row: &sea_orm::QueryResult| row.try_get_by_index::<String>(0).expect("text");
    rows.iter().map(text).collect()
}

/// Tables with their columns, but for the log of steps.
async fn tables(file: &Path) -> BTreeMap<String, Vec<String>> {
    let database = open(file).await;
    let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' \
        AND name <> 'seaql_migrations' ORDER BY name";
    let mut tables = BTreeMap::new();
    for table in texts(&database, names).await {
        let columns = format!("SELECT name FROM pragma_table_info('{table}') ORDER BY name");
        let columns = texts(&database, &columns).await;
        tables.insert(table, columns);
    }
    database.close().await.expect("it was open");
    tables
}

/// All that stands in these columns of these tables.
async fn facts(file: &Path, tables: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let database = open(file).await;
    let mut all = Vec::new();
    for (table, columns) in tables {
        let columns: Vec<_> = columns
            .iter()
            .map(|name| format!("quote({name})"))
            .collect();
        let row = columns.join(" || ',' || ");
        let rows = texts(&database, &format!("SELECT {row} FROM {table} ORDER BY 1")).await;
        assert!(!rows.is_empty(), "nothing in {table} would prove nothing");
        all.extend(rows.iter().map(|row| format!("{table}: {row}")));
    }
    database.close().await.expect("it was open");
    all
}

/// Everything is there as it was, and nothing else but settings of the program's own.
async fn is_kept(before: &[String], file: &Path, old: &BTreeMap<String, Vec<String>>) {
    let mut after = facts(file, old).await;
    let is_new = |row: &mut String| row.starts_with("settings: ") && !before.contains(row);
    after.extract_if(.., is_new).for_each(drop);
    assert_eq!(after, before);
}

/// What people find in a golden database, and that they can go on.
async fn is_used(town: &Town, step: u32) {
    let (ada, ben) = (town.anon_as("ada"), town.anon_as("Ben Núñez"));
    ada.signs_in().await;
    ben.signs_in().await;
    let general = ada.reads_back(1).await;
    let said = general.iter().map(|it| it.text.as_str());
    let said: Vec<_> = said.collect();
    assert!(
        said.iter().any(|it| it.contains("Nº 1 with 'quotes'")),
        "{said:#?}"
    );
    assert_eq!(said.iter().filter(|it| it.contains("better")).count(), 10);
    let last = general.last().expect("a message").seq;
    assert_eq!(last, if step >= 2 { 41 } else { 40 });
    assert_eq!(ada.posts(1, "it goes on").await, last + 1);
    ada.edits(1, last + 1, "it went on").await;
    ada.deletes(1, 1).await;
    ben.reads(1, last + 1).await;
    let chat = ben.reads_back(3).await;
    assert_eq!(chat[0].text, "between us");
    assert_eq!(ben.posts(3, "still").await, 2);
    ada.reads(3, 2).await;
    assert_eq!(ben.reads_back(3).await.len(), 2);
    let carla = town.anon_as("carla");
    carla.signs_in().await;
    assert_eq!(carla.reads_back(1).await.len() as u64, last + 1);
    town.person("emil").await.creates_room("Another").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_wrote_is_there_after_the_upgrade_and_is_used_on() {
    for step in GOLDEN {
        let data = TempDir::new().expect("a directory");
        let before = golden(data.path(), step).await;
        let old = tables(&file(data.path())).await;
        // By the real program: a start and a clean stop.
        let mut house = House::opens(
            "127.0.0.1:0",
            data.path(),
            &["--database", &url(data.path())],
        )
        .await;
        house.is_asked_to_stop();
        assert_eq!(house.ends().await, Some(0));
        is_kept(&before, &file(data.path()), &old).await;
        is_sound(&file(data.path())).await;

        let back = TempDir::new().expect("a directory");
        let server = databases::url(back.path()).await;
        for (from, to) in [
            (url(data.path()), server.clone()),
            (server.clone(), url(back.path())),
        ] {
            let run = outcome_of(&["move", "--from", &from, "--to", &to]).await;
            assert!(run.status.success(), "{run:?}");
        }
        let all = tables(&file(data.path())).await;
        let kept: BTreeMap<_, _> = all
            .into_iter()
            .filter(|(name, _)| COPIED.contains(&name.as_str()))
            .collect();
        let moved = facts(&file(back.path()), &kept).await;
        assert_eq!(facts(&file(data.path()), &kept).await, moved, "step {step}");

        for database in [url(data.path()), server] {
            let town = Town::with(&["--database", &database]).await;
            is_used(&town, step).await;
            town.ends().await;
        }
        is_sound(&file(data.path())).await;
    }
}

fn url(data: &Path) -> String {
    format!("sqlite://{}", file(data).display())
}

/// Puts what is in a golden database into tables that its own steps make on a PostgreSQL server.
async fn is_loaded(data: &Path, step: u32, server: &str) {
    let target = postgres::open(server).await;
    // The server's databases come with all tables.
    let fresh = target
        .execute_unprepared("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        .await;
    fresh.expect("it is ours");
    Migrator::up(&target, Some(step))
        .await
        .expect("the first steps");
    let source = open(&file(data)).await;
    for (table, columns) in tables(&file(data)).await {
        let flags =
            format!("SELECT name FROM pragma_table_info('{table}') WHERE type LIKE 'bool%'");
        let flags = texts(&source, &flags).await;
        let value = |name: &String| match flags.contains(name) {
            true => format!("CASE {name} WHEN 1 THEN 'TRUE' ELSE 'FALSE' END"),
            false => format!("quote({name})"),
        };
        let row = columns
            .iter()
            .map(value)
            .collect::<Vec<_>>()
            .join(" || ', ' || ");
        for row in texts(&source, &format!("SELECT {row} FROM {table}")).await {
            let names = columns.join(", ");
            let insert = format!("INSERT INTO {table} ({names}) VALUES ({row})");
            let done = target.execute_unprepared(&insert).await;
            done.unwrap_or_else(|error| panic!("{insert}: {error}"));
        }
        if columns.iter().any(|name| name == "id") && table != "sessions" {
            let on = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT MAX(id) FROM {table}))"
            );
            target.execute_unprepared(&on).await.expect("it counts");
        }
    }
    for database in [source, target] {
        database.close().await.expect("it was open");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_postgresql_is_upgraded_from_every_earlier_step() {
    for step in GOLDEN {
        let data = TempDir::new().expect("a directory");
        golden(data.path(), step).await;
        let server = databases::url(data.path()).await;
        is_loaded(data.path(), step, &server).await;
        let town = Town::with(&["--database", &server]).await;
        is_used(&town, step).await;
        town.ends().await;
        let faults = tertulia::store::check::check_database(&server.parse().expect("a URL")).await;
        assert_eq!(faults, Ok(Vec::new()));
    }
}

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

/// How all tables and indexes are made.
pub async fn shape(file: &Path) -> Vec<String> {
    let database = open(file).await;
    let all = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name";
    let all = texts(&database, all).await;
    database.close().await.expect("it was open");
    all
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
        let start = ["--listen", "127.0.0.1:0", "--data", folder];
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
}
