//! A PostgreSQL server that dies, stands still or is out of reach: nothing is promised that is not kept, what is wrong
//! is said in time, and when it is over nobody has to do anything. Whatever database the other tests run on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::actor::{new_key, seq_of};
use crate::support::postgres::Postgres;
use crate::support::proxy::Proxy;
use crate::support::{Answer, Ear, Person, RoomId, Town, eventually};

/// A server of its own, a town on it, and Ada in a room, who listens.
struct Scene {
    server: Postgres,
    town: Town,
    ada: Person,
    room: RoomId,
    ear: Ear,
}

impl Scene {
    async fn is_set() -> Scene {
        let server = Postgres::start().await;
        let url = server.url("postgres");
        Scene::is_set_on(server, &url).await
    }

    async fn is_set_on(server: Postgres, url: &str) -> Scene {
        let town = Town::with(&["--database", url]).await;
        let ada = town.person("ada").await;
        let room = ada.creates_room("General").await;
        let mut ear = ada.listens(room, 0).await;
        let seq = ada.posts(room, "before").await;
        ear.sees(seq).await;
        Scene {
            server,
            town,
            ada,
            room,
            ear,
        }
    }

    /// The post is answered in time, with no tick.
    async fn refuses(&self, key: &str) -> Answer {
        let begun = Instant::now();
        let answer = self.ada.posts_with_key(self.room, "hello", key).await;
        let answer = answer.is(503);
        assert!(
            begun.elapsed() < Duration::from_secs(11),
            "{:?}",
            begun.elapsed()
        );
        assert!(answer.header("retry-after").parse::<u64>().is_ok());
        assert!(answer.messages().is_empty(), "no tick");
        answer
    }

