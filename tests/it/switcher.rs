//! The switcher and the ways to the next chat, as the server answers them.

use reqwest::Method;
use serde_json::Value;

use crate::support::{Person, RoomId, Town};

/// Where a way leads from an open room.
async fn goes(person: &Person, way: &str, from: Option<RoomId>) -> Option<String> {
    let page = match from {
        Some(room) => format!("{}/rooms/{room}?at=1", person.url()),
        None => format!("{}/", person.url()),
    };
    let ask = person.asks(Method::GET, &format!("/go/{way}"));
    let answer = ask.header("hx-current-url", &page).sends().await;
    match answer.status {
        204 => {
            assert_eq!(
                answer.header("hx-push-url"),
                "false",
                "it stays where it is"
            );
            None
        }
        _ => Some(answer.is(303).location().to_owned()),
    }
}

#[tokio::test]
async fn the_switcher_finds_chats_rooms_and_people_by_their_names() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let carla = town.person("carla").await;
    let room = ada.creates_room("Bench & <b>Garden</b>").await;
    let chat = ada.opens_chat_with(&ben).await;
    ada.posts(chat, "between us").await;
    let all = ada.gets("/switcher").await.is(200);
    assert_eq!(all.count("button"), 3);
    let found = ada.gets("/switcher?q=%20BEN").await.is(200);
    assert_eq!(
        found.attrs("button", "hx-get"),
        [format!("/rooms/{chat}"), format!("/rooms/{room}"),]
    );
    assert!(!found.has("b"), "{}", found.body);
    let found = ada.gets("/switcher?q=car").await;
    assert_eq!(found.attrs("button", "value"), ["carla"]);
    let none = ada.gets("/switcher?q=nobody").await;
    assert!(none.text(".no-match").contains("Nothing here"));
    let outside = carla.gets("/switcher").await;
    assert!(
        !outside.body.contains(&format!("/rooms/{chat}\"")),
        "it is not hers"
    );
    town.anon().fetches("/switcher", "div#found").await.is(401);
    let empty = Town::start().await;
    let nobody = empty.person("ada").await.gets("/switcher").await;
    assert!(nobody.text(".no-match").contains("yet"));
}

#[tokio::test]
async fn ways_lead_up_and_down_the_lobby_and_to_what_is_unread() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let [first, second] = [ada.creates_room("A").await, ada.creates_room("B").await];
    let chat = ada.opens_chat_with(&ben).await;
    for room in [first, second, chat] {
        ada.posts(room, "hello").await;
        ben.reads(room, 1).await;
    }
    let path = |room: RoomId| Some(format!("/rooms/{room}"));
    assert_eq!(
        goes(&ben, "next", None).await,
        path(chat),
        "chats come first"
    );
    let below = goes(&ben, "next", Some(chat)).await.expect("a room");
    let last = if below == format!("/rooms/{first}") {
        second
    } else {
        first
    };
    let middle = if last == first { second } else { first };
    assert_eq!(goes(&ben, "next", Some(middle)).await, path(last));
    assert_eq!(goes(&ben, "next", Some(last)).await, None);
    assert_eq!(goes(&ben, "previous", Some(last)).await, path(middle));
    assert_eq!(goes(&ben, "previous", Some(chat)).await, None);
    assert_eq!(goes(&ben, "previous", None).await, None);

    assert_eq!(goes(&ben, "next-unread", Some(chat)).await, None);
    ada.posts(last, "news").await;
    ada.posts(middle, "news").await;
    assert_eq!(goes(&ben, "next-unread", Some(chat)).await, path(middle));
    assert_eq!(
        goes(&ben, "next-unread", Some(last)).await,
        path(middle),
        "around"
    );
    assert_eq!(goes(&ben, "previous-unread", Some(chat)).await, path(last));
    let muting = [("for", "always")];
    ben.submits(&format!("/rooms/{middle}/mute"), &muting).await;
    assert_eq!(goes(&ben, "next-unread", Some(chat)).await, path(last));
    ben.gets("/go/nowhere").await.is(404);
    town.anon()
        .fetches("/go/next", "main#conversation")
        .await
        .is(401);
}

#[tokio::test]
async fn browsers_are_told_how_to_install_the_chat() {
    let town = Town::start().await;
    let page = town.anon().gets("/signup").await.is(200);
    assert_eq!(
        page.attrs("link[rel=manifest]", "href"),
        ["/manifest.webmanifest"]
    );
    let manifest = town.anon().gets("/manifest.webmanifest").await.is(200);
    assert_eq!(manifest.header("content-type"), "application/manifest+json");
    let manifest: Value = serde_json::from_str(&manifest.body).expect("JSON");
    assert_eq!(manifest["display"], "standalone");
    let icons = manifest["icons"].as_array().expect("a list");
    for size in ["any", "192x192", "512x512"] {
        assert!(icons.iter().any(|icon| icon["sizes"] == size), "{size}");
    }
    for icon in icons {
        let path = icon["src"].as_str().expect("a path");
        let picture = town.anon().gets(path).await.is(200);
        assert_eq!(icon["type"], picture.header("content-type"), "{path}");
    }
}

#[tokio::test]
async fn the_service_worker_comes_anew_each_time_and_lies_at_the_root() {
    let town = Town::start().await;
    let worker = town.anon().gets("/sw.js").await.is(200);
    assert!(worker.header("content-type").starts_with("text/javascript"));
    assert_eq!(worker.header("cache-control"), "no-store");
    for word in ["caches", "'fetch'", "importScripts"] {
        assert!(!worker.body.contains(word), "it keeps no pages: {word}");
    }
}
