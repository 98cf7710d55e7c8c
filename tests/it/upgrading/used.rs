//! What earlier versions wrote is there after the upgrade, on both databases, and people go on.

use std::collections::BTreeMap;
use std::path::Path;

use migrations::{Migrator, MigratorTrait};
use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use super::golden::{GOLDEN, facts, file, golden, is_kept, open, tables, texts, url};
use crate::starting::is_sound;
use crate::support::process::outcome_of;
use crate::support::{House, Town, databases, postgres};

/// Tables that a move leaves exactly as they are.
const COPIED: [&str; 4] = ["users", "rooms", "memberships", "messages"];

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
