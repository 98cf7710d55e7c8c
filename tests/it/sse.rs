//! The live channel as a stream of events: the same fragments as over a WebSocket, and nothing lost by a break.

use crate::support::live::Closed;
use crate::support::{Person, Town};

/// More than the operating system and the server's queue hold together.
const POSTS: u64 = 1_200;

/// A fragment as it is compared between the transports: the end of an event is no part of it.
fn normal(fragment: &str) -> String {
    fragment.trim_end().to_owned()
}

#[tokio::test]
async fn a_stream_brings_the_same_fragments_as_a_websocket() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "before").await;
    let (mut ear, mut stream) = (ben.listens(room, 0).await, ben.follows(room, 0).await);
    ear.sees(1).await;
    stream.sees(1).await;
    ada.posts(room, "two\n\nparagraphs <b>&").await;
    ada.edits(room, 1, "before, edited").await;
    ada.deletes(room, 2).await;
    ear.sees_when(|it| it.rev == 4).await;
    while stream.last_id() != format!("{room}:4") {
        stream.next().await.expect("the stream goes on");
    }

    let of_the_room = |fragments: Vec<&str>| -> Vec<String> {
        let shown = fragments
            .into_iter()
            .filter(|it| it.contains("id=\"message-"));
        shown.map(normal).collect()
    };
    let heard = ear.frames().iter().map(String::as_str).collect();
    assert_eq!(of_the_room(stream.fragments()), of_the_room(heard));
}

#[tokio::test]
async fn who_comes_back_with_the_last_id_gets_exactly_what_was_missed() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let other = ada.creates_room("Other").await;
    ada.posts(room, "one").await;
    let mut stream = ben.follows(room, 0).await;
    stream.sees(1).await;
    ada.posts(room, "two").await;
    stream.sees(2).await;
    assert_eq!(stream.last_id(), format!("{room}:2"));
    drop(stream);
    ada.posts(room, "three").await;

    let query = format!("?room={room}&rev=0");
    let back = |id: String| {
        let (ben, query) = (ben.clone(), query.clone());
        async move { ben.tries_to_follow(&query, &id).await.expect("it opens") }
    };
    let mut stream = back(format!("{room}:2")).await;
    stream.sees(3).await;
    let seen: String = stream.fragments().concat();
    assert!(!seen.contains("id=\"message-2\""), "seen before: {seen}");
    for odd in [format!("{other}:2"), "nonsense".into(), format!("{room}:x")] {
        let mut stream = back(odd).await;
        stream.sees(1).await;
    }
    let mut lobby = ben.tries_to_follow("", "").await.expect("it opens");
    ada.posts(other, "news").await;
    lobby.hears("news").await;
}

#[tokio::test]
async fn an_answer_to_the_question_makes_ticks_delivered() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.opens_chat_with(&ben).await;
    let mut stream = ben.follows(room, 0).await;
    ada.posts(room, "hello").await;
    stream.sees(1).await;
    let ask = stream.is_told("ask").await;
    ada.answers(&ask).await;
    assert_eq!(
        ada.tick(room, 1).await,
        "sent",
        "another's word counts nothing"
    );
    ben.answers(&ask).await;
    ada.sees_tick(room, 1, "delivered").await;
    ben.answers(&ask).await;
    ada.posts(room, "again").await;
    stream.sees(2).await;
    let next = stream.is_told("ask").await;
    assert_ne!(next, ask, "each question has its own number");
}

#[tokio::test]
async fn a_fourth_page_of_a_browser_parks_the_first() {
    let town = Town::start().await;
    let (ada, _) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let mut pages = Vec::new();
    for _ in 0..3 {
        let mut page = ada.follows(room, 0).await;
        page.hears("id=\"floors\"").await;
        pages.push(page);
    }
    let elsewhere = ada.elsewhere();
    elsewhere.signs_in().await;
    let mut other_browser = elsewhere.follows(room, 0).await;
    let mut fourth = ada.follows(room, 0).await;
    pages[0].is_told("parked").await;
    assert_eq!(pages[0].next().await, None, "it has ended");
    ada.posts(room, "hello").await;
    for page in pages[1..]
        .iter_mut()
        .chain([&mut fourth, &mut other_browser])
    {
        page.sees(1).await;
    }
}

#[tokio::test]
async fn signing_out_ends_the_stream_with_a_word() {
    let town = Town::start().await;
    let (ada, _) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let mut stream = ada.follows(room, 0).await;
    stream.hears("id=\"floors\"").await;
    let copy = ada.copied();
    ada.submits("/live/session", &[]).await.is(204);
    ada.submits("/signout", &[]).await;
    stream.is_told("signed-out").await;
    assert_eq!(stream.next().await, None, "it has ended");
    copy.submits("/live/session", &[]).await.is(401);
    copy.gets("/live/events").await.is(401);
}

#[tokio::test]
async fn who_may_not_come_is_told_so_before_the_stream() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let carla = town.person("carla").await;
    let direct = ada.opens_chat_with(&ben).await;
    let query = format!("?room={direct}&rev=0");
    let status =
        async |person: Person, query: &str, id: &str| person.tries_to_follow(query, id).await.err();
    assert_eq!(status(town.anon(), &query, "").await, Some(401));
    let forged = town.anon();
    let (name, _) = ada.session().expect("she is signed in");
    forged.has_cookie(&name, "AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(status(forged, &query, "").await, Some(401));
    assert_eq!(status(carla.clone(), &query, "").await, Some(404));
    let id = format!("{direct}:1");
    assert_eq!(
        status(carla.clone(), "?room=999&rev=0", &id).await,
        Some(404)
    );
    assert_eq!(status(ben.clone(), "?rev=x", "").await, Some(400));
    let foreign = [("origin", "http://evil"), ("sec-fetch-site", "cross-site")];
    for (name, value) in foreign {
        let ask = ben.asks(reqwest::Method::GET, "/live/events");
        ask.header(name, value).sends().await.is(403);
    }
    let form = [("connection", "1"), ("number", "1")];
    town.anon().submits("/live/received", &form).await.is(401);
    carla.submits("/live/received", &form).await.is(204);
    carla
        .submits("/live/received", &[("connection", "x")])
        .await
        .is(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_tells_its_streams_to_come_back() {
    let town = Town::start().await;
    let (ada, _) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let (mut ear, mut stream) = (ada.listens(room, 0).await, ada.follows(room, 0).await);
    stream.hears("id=\"floors\"").await;
    town.closes();
    stream.is_told("restart").await;
    assert_eq!(stream.next().await, None, "it has ended");
    assert_eq!(ear.closes_with().await, Closed(Some(1012)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_nobody_reads_delays_nobody() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let mut asleep = ben.follows(room, 0).await;
    let mut awake = ben.follows(room, 0).await;
    let writing = tokio::spawn(async move {
        let text = "long ".repeat(1_999);
        for _ in 0..POSTS {
            ada.posts(room, &text).await;
        }
    });
    awake.sees(POSTS).await;
    writing.await.expect("nobody waited for the sleeper");
    // What was on its way before it was cut is still there; then it ends.
    while asleep.next().await.is_some() {}
    let last = format!("id=\"message-{POSTS}\"");
    assert!(
        !asleep.fragments().concat().contains(&last),
        "it was cut before the end"
    );
}
