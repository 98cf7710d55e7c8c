//! Who is typing: said to those who may know, never to oneself, gone when the message is here.

use reqwest::Method;

use crate::support::{Person, Town, eventually};

async fn types(person: &Person, room: impl std::fmt::Display) {
    let path = format!("/rooms/{room}/typing");
    person.sends(Method::POST, &path, &[]).await.is(204);
}

#[tokio::test]
async fn ben_sees_that_ada_is_typing_until_her_message_is_there() {
    let town = Town::start().await;
    let (ada, ben) = (town.person("ada").await, town.person("ben").await);
    let room = ada.creates_room("General").await;
    let mut in_room = ben.listens_from_now(room).await.settled().await;
    let mut in_lobby = ben.listens_in_the_lobby().await.settled().await;
    let mut herself = ada.listens_from_now(room).await.settled().await;

    types(&ada, room).await;
    let frame = in_room.hears("ada is typing…").await;
    assert!(frame.contains("<p id=\"typing\""), "in the header: {frame}");
    let frame = in_lobby.hears("ada is typing…").await;
    assert!(
        !frame.contains("<p id=\"typing\""),
        "in the line alone: {frame}"
    );

    ada.posts(room, "There it is").await;
    let frame = in_room.hears("<p id=\"typing\"").await;
    assert!(!frame.contains("is typing"), "{frame}");
    herself.hears("There it is").await;
    assert!(
        herself
            .frames()
            .iter()
            .all(|frame| !frame.contains("is typing"))
    );
}

#[tokio::test]
async fn an_outsider_never_learns_who_types_in_a_chat_of_two() {
    let town = Town::start().await;
    let (ada, ben) = (town.person("ada").await, town.person("ben").await);
    let carla = town.person("carla").await;
    let chat = ada.opens_chat_with(&ben).await;
    let mut for_ben = ben.listens_in_the_lobby().await.settled().await;
    let mut outside = carla.listens_in_the_lobby().await.settled().await;

    types(&ada, chat).await;
    for_ben.hears(">typing…<").await;
    ada.creates_room("Plaza").await;
    outside.hears("Plaza").await;
    let theirs = format!("typing-{chat}");
    let hears_it = |frame: &String| frame.contains("typing…") || frame.contains(&theirs);
    assert!(!outside.frames().iter().any(hears_it));
    let path = format!("/rooms/{chat}/typing");
    carla.sends(Method::POST, &path, &[]).await.is(404);
}

#[tokio::test]
async fn whoever_types_and_goes_is_typing_no_longer_at_once() {
    let town = Town::start().await;
    let (ada, ben) = (town.person("ada").await, town.person("ben").await);
    let chat = ada.opens_chat_with(&ben).await;
    let mut in_chat = ben.listens_from_now(chat).await.settled().await;
    let mut in_lobby = ben.listens_in_the_lobby().await.settled().await;
    let hers = ada.listens_from_now(chat).await.settled().await;
    let typed = std::time::Instant::now();
    types(&ada, chat).await;
    in_chat.hears(">typing…<").await;
    in_lobby.hears(">typing…<").await;
    drop(hers.stays_open());
    in_chat
        .hears("role=\"status\" hx-swap-oob=\"true\"></p>")
        .await;
    let frame = in_lobby.hears(&format!("typing-{chat}")).await;
    assert!(!frame.contains("typing…"), "{frame}");
    let took = typed.elapsed();
    assert!(
        took < std::time::Duration::from_secs(5),
        "not by waiting: {took:?}"
    );
}

#[tokio::test]
async fn whoever_closes_one_of_two_pages_goes_on_typing_on_the_other() {
    let town = Town::start().await;
    let (ada, ben) = (town.person("ada").await, town.person("ben").await);
    let chat = ada.opens_chat_with(&ben).await;
    let mut in_chat = ben.listens_from_now(chat).await.settled().await;
    let pages = [
        ada.listens_from_now(chat).await.settled().await,
        ada.listens_from_now(chat).await.settled().await,
    ];
    types(&ada, chat).await;
    in_chat.hears(">typing…<").await;
    let [one, other] = pages;
    drop(one.stays_open());
    eventually("the server has noticed that it is gone", || async {
        let page = ada.gets("/admin/connections").await;
        page.texts("tbody tr").len() == 2
    })
    .await;
    // What its end had to say comes before this.
    ada.creates_room("Plaza").await;
    let frame = in_chat.hears("Plaza").await;
    let ends = "role=\"status\" hx-swap-oob=\"true\"></p>";
    assert!(!frame.contains(ends), "{frame}");
    assert!(!in_chat.frames().iter().any(|frame| frame.contains(ends)));
    drop(other.stays_open());
    in_chat.hears(ends).await;
}

#[tokio::test]
async fn a_hundred_a_second_are_too_many() {
    let town = Town::with(&["--limits", "on"]).await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    let path = format!("/rooms/{room}/typing");
    let mut refused = 0;
    for _ in 0..100 {
        let answer = ada.sends(Method::POST, &path, &[]).await;
        refused += usize::from(answer.status == 429);
    }
    assert!(refused >= 80, "{refused} of 100");
}
