//! What `/readyz` and the metrics say of a database that cannot be written or read, and when they change their mind.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::faults::disk::Disk;
use crate::support::postgres::Postgres;
use crate::support::{House, Person, RoomId, eventually};

/// What `/readyz` says, and its status.
async fn state(person: &Person) -> (u16, Value) {
    let answer = person.gets("/readyz").await;
    let state = serde_json::from_str(&answer.body).expect("it is JSON");
    (answer.status, state)
}

/// What a metric stands at.
async fn metric(person: &Person, name: &str) -> u64 {
    let text = person.gets("/metrics").await.is(200).body;
    let found = text.lines().find_map(|line| line.strip_prefix(name));
    let value = found.unwrap_or_else(|| panic!("{name} is not in {text}"));
    value.trim().parse().expect("a number")
}

/// Reading goes on, posts are refused for this reason; and the metrics agree.
async fn refuses_posts(person: &Person, cause: &str) {
    let (status, state) = state(person).await;
    assert_eq!(status, 200, "reading goes on: {state}");
    assert_eq!(
        (&state["ready"], &state["database"]),
        (&true.into(), &"ok".into()),
        "{state}"
    );
    assert_eq!(
        (&state["reading"], &state["writing"]),
        (&"ok".into(), &cause.into()),
        "{state}"
    );
    assert_eq!(
        (&state["posts"], &state["cause"]),
        (&"refused".into(), &cause.into()),
        "{state}"
    );
    assert_eq!(metric(person, "tertulia_posts_refused").await, 1);
    assert_eq!(metric(person, "tertulia_database_up").await, 1);
    let name = format!(
        "tertulia_failed_writes_total{{cause=\"{}\"}}",
        cause.replace([' ', '-'], "_")
    );
    assert!(metric(person, &name).await >= 1);
}

async fn accepts_posts_again(person: &Person) {
    eventually("posts are accepted again", async || {
        let (status, state) = state(person).await;
        assert_eq!(status, 200, "{state}");
        state["posts"] == "accepted" && state["writing"] == "ok" && state.get("cause").is_none()
    })
    .await;
    assert_eq!(metric(person, "tertulia_posts_refused").await, 0);
}

