//! A database that has another past than pages know: after a restore numbers are used again, and a new build makes other
//! pages. What stands in a page is never a mixture of both, and nothing that somebody typed is lost.

use std::path::{Path, PathBuf};

use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;

use crate::support::browser::{Chromium, Window};
use crate::support::live::Closed;
use crate::support::postgres::Postgres;
use crate::support::proxy::Proxy;
use crate::support::{House, Person, Shown, Town, databases, eventually};

/// Runs statements on a file of SQLite's.
async fn does(file: &Path, statements: &[String]) {
    let database = Database::connect(format!("sqlite://{}?mode=rw", file.display())).await;
    let database = database.expect("the database is there");
    for sql in statements {
        let done = database.execute_unprepared(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    database.close().await.expect("it was open");
}

/// A copy of the database as it is now.
async fn copy(data: &Path) -> PathBuf {
    let copy = data.join("copy.db");
    let sql = format!("VACUUM INTO '{}'", copy.display());
    does(&data.join("tertulia.db"), &[sql]).await;
    copy
}

/// What a restore leaves: the copy in the place of the database, named as another past.
async fn restore(data: &Path) {
    let file = data.join("tertulia.db");
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(data.join(format!("tertulia.db{end}")));
    }
    std::fs::rename(data.join("copy.db"), &file).expect("the copy is there");
    does(
        &file,
        &["UPDATE settings SET value = 'restored' WHERE name = 'incarnation'".into()],
    )
    .await;
}

/// Which build and which past a page is of.
async fn version(person: &Person) -> String {
    person
        .lobby()
        .await
        .attrs("#lobby-cursor", "data-version")
        .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_under_open_pages_leaves_no_hole_and_mixes_nothing() {
    let data = TempDir::new().expect("a directory");
    let flags = ["--limits", "off", "--database"];
    let file = format!("sqlite://{}/tertulia.db", data.path().display());
    let flags = [&flags[..], &[file.as_str()]].concat();
    let house = House::opens("127.0.0.1:0", data.path(), &flags).await;
    let listen = house.listen().to_owned();
    let (ada, ben) = (house.person("ada").await, house.person("ben").await);
    let room = ada.creates_room("Tea House").await;
    for n in 1..=3 {
        ben.posts(room, &format!("kept {n}")).await;
    }
    let chromium = Chromium::opens().await;
    let window = chromium.seats(&ada, ada.url(), room).await;
    let other = chromium.seats(&ada, ada.url(), room).await;
    copy(data.path()).await;
    for n in 4..=6 {
        ben.posts(room, &format!("lost {n}")).await;
    }
    let gone = ben.creates_room("Lost Room").await;
    ben.posts(gone, "lost, too").await;

    window.reads("#message-6 .text", "lost 6").await;
    window.writes("#composer-body", "half a sentence").await;
    other.goes(&format!("/rooms/{gone}")).await;
    other.reads("#message-1 .text", "lost, too").await;
    let known = version(&ben).await;
    let at = ben.lobby().await.attrs("#lobby-cursor", "data-at").concat();

    house.dies().await;
    window.is_live_by("offline").await;
    restore(data.path()).await;
    let house = House::opens(&listen, data.path(), &flags).await;
    // Numbers are used again, and go past the end that the pages know, maybe before they are back.
    for n in 4..=8 {
        ben.posts(room, &format!("new {n}")).await;
    }
    let new = ben.creates_room("Another Room").await;
    assert_eq!(new, gone, "its number is used again");
    ben.posts(new, "of another room").await;

    window.is_live_by("ws").await;
    window.reads("#message-8 .text", "new 8").await;
    let texts =
        "[...document.querySelectorAll('#messages .text')].map(it => it.textContent).join()";
    let right = format!("{texts} === 'kept 1,kept 2,kept 3,new 4,new 5,new 6,new 7,new 8'");
    window.waits_until(&right).await;
    window
        .waits_until("!document.body.textContent.includes('Lost Room')")
        .await;
    let draft = "document.querySelector('#composer-body').value === 'half a sentence'";
    window.waits_until(draft).await;
    window.is_still_the_same_page().await;
    window.agrees_with_a_fresh_page(&ada).await;
    // The other page is of no room, or of another one that has its number since, head and all.
    let another = "[...document.querySelectorAll('#room-name')].every(it => it.textContent === 'Another Room')";
    other
        .waits_until(&format!(
            "{another} && !document.body.textContent.includes('lost, too')"
        ))
        .await;
    // What is said then comes to both, and is read where it stands.
    ben.posts(room, "after all").await;
    window.reads("#message-9 .text", "after all").await;

    // A client that speaks no HTML: it says what it knows, and gets all of it afresh.
    let query = format!("?room={room}&rev=6&at={at}&version={known}");
    let mut raw = ben
        .tries_to_listen(&query)
        .await
        .expect("the channel opens");
    let first = raw.sees_until(|it| it.seq == 9).await;
    let texts: Vec<_> = first.iter().map(|it: &Shown| it.text.as_str()).collect();
    assert_eq!(texts[..4], ["kept 1", "kept 2", "kept 3", "new 4"]);
    raw.hears("Another Room").await;
    let query = format!("?room={new}&rev=1&at={at}&version={known}");
    let mut raw = ben
        .tries_to_listen(&query)
        .await
        .expect("the channel opens");
    assert_eq!(raw.sees(1).await.text, "of another room");
    let head = raw.hears("#room-name").await;
    assert!(head.contains("<bdi>Another Room</bdi>"), "{head}");
    let query = format!("?room=99&rev=6&at={at}&version={known}");
    let mut raw = ben
        .tries_to_listen(&query)
        .await
        .expect("the channel opens");
    let frame = raw.hears("Another Room").await;
    assert!(
        frame.contains("Pick up a conversation"),
        "the room is gone: {frame}"
    );
    drop(house);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_and_a_half_corrected_one_survive_a_restore() {
    let data = TempDir::new().expect("a directory");
    let file = format!("sqlite://{}/tertulia.db", data.path().display());
    let flags = ["--limits", "off", "--database", file.as_str()];
    let house = House::opens("127.0.0.1:0", data.path(), &flags).await;
    let listen = house.listen().to_owned();
    let ada = house.person("ada").await;
    let room = ada.creates_room("Tea House").await;
    ada.posts(room, "a slip").await;
    let chromium = Chromium::opens().await;
    let window = chromium.seats(&ada, ada.url(), room).await;
    copy(data.path()).await;
    corrects(&window, "a slip, half corr").await;
    house.dies().await;
    window.is_live_by("offline").await;
    window.posts("said while it was away").await;
    window.has_pending(1).await;
    restore(data.path()).await;
    let house = House::opens(&listen, data.path(), &flags).await;
    window
        .reads("#message-2 .text", "said while it was away")
        .await;
    window.has_pending(0).await;
    let kept = "document.querySelector('#composer-body').value.includes('half corr')";
    window.waits_until(kept).await;
    drop(house);
    chromium.closes().await;
}

/// Somebody begins to correct their first message.
async fn corrects(window: &Window, text: &str) {
    window
        .evaluates("document.querySelector('#message-1 a[href$=\"/edit\"]').click()")
        .await;
    window.waits_for(".edit textarea").await;
    window.writes(".edit textarea", text).await;
}

#[tokio::test]
async fn a_page_of_another_build_is_made_afresh_and_told_to_load_the_new_one() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "hello").await;
    let now = version(&ada).await;
    let (build, past) = now.split_once('.').expect("both are named");
    let said = |version: String| {
        let ada = &ada;
        async move {
            let query = format!("?room={room}&rev=1&at=0&version={version}");
            let mut page = ada
                .tries_to_listen(&query)
                .await
                .expect("the channel opens");
            page.hears("id=\"lobby-cursor\"").await;
            page.frames().concat()
        }
    };
    let same = said(now.clone()).await;
    assert!(
        !same.contains("message-1") && !same.contains("new version"),
        "{same}"
    );
    let old_build = said(format!("0123456789abcdef.{past}")).await;
    assert!(old_build.contains("message-1") && old_build.contains("A new version is here"));
    assert!(
        old_build.contains(&format!("data-version=\"{now}\"")),
        "{old_build}"
    );
    let other_past = said(format!("{build}.0123456789abcdef.")).await;
    assert!(other_past.contains("message-1") && !other_past.contains("new version"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_build_says_so_and_is_loaded_anew_when_nobody_looks() {
    let town = Town::start().await;
    let line = Proxy::start(town.addr()).await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "hello").await;
    let chromium = Chromium::opens().await;
    let window = chromium.seats(&ada, &line.url(), room).await;
    window.reads("#message-1 .text", "hello").await;
    window.writes("#composer-body", "half a sentence").await;
    let another = "const {dataset} = document.querySelector('#lobby-cursor'); \
        dataset.version = '0123456789abcdef' + dataset.version.slice(16); window.isOld = true";
    window
        .evaluates(&format!("(() => {{ {another} }})()"))
        .await;
    line.refuse(true);
    window.is_live_by("offline").await;
    line.refuse(false);
    window.reads("#update", "A new version is here").await;
    window.waits_until("window.isOld").await;
    let hidden = "Object.defineProperty(document, 'hidden', {get: () => true}), true";
    window.evaluates(hidden).await;
    let kept =
        "!window.isOld && document.querySelector('#composer-body')?.value === 'half a sentence'";
    window.waits_until(kept).await;
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_is_another_past() {
    let mut postgres = Postgres::start().await;
    let town = Town::with(&["--database", &postgres.url("postgres")]).await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "hello").await;
    let before = version(&ada).await;
    let mut page = ada.listens(room, 1).await.settled().await;
    postgres.begins_a_new_timeline().await;
    assert_eq!(page.closes_with().await, Closed(Some(1012)));
    let after = version(&ada).await;
    assert!(
        before.ends_with(".00000001") && after.ends_with(".00000002"),
        "{before} {after}"
    );
    let at = ada.lobby().await.attrs("#lobby-cursor", "data-at").concat();
    let query = format!("?room={room}&rev=1&at={at}&version={before}");
    let mut page = ada
        .tries_to_listen(&query)
        .await
        .expect("the channel opens");
    assert_eq!(page.sees(1).await.text, "hello");
    ada.posts(room, "and on").await;
    assert_eq!(page.sees(2).await.text, "and on");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_database_gets_another_past_under_a_node_live_pages_end_and_begin_afresh() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "hello").await;
    ben.comes_to(room).await;
    let before = version(&ada).await;
    let mut page = ada.listens(room, 1).await.settled().await;
    let database = databases::open(town.data()).await;
    for sql in [
        "UPDATE rooms SET name = 'Restored', name_folded = 'restored'",
        "UPDATE settings SET value = 'another' WHERE name = 'incarnation'",
    ] {
        let done = database.execute_unprepared(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    database.close().await.expect("it was open");
    assert_eq!(page.closes_with().await, Closed(Some(1012)));
    eventually("pages are of the new past", async || {
        version(&ada).await != before
    })
    .await;
    // What was remembered of rooms is read anew.
    let head = ada.room(room).await.texts("#room-name");
    assert_eq!(head, ["Restored"]);
}