    /// The post is stored by itself before long, once, and those who listen hear it over the line they have.
    async fn recovers(mut self, key: &str) {
        let (ada, room) = (self.ada.clone(), self.room);
        eventually("it is stored", async || {
            let again = ada.posts_with_key(room, "hello", key).await;
            again.status == 200
        })
        .await;
        let again = ada.posts_with_key(room, "hello", key).await.is(200);
        let heard = self.ear.sees(seq_of(&again)).await;
        assert_eq!(heard.text, "hello");
        let texts = ada.reads_back(room).await.into_iter().map(|it| it.text);
        assert_eq!(texts.collect::<Vec<_>>(), ["before", "hello"]);
        eventually("it is ready", async || {
            ada.gets("/readyz").await.status == 200
        })
        .await;
        drop(self.town);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_and_comes_back_is_a_pause() {
    let mut scene = Scene::is_set().await;
    scene.server.crashes();
    let key = new_key();
    scene.refuses(&key).await;
    scene.ada.gets("/readyz").await.is(503);
    let page = scene.ada.gets(&format!("/rooms/{}", scene.room)).await;
    assert!(page.is(503).is_a_page(), "it says what is wrong");
    scene.refuses(&key).await;
    scene.server.starts().await;
    scene.recovers(&key).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_is_not_waited_for_longer_than_a_post_has() {
    let scene = Scene::is_set().await;
    scene.server.is_frozen(true);
    let key = new_key();
    scene.refuses(&key).await;
    scene.refuses(&key).await;
    scene.ada.gets("/readyz").await.is(503);
    let begun = Instant::now();
    scene
        .ada
        .gets(&format!("/rooms/{}", scene.room))
        .await
        .is(503);
    assert!(begun.elapsed() < Duration::from_secs(11), "nor a page");
    scene.server.is_frozen(false);
    scene.recovers(&key).await;
}

/// The way of a scene's town to its server.
async fn line_to(server: &Postgres) -> (Proxy, String) {
    let target = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let line = Proxy::start(target).await;
    let url = server.url("postgres");
    let (_, near) = line.url().rsplit_once(':').map_or_else(
        || panic!("a URL with a port"),
        |(host, port)| (host.to_owned(), port.to_owned()),
    );
    let far = server.port().to_string();
    (line, url.replace(&far, &near))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_lost_without_a_word_is_found_again() {
    let server = Postgres::start().await;
    let (line, url) = line_to(&server).await;
    let scene = Scene::is_set_on(server, &url).await;
    line.lose();
    line.stall(true);
    let key = new_key();
    scene.refuses(&key).await;
    line.stall(false);
    scene.recovers(&key).await;
}

/// Every commit of a message with this text takes a second.
const SLOW_COMMIT: [&str; 2] = [
    "CREATE FUNCTION rest() RETURNS trigger LANGUAGE plpgsql AS \
     $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$",
    "CREATE CONSTRAINT TRIGGER rest AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED \
     FOR EACH ROW WHEN (NEW.body = 'slowly') EXECUTE FUNCTION rest()",
];

/// Posts what takes long to commit, and waits until the server is at it.
async fn commits_slowly(scene: &Scene, key: &str) -> tokio::task::JoinHandle<Answer> {
    scene.server.does(&SLOW_COMMIT).await;
    let (ada, room, key) = (scene.ada.clone(), scene.room, key.to_owned());
    let posting = tokio::spawn(async move { ada.posts_with_key(room, "slowly", &key).await });
    let committing = "SELECT 1 / COUNT(*) FROM pg_stat_activity \
        WHERE wait_event = 'PgSleep' AND query = 'COMMIT'";
    scene.server.does_when_it_can(committing).await;
    posting
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_was_lost_is_found_out_told_and_answered() {
    let server = Postgres::start().await;
    let (line, url) = line_to(&server).await;
    let mut scene = Scene::is_set_on(server, &url).await;
    let key = new_key();
    let posting = commits_slowly(&scene, &key).await;
    line.cut();
    let answer = posting.await.expect("it is answered").is(200);
    let heard = scene.ear.sees(seq_of(&answer)).await;
    assert_eq!(heard.text, "slowly", "those who listen hear it");
    let again = scene.ada.posts_with_key(scene.room, "slowly", &key).await;
    assert_eq!(seq_of(&again.is(200)), seq_of(&answer));
    assert_eq!(scene.ada.reads_back(scene.room).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_the_server_took_to_its_grave_is_refused_and_can_be_tried_again() {
    let mut scene = Scene::is_set().await;
    let key = new_key();
    let posting = commits_slowly(&scene, &key).await;
    scene.server.crashes();
    scene.server.starts().await;
    let answer = posting.await.expect("it is answered").is(503);
    assert!(answer.messages().is_empty(), "no tick");
    let again = scene.ada.posts_with_key(scene.room, "slowly", &key).await;
    assert_eq!(seq_of(&again.is(200)), 2, "and no number was lost");
    scene.ear.sees(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_dies_again_and_again_everything_is_stored_and_heard_once() {
    let mut scene = Scene::is_set().await;
    let is_over = Arc::new(AtomicBool::new(false));
    let posters = (0..12).map(|tab| {
        let (ada, room, is_over) = (scene.ada.clone(), scene.room, is_over.clone());
        tokio::spawn(async move {
            let mut said = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let (body, key) = (format!("tab {tab} post {}", said.len()), new_key());
                while ada.posts_with_key(room, &body, &key).await.status != 200 {}
                said.push(body);
            }
            said
        })
    });
    let posters: Vec<_> = posters.collect();
    for last in [50, 150, 250] {
        scene.ear.sees_when(|message| message.seq >= last).await;
        scene.server.crashes();
        scene.server.starts().await;
    }
    is_over.store(true, Ordering::Relaxed);
    let mut said = vec!["before".to_owned()];
    for poster in posters {
        said.extend(poster.await.expect("no panic"));
    }
    let end = scene.ada.posts(scene.room, "after").await;
    said.push("after".to_owned());
    scene.ear.sees(end).await;

    let frames = scene.ear.frames().iter();
    let heard = frames.flat_map(|frame| crate::support::messages_in(frame));
    let mut heard: Vec<_> = heard.map(|message| (message.seq, message.text)).collect();
    heard.sort();
    let stored = scene.ada.reads_back(scene.room).await;
    let stored: Vec<_> = stored.into_iter().map(|it| (it.seq, it.text)).collect();
    assert_eq!(heard, stored, "each is heard once");
    assert!(stored.iter().map(|(seq, _)| *seq).eq(1..=end), "no hole");
    let mut stored: Vec<_> = stored.into_iter().map(|(_, text)| text).collect();
    stored.sort();
    said.sort();
    assert_eq!(stored, said, "each is stored once");
}