/// Posts until one is refused.
async fn is_refused(person: &Person, room: RoomId) {
    eventually("a post is refused", async || {
        person.tries_to_post(room, "hello").await.status == 503
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_posts_are_refused_and_reading_goes_on() {
    let disk = Disk::new();
    let house = House::opens("127.0.0.1:0", disk.path(), &["--limits", "off"]).await;
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "before").await;
    let (_, calm) = state(&ada).await;
    assert_eq!(calm["posts"], "accepted", "{calm}");
    assert!(
        calm["disk"]["free_bytes"].as_u64() > Some(1_000_000),
        "{calm}"
    );
    if !disk.fill() {
        return;
    }
    is_refused(&ada, room).await;
    refuses_posts(&ada, "disk full").await;
    let (_, full) = state(&ada).await;
    assert_eq!(full["disk"]["left"], "full", "{full}");
    disk.empty();
    accepts_posts_again(&ada).await;
    house.dies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_not_released_is_named_and_tried_at_most_once_in_five_seconds() {
    let disk = Disk::new();
    let house = House::opens("127.0.0.1:0", disk.path(), &["--limits", "off"]).await;
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    let lock = disk.lock().await;
    is_refused(&ada, room).await;
    refuses_posts(&ada, "locked").await;
    let locked = "tertulia_failed_writes_total{cause=\"locked\"}";
    let (before, begun) = (metric(&ada, locked).await, Instant::now());
    for _ in 0..200 {
        assert_eq!(state(&ada).await.1["posts"], "refused");
    }
    let tries = metric(&ada, locked).await - before;
    let most = 1 + begun.elapsed().as_secs() / 5;
    assert!(tries <= most, "{tries} tries in {:?}", begun.elapsed());
    lock.release().await;
    accepts_posts_again(&ada).await;
    ada.posts(room, "after").await;
    house.dies().await;
}

/// Writes nonsense over all of the file but its first page.
fn damage(file: &Path) {
    let file = std::fs::File::options()
        .write(true)
        .open(file)
        .expect("it is there");
    let size = file.metadata().expect("it has a size").len();
    let nonsense = vec![0xA5; usize::try_from(size).expect("a small file") - 4096];
    file.write_all_at(&nonsense, 4096).expect("it is ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_is_said_to_be_one_and_gets_no_more_people() {
    let data = TempDir::new().expect("a directory");
    let mut house = House::opens("127.0.0.1:0", data.path(), &[]).await;
    let listen = house.listen().to_owned();
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "before").await;
    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
    let house = House::opens(&listen, data.path(), &[]).await;
    ada.room(room).await;
    let somebody = house.anon("somebody");
    assert_eq!(state(&somebody).await.0, 200);
    damage(&data.path().join("tertulia.db"));
    eventually("it is found", async || state(&somebody).await.0 == 503).await;
    let (_, damaged) = state(&somebody).await;
    for (word, is) in [
        ("database", "damaged"),
        ("posts", "refused"),
        ("cause", "damaged"),
    ] {
        assert_eq!(damaged[word], is, "{damaged}");
    }
    assert_eq!(metric(&somebody, "tertulia_database_up").await, 0);
    assert!(house.has_logged("restore the newest backup"));
    house.dies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_file_that_was_taken_away_from_under_the_server_is_noticed() {
    let data = TempDir::new().expect("a directory");
    let house = House::opens("127.0.0.1:0", data.path(), &[]).await;
    let somebody = house.anon("somebody");
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    assert_eq!(state(&somebody).await.0, 200);
    let file = data.path().join("tertulia.db");
    std::fs::rename(&file, data.path().join("old.db")).expect("it is ours");
    std::fs::write(&file, "another one").expect("it is ours");
    eventually("it is found", async || state(&somebody).await.0 == 503).await;
    assert_eq!(state(&somebody).await.1["database"], "replaced");
    let refused = ada.tries_to_post(room, "into nowhere").await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    std::fs::rename(data.path().join("old.db"), &file).expect("it is ours");
    ada.posts(room, "it is back").await;
    house.dies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_server_that_stops_or_only_reads_is_told_apart() {
    let mut server = Postgres::start().await;
    let data = TempDir::new().expect("a directory");
    let url = server.url("postgres");
    let house = House::opens("127.0.0.1:0", data.path(), &["--database", &url]).await;
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    let read_only = "ALTER DATABASE postgres SET default_transaction_read_only = on";
    server.does(&[read_only, KICK]).await;
    // The connections that were ended are found out first.
    eventually("it is found", async || {
        ada.tries_to_post(room, "hello").await;
        state(&ada).await.1["cause"] == "read-only"
    })
    .await;
    refuses_posts(&ada, "read-only").await;
    server
        .does(&["SET default_transaction_read_only = off", WRITE_AGAIN, KICK])
        .await;
    accepts_posts_again(&ada).await;
    assert!(
        state(&ada).await.1.get("disk").is_none(),
        "its disk is elsewhere"
    );

    server.crashes();
    eventually("it is found", async || state(&ada).await.0 == 503).await;
    let (_, gone) = state(&ada).await;
    assert_eq!(
        (&gone["database"], &gone["posts"]),
        (&"down".into(), &"refused".into()),
        "{gone}"
    );
    server.starts().await;
    eventually("it is ready again", async || state(&ada).await.0 == 200).await;
    accepts_posts_again(&ada).await;
    house.dies().await;
}

/// What is set for a database holds for connections to come.
const KICK: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE application_name = 'tertulia' AND pid <> pg_backend_pid()";
const WRITE_AGAIN: &str = "ALTER DATABASE postgres SET default_transaction_read_only = off";
