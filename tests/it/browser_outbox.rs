//! What is sent while the line fails: it shows at once, waits, survives, and is stored once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::support::browser::{Chromium, Window};
use crate::support::proxy::Proxy;
use crate::support::{Person, RoomId, Town, eventually};

/// Ada and Ben in a room, behind a line that can fail.
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

    async fn window(&self) -> Window {
        self.chromium
            .seats(&self.ada, &self.line.url(), self.room)
            .await
    }

    /// The texts in the room, in their order.
    async fn texts(&self) -> Vec<String> {
        let messages = self.ben.room(self.room).await.messages();
        messages.into_iter().map(|message| message.text).collect()
    }

    /// The address of the room.
    fn path(&self) -> String {
        format!("/rooms/{}", self.room)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_shows_at_once_and_becomes_the_stored_one_in_its_place() {
    let scene = Scene::opens().await;
    let window = scene.window().await;
    scene.ben.posts(scene.room, "hello").await;
    window.reads("#message-1 .text", "hello").await;
    scene.line.stall(true);
    window.posts("on its way").await;
    window.has_pending(1).await;
    window.reads("#messages > .pending", "on its way").await;
    window.waits_for(".pending .waiting").await;
    let composer = "document.querySelector('#composer-body').value === ''";
    window.waits_until(composer).await;
    scene.line.stall(false);
    window.reads("#message-2 .text", "on its way").await;
    window.has_pending(0).await;
    window.agrees_with_a_fresh_page(&scene.ada).await;
    scene.chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_offline_survives_a_reload_and_arrives_in_order_and_once() {
    let scene = Scene::opens().await;
    let window = scene.window().await;
    scene.line.refuse(true);
    for text in ["one", "two", "three"] {
        window.posts(text).await;
    }
    window.has_pending(3).await;
    window.writes("#composer-body", "not sent yet").await;
    window.goes_nowhere().await;
    assert_eq!(scene.texts().await, Vec::<String>::new());

    scene.line.refuse(false);
    window.goes(&scene.path()).await;
    window.reads("#message-3 .text", "three").await;
    window.has_pending(0).await;
    window.agrees_with_a_fresh_page(&scene.ada).await;
    assert_eq!(scene.texts().await, ["one", "two", "three"]);
    let draft = "document.querySelector('#composer-body').value === 'not sent yet'";
    window.waits_until(draft).await;
    scene.chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_from_an_old_place_is_to_be_seen_at_the_end() {
    let scene = Scene::opens().await;
    for n in 1..=60 {
        scene.ben.posts(scene.room, &format!("message {n}")).await;
    }
    let window = scene.window().await;
    window.goes(&format!("{}?at=5", scene.path())).await;
    window.waits_for("#newer").await;
    window.posts("from afar").await;
    window.reads("#message-61 .text", "from afar").await;
    window.has_pending(0).await;
    scene.chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_no_second_message() {
    let scene = Scene::opens().await;
    let window = scene.window().await;
    for n in 1..=5 {
        window.posts(&format!("message {n}")).await;
        scene.line.cut();
    }
    window.tries_now().await;
    window.reads("#message-5 .text", "message 5").await;
    window.has_pending(0).await;
    window.agrees_with_a_fresh_page(&scene.ada).await;
    let texts: Vec<_> = (1..=5).map(|n| format!("message {n}")).collect();
    assert_eq!(scene.texts().await, texts);
    scene.chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_says_why_and_holds_nothing_up() {
    let scene = Scene::opens().await;
    let window = scene.window().await;
    let long = "x\\n".repeat(501);
    window
        .evaluates(&format!(
            "document.querySelector('#composer-body').value = '{long}y'"
        ))
        .await;
    window.presses("#composer-body", "Enter").await;
    window.reads(".pending .refused", "at most 500 lines").await;
    window.posts("this one is fine").await;
    window.reads("#message-1 .text", "this one is fine").await;

    window.reloads().await;
    window.reads(".pending .refused", "at most 500 lines").await;
    window.clicks(".pending [data-retry]").await;
    window.reads(".pending .refused", "at most 500 lines").await;
    window.clicks(".pending [data-drop]").await;
    window.has_pending(0).await;
    window.agrees_with_a_fresh_page(&scene.ada).await;
    scene.chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_send_a_waiting_message_once_between_them() {
    let scene = Scene::opens().await;
    let window = scene.window().await;
    let tab = scene.chromium.tab_beside(&window).await;
    tab.goes(&scene.path()).await;
    tab.is_live_by("ws").await;
    // From the beginning on: a request may wait for the line longer than anybody looks.
    for page in [&window, &tab] {
        page.evaluates(COUNT_STORED).await;
    }
    scene.line.refuse(true);
    for text in ["one", "two"] {
        window.posts(text).await;
    }
    for page in [&window, &tab] {
        page.has_pending(2).await;
    }
    scene.line.refuse(false);
    for page in [&window, &tab] {
        page.tries_now().await;
        page.reads("#message-2 .text", "two").await;
        page.has_pending(0).await;
        page.agrees_with_a_fresh_page(&scene.ada).await;
    }
    assert_eq!(scene.texts().await, ["one", "two"]);
    let stored = [&window, &tab].map(|page| page.evaluates("stored"));
    let [first, second] = stored;
    let sum = first.await.as_u64().zip(second.await.as_u64());
    assert_eq!(sum.map(|(first, second)| first + second), Some(2));
    scene.chromium.closes().await;
}

/// Counts the posts of a page that were stored.
const COUNT_STORED: &str = "stored = 0, fetch = (fetch => (path, ...rest) => fetch(path, ...rest).then(answer => \
    (answer.headers.has('x-seq') && stored++, answer)))(fetch)";

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_its_authors_and_nobody_elses() {
    let scene = Scene::opens().await;
    let window = scene.window().await;
    scene.line.refuse(true);
    window.posts("from ada").await;
    window.has_pending(1).await;
    window.goes_nowhere().await;
    scene.line.refuse(false);

    window.signs_in(&scene.ben, scene.room).await;
    window.has_pending(0).await;
    window.posts("from ben").await;
    window.reads("#message-1 .text", "from ben").await;
    assert_eq!(scene.texts().await, ["from ben"]);

    window.signs_in(&scene.ada, scene.room).await;
    window.reads("#message-2.mine .text", "from ada").await;
    window.has_pending(0).await;
    window.agrees_with_a_fresh_page(&scene.ada).await;
    eventually("both are stored", || async {
        scene.texts().await == ["from ben", "from ada"]
    })
    .await;
    drop(scene.town);
    scene.chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_told_when_to_come_back_comes_no_sooner() {
    let scene = Scene::opens().await;
    let window = scene.window().await;
    let (full, asked) = full_house().await;
    scene.line.set_target(full);
    scene.line.cut();
    window.posts("at a bad time").await;
    let refused = asked.await.expect("it has been asked");
    scene.line.set_target(scene.town.addr());
    window.is_live_by("ws").await;
    window.has_pending(1).await;
    window.reads("#message-1 .text", "at a bad time").await;
    let waited = refused.elapsed();
    assert!(waited >= Duration::from_secs(8), "after {waited:?}");
    scene.chromium.closes().await;
}

/// A gateway before a server that is full: it says to everybody to come back in eight seconds. Tells when it first said
/// so to somebody who sent a message.
async fn full_house() -> (SocketAddr, oneshot::Receiver<Instant>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it has an address");
    let (tell, asked) = oneshot::channel();
    tokio::spawn(async move {
        let mut tell = Some(tell);
        while let Ok((mut caller, _)) = listener.accept().await {
            let mut request = vec![0; 16 * 1024];
            let read = caller.read(&mut request).await.unwrap_or_default();
            let is_post = String::from_utf8_lossy(&request[..read]).contains("/messages HTTP");
            let answer = "HTTP/1.1 503 Full\r\nRetry-After: 8\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let said = caller.write_all(answer.as_bytes()).await.is_ok();
            if let (true, Some(tell)) = (is_post && said, tell.take_if(|_| is_post && said)) {
                let _ = tell.send(Instant::now());
            }
        }
    });
    (address, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_room_refused_is_to_be_seen_in_the_lobby() {
    let scene = Scene::opens().await;
    let window = scene.window().await;
    let long = "x\\n".repeat(501);
    let fill = format!("document.querySelector('#composer-body').value = '{long}y'");
    for seq in [1, 2] {
        window.evaluates(&fill).await;
        window.presses("#composer-body", "Enter").await;
        window.has_pending(seq).await;
    }
    window
        .reads("#messages .refused", "at most 500 lines")
        .await;
    window.goes("/").await;
    let two = "document.querySelectorAll('#unsent .pending').length === 2";
    window.waits_until(two).await;
    window.reads("#unsent .refused", "at most 500 lines").await;
    window.clicks("#unsent [data-drop]").await;
    let one = "document.querySelectorAll('#unsent .pending').length === 1";
    window.waits_until(one).await;
    window.clicks("#unsent [data-retry]").await;
    window.reads("#unsent .refused", "at most 500 lines").await;

    // In its room it stands at its place again, and nowhere else.
    window.clicks(&format!("#room-{} a", scene.room)).await;
    window.has_pending(1).await;
    window
        .waits_until("document.querySelectorAll('.pending').length === 1")
        .await;
    window.clicks("#messages [data-drop]").await;
    window.has_pending(0).await;
    scene.chromium.closes().await;
}
