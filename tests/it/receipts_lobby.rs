//! The ticks before the previews in the lobby: always those of the newest message.

use crate::receipts::two_and_carla;
use crate::support::ticks::preview_in;

#[tokio::test]
async fn the_preview_in_adas_lobby_turns_too() {
    let (_town, [ada, ben, _], room) = two_and_carla().await;
    let mut lobby = ada.listens_in_the_lobby().await;
    ada.posts(room, "turn, please").await;
    lobby.hears_preview(room, "sent").await;
    let _page = ben.listens_in_the_lobby().await.stays_open();
    lobby.hears_preview(room, "delivered").await;
    ben.reads(room, 1).await;
    lobby.hears_preview(room, "read").await;
    let fresh = ada.lobby().await;
    let shown = fresh.attrs(&format!("#preview-ticks-{room}"), "data-state");
    assert_eq!(shown, ["read"]);
}

#[tokio::test]
async fn the_preview_does_not_say_of_the_newest_what_was_true_of_the_one_before() {
    let (_town, [ada, ben, _], room) = two_and_carla().await;
    for round in 0..5 {
        let mut lobby = ada.listens_in_the_lobby().await.settled().await;
        // One frame goes out at once; what follows is gathered into the next.
        let seq = ada.posts(room, "the one before").await;
        lobby.hears_preview(room, "sent").await;
        ben.reads(room, seq).await;
        ada.posts(room, &format!("the newest {round}")).await;
        let frame = lobby.hears(&format!("the newest {round}")).await;
        assert_eq!(preview_in(&frame, room).as_deref(), Some("sent"), "{frame}");
    }
}

#[tokio::test]
async fn the_ticks_of_a_preview_that_is_gone_are_not_told() {
    let (_town, [ada, ben, _], room) = two_and_carla().await;
    let mut lobby = ada.listens_in_the_lobby().await.settled().await;
    let seq = ada.posts(room, "a slip").await;
    lobby.hears_preview(room, "sent").await;
    ada.deletes(room, seq).await;
    lobby.hears("You deleted this message").await;
    let before = lobby.frames().len();
    ben.reads(room, seq).await;
    ada.creates_room("The frame after").await;
    lobby.hears("The frame after").await;
    for frame in &lobby.frames()[before..] {
        assert_eq!(
            preview_in(frame, room),
            None,
            "it has no place there: {frame}"
        );
    }
}

#[tokio::test]
async fn a_lobby_that_comes_back_shows_what_the_ticks_have_become() {
    let (town, [ada, ben, _], room) = two_and_carla().await;
    ada.posts(room, "and then the lid was closed").await;
    town.clock().advance(std::time::Duration::from_secs(3600));
    let page = ada.lobby().await;
    let at = page.attrs("#lobby-cursor", "data-at").concat();
    let shown = page.attrs(&format!("#preview-ticks-{room}"), "data-state");
    assert_eq!(shown, ["sent"]);
    ben.reads(room, 1).await;
    let mut lobby = ada
        .tries_to_listen(&format!("?at={at}"))
        .await
        .expect("the channel opens")
        .settled()
        .await;
    ada.creates_room("The frame after").await;
    lobby.hears("The frame after").await;
    let heard = lobby.frames().iter();
    let told = heard
        .filter_map(|frame| preview_in(frame, room))
        .next_back();
    assert_eq!(told.as_deref(), Some("read"));
}
