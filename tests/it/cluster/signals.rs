//! Ticks, badges, typing, the lobby and chats of two, with people on different nodes.

use reqwest::Method;

use crate::support::cluster::Cluster;
use crate::support::redis::Redis;
use crate::support::signals::{muted, title_in, unread};
use crate::support::{Person, RoomId, messages_in};

/// Two nodes, Ada at the first and Ben at the second, who have both come to a room of theirs; with Redis or without.
async fn ada_and_ben(redis: bool) -> (Cluster, [Person; 2], RoomId) {
    let cluster = match redis {
        true => Cluster::of(2).await,
        false => Cluster::over(Redis::absent(), 2, &[]).await,
    };
    if redis {
        cluster.is_heard(true).await;
    }
    let (ada, ben) = (cluster.person("ada").await, cluster[1].person("ben").await);
    let room = ada.creates_room("General").await;
    ada.comes_to(room).await;
    ben.comes_to(room).await;
    (cluster, [ada, ben], room)
}

#[tokio::test]
async fn ticks_turn_by_what_happens_on_another_node() {
    ticks(true).await;
}

async fn ticks(redis: bool) {
    let (_cluster, [ada, ben], room) = ada_and_ben(redis).await;
    let mut hers = ada.listens_from_now(room).await.settled().await;
    let mut lobby = ada.listens_in_the_lobby().await.settled().await;
    ada.posts(room, "are you there?").await;
    assert_eq!(ada.tick(room, 1).await, "sent");
    let page = ben.listens_in_the_lobby().await.stays_open();
    hers.hears_floors(1, 0).await;
    lobby.hears_preview(room, "delivered").await;
    ada.posts(room, "and while it is open?").await;
    hers.hears_floors(2, 0).await;
    ben.reads(room, 2).await;
    hers.hears_floors(2, 2).await;
    lobby.hears_preview(room, "read").await;
    drop(page);
    assert_eq!(ada.tick(room, 2).await, "read");
}

#[tokio::test]
async fn whoever_answers_on_another_node_has_read_what_stands_before() {
    answers(true).await;
}

async fn answers(redis: bool) {
    let (_cluster, [ada, ben], room) = ada_and_ben(redis).await;
    let mut hers = ada.listens_from_now(room).await.settled().await;
    ada.posts(room, "one").await;
    ada.posts(room, "two").await;
    // Nothing but the message itself says how far everybody has come.
    ben.posts(room, "I read both").await;
    hers.hears_floors(2, 2).await;
    ada.sees_tick(room, 2, "read").await;
}

#[tokio::test]
async fn badges_marks_and_mutes_agree_in_tabs_on_two_nodes() {
    badges(true).await;
}

async fn badges(redis: bool) {
    let (cluster, [ada, ben], room) = ada_and_ben(redis).await;
    let there = cluster.moved(1, &ada);
    let mut tabs = [
        ada.listens_in_the_lobby().await.settled().await,
        there.listens_in_the_lobby().await.settled().await,
    ];
    for n in 1..=3 {
        ben.posts(room, &format!("message {n}")).await;
    }
    for tab in &mut tabs {
        tab.hears_badge(room, unread(3)).await;
    }
    ada.reads(room, 3).await;
    for tab in &mut tabs {
        tab.hears_badge(room, unread(0)).await;
    }
    there.marks_unread(room, 2).await;
    for tab in &mut tabs {
        tab.hears_badge(room, unread(2)).await;
    }
    ada.mutes(room, "always").await;
    for tab in &mut tabs {
        let frame = tab.hears_badge(room, muted(2)).await;
        assert_eq!(title_in(&frame).as_deref(), Some("Tertulia"));
    }
    there.mutes(room, "off").await;
    there.posts(room, "whoever writes has read").await;
    for tab in &mut tabs {
        tab.hears_badge(room, unread(0)).await;
    }
}

#[tokio::test]
async fn new_rooms_and_people_show_in_lobbies_on_other_nodes() {
    lobbies(true).await;
}

async fn lobbies(redis: bool) {
    let (cluster, [ada, ben], _) = ada_and_ben(redis).await;
    let mut hers = ada.listens_in_the_lobby().await.settled().await;
    let mut his = ben.listens_in_the_lobby().await.settled().await;
    ada.creates_room("Plaza").await;
    his.hears("Plaza").await;
    ben.creates_room("Teatro").await;
    hers.hears("Teatro").await;
    cluster[1].person("dora").await;
    hers.hears("dora").await;
    cluster[0].person("emil").await;
    his.hears("emil").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_all_of_that_comes_a_little_later() {
    tokio::join!(ticks(false), answers(false), badges(false), lobbies(false));
}

#[tokio::test]
async fn a_chat_of_two_on_two_nodes_stays_between_them() {
    let (cluster, [ada, ben], room) = ada_and_ben(true).await;
    let chat = ada.opens_chat_with(&ben).await;
    let carla = cluster[1].person("carla").await;
    let mut outside = carla.listens_in_the_lobby().await.settled().await;
    let mut in_a_room = carla.listens_from_now(room).await.settled().await;
    let mut lobby = ben.listens_in_the_lobby().await.settled().await;
    let mut his = ben.listens_from_now(chat).await.settled().await;
    let secret = format!("between us {}", "and nobody else ".repeat(200));
    types(&ada, chat).await;
    lobby.hears(">typing…<").await;
    ada.posts(chat, &secret).await;
    assert_eq!(his.sees(1).await.text.trim(), secret.trim(), "all of it");
    lobby.hears_badge(chat, unread(1)).await;
    ben.reads(chat, 1).await;
    ada.creates_room("Plaza").await;
    for ear in [&mut outside, &mut in_a_room] {
        ear.hears("Plaza").await;
        for frame in ear.frames() {
            let named = ["room", "unread", "typing", "preview-ticks"];
            let is_named = |what: &&str| frame.contains(&format!("id=\"{what}-{chat}\""));
            let is_told = frame.contains("between us") || named.iter().any(is_named);
            assert!(!is_told && messages_in(frame).is_empty(), "{frame}");
        }
    }
    assert_eq!(carla.gets(&format!("/rooms/{chat}")).await.status, 404);
    assert_eq!(
        carla
            .tries_to_listen(&format!("?room={chat}&rev=0"))
            .await
            .err(),
        Some(404)
    );
}

async fn types(person: &Person, room: RoomId) {
    let path = format!("/rooms/{room}/typing");
    person.sends(Method::POST, &path, &[]).await.is(204);
}

#[tokio::test]
async fn typing_is_seen_on_another_node_until_the_message_is_there_or_the_page_gone() {
    let (_cluster, [ada, ben], room) = ada_and_ben(true).await;
    let mut in_room = ben.listens_from_now(room).await.settled().await;
    let mut in_lobby = ben.listens_in_the_lobby().await.settled().await;
    types(&ada, room).await;
    in_room.hears("ada is typing…").await;
    in_lobby.hears("ada is typing…").await;
    ada.posts(room, "There it is").await;
    let frame = in_room.hears("<p id=\"typing\"").await;
    assert!(!frame.contains("is typing"), "{frame}");

    let hers = ada.listens_from_now(room).await.settled().await;
    let typed = std::time::Instant::now();
    types(&ada, room).await;
    in_room.hears("ada is typing…").await;
    drop(hers);
    let frame = in_room.hears("<p id=\"typing\"").await;
    assert!(!frame.contains("is typing"), "{frame}");
    let took = typed.elapsed();
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
}
