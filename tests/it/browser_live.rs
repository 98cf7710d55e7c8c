//! A page whose line fails: it comes back by itself, by whatever way there is, and then shows what a fresh page shows.

use futures_util::StreamExt;
use tempfile::TempDir;

use crate::support::browser::{Chromium, Window};
use crate::support::proxy::Proxy;
use crate::support::{House, Person, RoomId, Town};

/// Ada and Ben in a room, she at a window behind a line that can fail.
struct Scene {
    town: Town,
    line: Proxy,
    chromium: Chromium,
    ada: Person,
    ben: Person,
    room: RoomId,
}

impl Scene {
    async fn opens() -> Scene {
        let town = Town::start().await;
        let line = Proxy::start(town.addr()).await;
        let (ada, ben) = town.ada_and_ben().await;
        let room = ada.creates_room("Tea House").await;
        ben.comes_to(room).await;
        let chromium = Chromium::opens().await;
        Scene {
            town,
            line,
            chromium,
            ada,
            ben,
            room,
        }
    }

    /// A window of Ada's, at the end of the room.
    async fn window(&self) -> Window {
        let url = self.line.url();
        let window = self.chromium.seats(&self.ada, &url, self.room).await;
        window
            .evaluates("document.querySelector('#log').scrollTop = 0")
            .await;
        window
    }

