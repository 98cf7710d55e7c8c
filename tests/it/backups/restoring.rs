//! What was backed up is there again, and what must not be is not.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tempfile::TempDir;

use super::{backup_of, does, names, runs_with_an_open_umask, sqlite, text};
use crate::moving::{contents, eventful_town, has_a_link, incarnation};
use crate::support::{House, Person, RoomId, Town, databases, eventually};

/// Posts until it is told to stop, and tells the numbers and texts of what was answered.
async fn posts_on(
    person: Person,
    room: RoomId,
    tab: usize,
    (answered, enough): (Arc<AtomicUsize>, Arc<AtomicBool>),
) -> Vec<(u64, String)> {
    let mut posted = Vec::new();
    while !enough.load(Ordering::Relaxed) {
        let body = format!("tab {tab} post {}", posted.len());
        posted.push((person.posts(room, &body).await, body));
        answered.fetch_add(1, Ordering::Relaxed);
    }
    posted
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_made_while_people_post_has_all_that_was_answered_before() {
    let place = TempDir::new().expect("a directory");
    let (data, again) = (place.path().join("data"), place.path().join("again"));
    let (old, new) = (data.join("tertulia.db"), again.join("tertulia.db"));
    let flags = ["--limits", "off", "--database", &sqlite(&old)];
    let house = House::opens("127.0.0.1:0", &data, &flags).await;
    let listen = house.listen().to_owned();
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    let (answered, enough) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let tabs: Vec<_> = (0..4)
        .map(|tab| {
            let shared = (Arc::clone(&answered), Arc::clone(&enough));
            tokio::spawn(posts_on(ada.clone(), room, tab, shared))
        })
        .collect();
    eventually("a hundred posts are answered", async || {
        answered.load(Ordering::Relaxed) >= 100
    })
    .await;
    let before = answered.load(Ordering::Relaxed);
    let backups = place.path().join("backups");
    let to = format!("{}/", backups.display());
    let line = ["backup", "--data", text(&data), "--to", &to];
    let (went_well, said) = runs_with_an_open_umask(&line).await;
    assert!(went_well && said.contains("1 people, 1 rooms"), "{said}");
    let during = answered.load(Ordering::Relaxed);
    eventually("posting goes on", async || {
        answered.load(Ordering::Relaxed) > during
    })
    .await;
    enough.store(true, Ordering::Relaxed);
    let mut posted = Vec::new();
    for tab in tabs {
        posted.extend(tab.await.expect("each post was answered"));
    }
    house.dies().await;

    let made = names(&backups);
    assert!(
        made.len() == 1 && made[0].starts_with("tertulia-2"),
        "{made:?}"
    );
    let backup = backups.join(&made[0]);
    let said = does(&["backup", "--verify", text(&backup)]).await;
    assert!(said.contains("whole and unchanged"), "{said}");
    let line = ["restore", "--from", text(&backup), "--data", text(&again)];
    let (went_well, said) = runs_with_an_open_umask(&line).await;
    assert!(went_well, "{said}");
    for (path, rights) in [
        (&backup, 0o600),
        (&new, 0o600),
        (&backups, 0o700),
        (&again, 0o700),
    ] {
        let mode = std::fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, rights, "{}", path.display());
    }

    let flags = ["--limits", "off", "--database", &sqlite(&new)];
    let house = House::opens(&listen, &again, &flags).await;
    let lobby = ada.gets("/").await.is(303);
    assert!(lobby.location().starts_with("/signin"), "{lobby:?}");
    ada.signs_in().await;
    let stored = ada.reads_back(room).await;
    let seqs: Vec<_> = stored.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "no hole");
    assert!(seqs.len() >= before, "{} of {before}", seqs.len());
    for (seq, body) in posted {
        if let Some(message) = stored.get(seq as usize - 1) {
            assert_eq!(message.text, body);
        }
    }
    let next = ada.posts(room, "it goes on").await;
    assert_eq!(next, seqs.len() as u64 + 1);
    house.dies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_goes_from_either_database_into_either_while_it_is_served() {
    let place = TempDir::new().expect("a directory");
    let dir = |name: &str| {
        let dir = place.path().join(name);
        std::fs::create_dir(&dir).expect("room");
        dir
    };
    let (from, to) = (dir("from"), dir("to"));
    let (served, other) = (databases::url(&from).await, databases::url(&to).await);
    let town = eventful_town(&served).await;
    has_a_link(&served).await;
    let backup = backup_of(&served, &dir("first")).await;
    let file = place.path().join("restored.db");
    let first = [
        "restore",
        "--from",
        text(&backup),
        "--database",
        &sqlite(&file),
    ];
    let said = does(&first).await;
    assert!(said.contains("3 people, 2 rooms, 41 messages"), "{said}");
    town.ends().await;

    does(&["restore", "--from", text(&backup), "--database", &other]).await;
    let backup = backup_of(&other, &dir("second")).await;
    let back = place.path().join("back.db");
    does(&[
        "restore",
        "--from",
        text(&backup),
        "--database",
        &sqlite(&back),
    ])
    .await;
    let (file, back) = (sqlite(&file), sqlite(&back));
    let all = async |url| contents(url, &["one_time_links", "sessions"]).await;
    assert_eq!(all(&file).await, all(&back).await);
    let incarnations =
        [&file, &back, &served, &other].map(async |url: &String| incarnation(url).await);
    let incarnations = futures_util::future::join_all(incarnations).await;
    for (at, one) in incarnations.iter().enumerate() {
        assert!(
            !incarnations[..at].contains(one),
            "each is another one to pages"
        );
    }

    let town = Town::with(&["--database", &other]).await;
    let ada = town.anon_as("ada");
    ada.signs_in().await;
    assert_eq!(ada.posts(1, "it goes on").await, 41);
    let dora = town.person("dora").await;
    dora.creates_room("Another").await;
    assert_eq!(dora.posts(3, "the ids go on, too").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_old_database_left_is_not_mixed_into_the_restored_one() {
    let place = TempDir::new().expect("a directory");
    let data = place.path().join("data");
    let file = data.join("tertulia.db");
    let flags = ["--limits", "off", "--database", &sqlite(&file)];
    let house = House::opens("127.0.0.1:0", &data, &flags).await;
    let listen = house.listen().to_owned();
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "before").await;
    let backup = backup_of(&sqlite(&file), place.path()).await;
    for n in 0..50 {
        ada.posts(room, &format!("after {n}")).await;
    }
    house.dies().await;
    let log = data.join("tertulia.db-wal");
    assert!(std::fs::metadata(&log).expect("a kill leaves it").len() > 0);
    std::fs::remove_file(&file).expect("the operator removes it");
    std::fs::write(data.join("tertulia.db-journal"), "of long ago").expect("room");

    does(&["restore", "--from", text(&backup), "--data", text(&data)]).await;
    let beside = names(&data);
    let beside: Vec<_> = beside.iter().map(String::as_str).collect();
    for gone in ["tertulia.db-wal", "tertulia.db-shm", "tertulia.db-journal"] {
        assert!(!beside.contains(&gone), "{beside:?}");
    }
    let aside = data.join("tertulia.db-wal.old-1");
    assert!(aside.exists(), "the old log may hold what is nowhere else");
    let house = House::opens(&listen, &data, &flags).await;
    ada.signs_in().await;
    let texts: Vec<_> = ada
        .reads_back(room)
        .await
        .into_iter()
        .map(|it| it.text)
        .collect();
    assert_eq!(texts, ["before"]);
    house.dies().await;
}
