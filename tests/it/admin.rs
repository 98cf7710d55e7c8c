//! What the administrator sees of connections, machines in metrics, and nobody else.

use crate::support::process::House;
use crate::support::{Person, Town, eventually};
use tempfile::TempDir;

/// What a metric stands at.
async fn metric(person: &Person, name: &str) -> u64 {
    let text = person.gets("/metrics").await.is(200).body;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.unwrap_or_else(|| panic!("{name} is not in {text}"));
    value.trim().parse().expect("a number")
}

#[tokio::test]
async fn the_administrator_sees_every_connection_and_nobody_else_does() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let general = ada.creates_room("General").await;
    let chat = ada.opens_chat_with(&ben).await;
    ada.posts(general, "hello").await;
    let mut his = ben.listens(general, 0).await;
    his.sees(1).await;
    let his = his.settled().await.settled().await;
    let phone = ben.elsewhere();
    phone.signs_in().await;
    let mut stream = phone.follows(chat, 0).await;
    stream.hears("id=\"floors\"").await;

    let page = ada.gets("/admin/connections").await.is(200);
    assert_eq!(page.texts("#connections tbody th"), ["ben", "ben"]);
    let cells = page.texts("#connections tbody td");
    let (newest, oldest) = cells.split_at(cells.len() / 2);
    assert_eq!(
        newest[..2],
        ["A chat", "Events (SSE)"],
        "whose chat is theirs"
    );
    assert_eq!(oldest[..2], ["General", "WebSocket"]);
    assert_eq!(
        (oldest[5].as_str(), newest[5].as_str()),
        ("0 s ago", "not yet")
    );
    assert_eq!(oldest[6], "127.0.0.1");
    assert_ne!(oldest[4], "0 B");
    assert!(page.has("#connections svg rect"), "a history");
    assert!(!page.body.contains(" style="));
    let fragment = ada.fetches("/admin/connections", "div#connections").await;
    assert!(!fragment.is(200).is_a_page());

    drop(his);
    phone.submits("/signout", &[]).await;
    stream.is_told("signed-out").await;
    drop(stream);
    eventually("they have gone", async || {
        let page = ada.gets("/admin/connections").await.is(200);
        page.text("#connections tbody") == "Nobody is connected."
    })
    .await;
    for outsider in [&ben, &town.anon()] {
        outsider.gets("/admin/connections").await.is(404);
    }
}

#[tokio::test]
async fn metrics_are_for_this_machine_or_for_the_token() {
    let token = "a-token-for-the-metrics";
    let town = Town::with(&["--metrics-token", token]).await;
    let (ada, _) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let mut ear = ada.listens(room, 0).await;
    ear.hears("id=\"floors\"").await;
    let open = "tertulia_live_connections{transport=\"websocket\"}";
    assert_eq!(metric(&town.anon(), open).await, 1);
    assert_eq!(
        metric(&ada, "tertulia_live_connections{transport=\"sse\"}").await,
        0
    );
    drop(ear);
    let anon = town.anon();
    eventually("it has ended", async || metric(&anon, open).await == 0).await;
    assert_eq!(
        metric(&anon, "tertulia_live_ended_total{reason=\"gone\"}").await,
        1
    );

    for (name, value) in [
        ("x-forwarded-for", "203.0.113.7"),
        ("via", "1.1 proxy"),
        ("host", "203.0.113.7"),
    ] {
        let ask = || {
            anon.asks(reqwest::Method::GET, "/metrics")
                .header(name, value)
        };
        ask().sends().await.is(404);
        let with = |token: &str| ask().header("authorization", &format!("Bearer {token}"));
        with(token).sends().await.is(200);
        with("another-token-altogether").sends().await.is(404);
    }
}

#[tokio::test]
async fn the_debug_log_tells_who_came_how_and_how_long_they_stayed() {
    let data = TempDir::new().expect("a directory");
    let flags = ["--log-level", "debug"];
    let mut house = House::opens("127.0.0.1:0", data.path(), &flags).await;
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    let mut ear = ada.listens(room, 0).await;
    ear.hears("id=\"floors\"").await;
    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
    let log = house.log().await;
    let line = |words| {
        log.lines()
            .find(|line| line.contains(words))
            .unwrap_or_default()
    };
    let opened = line("live connection opened");
    for word in ["user=1", "room=1", "websocket", "from=127.0.0.1"] {
        assert!(opened.contains(word), "{word} in {opened}");
    }
    let closed = line("live connection closed");
    for word in [
        "user=1",
        "room=1",
        "websocket",
        "why=\"restarting\"",
        "seconds=",
        "bytes=",
    ] {
        assert!(closed.contains(word), "{word} in {closed}");
    }
}