    /// Ben posts this many, sixteen at a time.
    async fn posts(&self, count: usize) {
        let post = |n| async move { self.ben.posts(self.room, &format!("message {n}")).await };
        let posts = futures_util::stream::iter(0..count).map(post);
        posts.buffer_unordered(16).count().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_comes_back_by_itself_when_the_server_was_killed() {
    let data = TempDir::new().expect("a directory");
    let house = House::opens("127.0.0.1:0", data.path(), &["--limits", "off"]).await;
    let listen = house.listen().to_owned();
    let (ada, ben) = (house.person("ada").await, house.person("ben").await);
    let room = ada.creates_room("Tea House").await;
    let chromium = Chromium::opens().await;
    let window = chromium.seats(&ada, ada.url(), room).await;
    window.posts("before").await;
    window.reads("#message-1 .text", "before").await;

    house.dies().await;
    window.is_live_by("offline").await;
    window.posts("while it is away").await;
    window.has_pending(1).await;
    window.reads("#status", "Trying again in").await;

    let house = House::opens(&listen, data.path(), &["--limits", "off"]).await;
    window.is_live_by("ws").await;
    window.reads("#message-2 .text", "while it is away").await;
    ben.posts(room, "after").await;
    window.reads("#message-3 .text", "after").await;
    window.agrees_with_a_fresh_page(&ada).await;
    window.is_still_the_same_page().await;
    drop(house);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_there_once_and_in_its_place() {
    let scene = Scene::opens().await;
    scene.posts(60).await;
    let (ben, room) = (&scene.ben, scene.room);
    let window = scene.window().await;
    window.reads("#messages", "message 59").await;
    for missed in [1, 41, 400] {
        scene.line.refuse(true);
        window.is_live_by("offline").await;
        scene.posts(missed).await;
        ben.edits(room, 55, &format!("written anew before {missed}"))
            .await;
        ben.deletes(room, 50 + missed as u64 % 4).await;
        scene.line.refuse(false);
        window.tries_now().await;
        window.agrees_with_a_fresh_page(&scene.ada).await;
    }
    let end = "document.querySelector('#log').scrollTop > -5";
    window.waits_until(end).await;
    window.is_still_the_same_page().await;
    scene.chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_missed_messages_leave_no_hole_and_readers_stay_where_they_were() {
    let scene = Scene::opens().await;
    scene.posts(60).await;
    let (window, further_up) = (scene.window().await, scene.window().await);
    let tenth =
        "[...document.querySelectorAll('#message-20')].some(item => (item.scrollIntoView(), true))";
    further_up.waits_until(tenth).await;
    scene.line.refuse(true);
    window.is_live_by("offline").await;
    scene.posts(10_000).await;
    scene.line.refuse(false);
    window.tries_now().await;
    window.waits_for("#message-10060").await;
    window.agrees_with_a_fresh_page(&scene.ada).await;
    window.is_still_the_same_page().await;
    let more = "(document.querySelector('#log').scrollTop = -1e9, document.querySelectorAll('#messages > .message').length > 90)";
    window.waits_until(more).await;
    window.agrees_with_a_fresh_page(&scene.ada).await;

    further_up.tries_now().await;
    further_up.waits_for("#newer").await;
    further_up.agrees_with_a_fresh_page(&scene.ada).await;
    let seen = "(box => box.top >= 0 && box.bottom <= innerHeight)(document.querySelector('#message-20').getBoundingClientRect())";
    further_up.waits_until(seen).await;
    scene.chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_dead_but_open_is_noticed_by_its_silence() {
    let scene = Scene::opens().await;
    let window = scene.window().await;
    scene.line.lose();
    scene.ben.posts(scene.room, "into the void").await;
    // Silence passes faster for this page than for the test.
    window
        .evaluates("(now => Date.now = () => now() + 46000)(Date.now.bind(Date))")
        .await;
    window.reads("#message-1 .text", "into the void").await;
    window.agrees_with_a_fresh_page(&scene.ada).await;
    window.is_still_the_same_page().await;
    scene.chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_websocket_gets_through_the_page_lives_on_events_and_tries_sockets_again_later() {
    let scene = Scene::opens().await;
    let window = scene.window().await;
    scene.line.strip_upgrades(true);
    scene.line.cut();
    window.reloads().await;
    window.is_live_by("sse").await;
    window.reads("#status", "server-sent events").await;

    scene.ben.posts(scene.room, "one line\n\nand another").await;
    window.reads("#message-1 .text", "one line").await;
    window.posts("the way back").await;
    window.reads("#message-2 .text", "the way back").await;
    scene.ben.reads(scene.room, 2).await;
    window.waits_for("#ticks-2[data-state=read]").await;
    window.agrees_with_a_fresh_page(&scene.ada).await;
    window.reloads().await;
    window.is_live_by("sse").await;

    scene.line.strip_upgrades(false);
    // As if ten minutes had passed.
    window.evaluates("sessionStorage.sse = 1").await;
    window.is_live_by("ws").await;
    scene.ben.posts(scene.room, "over a socket").await;
    window.reads("#message-3 .text", "over a socket").await;
    window.agrees_with_a_fresh_page(&scene.ada).await;
    drop(scene.town);
    scene.chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_never_answers_an_upgrade_is_given_up_too() {
    let scene = Scene::opens().await;
    let window = scene.window().await;
    window.gets_no_answer_from_sockets().await;
    window.reloads().await;
    window.time_flies().await;
    window.is_live_by("sse").await;
    scene.ben.posts(scene.room, "still here").await;
    window.reads("#message-1 .text", "still here").await;
    scene.chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_has_ended_leads_to_the_sign_in_page_and_back() {
    let scene = Scene::opens().await;
    let (window, away) = (scene.window().await, scene.window().await);
    for (page, is_away) in [(&window, false), (&away, true)] {
        let tab = scene.chromium.tab_beside(page).await;
        tab.goes("/").await;
        if is_away {
            scene.line.refuse(true);
            page.is_live_by("offline").await;
            scene.line.refuse(false);
        }
        tab.evaluates("document.querySelector('form[action=\"/signout\"]').requestSubmit()")
            .await;
        tab.waits_for("form[action='/signin']").await;
        page.waits_for("form[action='/signin']").await;
        let next = format!("/signin?next=%2Frooms%2F{}", scene.room);
        assert_eq!(page.path().await, next);
        page.signs_in(&scene.ada, scene.room).await;
        page.agrees_with_a_fresh_page(&scene.ada).await;
    }
    scene.chromium.closes().await;
}
