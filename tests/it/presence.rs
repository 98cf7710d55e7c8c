//! Who is here, and when they last were: by the pages that people have open, with a little patience for reloads.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::signals::{presence_in, seen_in};
use crate::support::{House, Town, eventually};

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test]
async fn ben_is_here_from_his_first_page_on() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let chat = ada.opens_chat_with(&ben).await;
    let (ada_id, ben_id) = (ben.id_of(&ada).await, ada.id_of(&ben).await);
    let carla = town.person("carla").await;
    let mut in_the_chat = ada.listens_from_now(chat).await.settled().await;
    let mut lobby = carla.listens_in_the_lobby().await.settled().await;
    assert_eq!(seen_in(&ada.room(chat).await.body).as_deref(), Some(""));
    assert!(!ada.sees_online(ben_id).await);

    let mut his = ben.listens_in_the_lobby().await;
    let frame = in_the_chat.hears_online(ben_id, true).await;
    let said = seen_in(&frame);
    assert_eq!(
        said.as_deref(),
        Some("online"),
        "at the head of the chat too: {frame}"
    );
    let frame = lobby.hears_online(ben_id, true).await;
    assert_eq!(seen_in(&frame), None, "Carla looks at no chat: {frame}");
    assert!(ada.sees_online(ben_id).await && carla.sees_online(ben_id).await);
    let page = ada.room(chat).await;
    assert_eq!(seen_in(&page.body).as_deref(), Some("online"));
    assert!(page.has("p#presence[data-online]"));
    let here = his.hears_who_is_here().await;
    assert!(here.contains(&ada_id) && here.contains(&ben_id), "{here:?}");
    let public = ada.creates_room("General").await;
    assert!(
        !ada.room(public).await.has("p#presence"),
        "of many nobody is last"
    );
}

#[tokio::test]
async fn with_three_tabs_ben_is_here_until_the_last_has_gone_and_a_reload_is_no_news() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let (carla, dora) = (town.person("carla").await, town.person("dora").await);
    let [ben_id, carla_id, dora_id] = [
        ada.id_of(&ben).await,
        ada.id_of(&carla).await,
        ada.id_of(&dora).await,
    ];
    let mut hers = ada.listens_in_the_lobby().await.settled().await;
    let mut tabs = Vec::new();
    for _ in 0..3 {
        tabs.push(ben.listens_in_the_lobby().await.stays_open());
    }
    hers.hears_online(ben_id, true).await;
    let page = dora.listens_in_the_lobby().await.stays_open();
    hers.hears_online(dora_id, true).await;
    let only = carla.listens_in_the_lobby().await.stays_open();
    hers.hears_online(carla_id, true).await;
    let before = hers.frames().len();

    tabs.truncate(1);
    drop(page);
    let _reloaded = dora.listens_in_the_lobby().await.stays_open();
    drop(only);
    let left = Instant::now();
    hers.hears_online(carla_id, false).await;
    let stayed = left.elapsed();
    assert!(stayed > Duration::from_secs(9), "after a while: {stayed:?}");
    for frame in &hers.frames()[before..] {
        let [of_ben, of_dora] = [ben_id, dora_id].map(|id| presence_in(frame, id));
        assert_eq!(of_ben, None, "he has a tab yet: {frame}");
        assert_eq!(of_dora, None, "she only reloaded: {frame}");
    }
    assert!(ada.sees_online(ben_id).await && ada.sees_online(dora_id).await);
    assert!(!ada.sees_online(carla_id).await);
}

#[tokio::test]
async fn whoever_has_gone_was_last_seen_when_their_last_page_went() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let chat = ada.opens_chat_with(&ben).await;
    let ben_id = ada.id_of(&ben).await;
    let mut tabs = vec![ben.listens(chat, 0).await.stays_open()];
    tabs.push(ben.listens_in_the_lobby().await.stays_open());
    let mut hers = ada.listens_from_now(chat).await;
    hers.hears_seen("online").await;
    town.clock().advance(Duration::from_secs(5 * 60));
    drop(tabs);
    hers.hears_online(ben_id, false).await;
    let said = seen_in(hers.frames().last().expect("it was just heard"));
    assert_eq!(said.as_deref(), Some("last seen today at 12:05"));
    let says = async || seen_in(&ada.room(chat).await.body).unwrap_or_default();
    assert_eq!(says().await, "last seen today at 12:05");
    town.clock().advance(HOUR * 24);
    assert_eq!(says().await, "last seen yesterday at 12:05");
    town.clock().advance(HOUR * 24);
    assert_eq!(says().await, "last seen on Wednesday");
    town.clock().advance(HOUR * 24 * 10);
    ada.signs_in().await;
    assert_eq!(says().await, "last seen on 4 Mar 2026");
}

#[tokio::test]
async fn an_outsider_sees_who_is_here_but_not_who_is_in_a_chat_of_two() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let carla = town.person("carla").await;
    let ben_id = carla.id_of(&ben).await;
    let mut hers = carla.listens_in_the_lobby().await.settled().await;
    let chat = ada.opens_chat_with(&ben).await;
    let _his = ben.listens_from_now(chat).await.stays_open();
    hers.hears_online(ben_id, true).await;
    for frame in hers.frames() {
        assert_eq!(seen_in(frame), None, "{frame}");
        assert!(!frame.contains(&format!("/rooms/{chat}")), "{frame}");
    }
}

#[tokio::test]
async fn it_is_known_after_a_restart_when_somebody_was_last_here() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let chat = ada.opens_chat_with(&ben).await;
    let ben_id = ada.id_of(&ben).await;
    let _page = ben.listens_in_the_lobby().await.stays_open();
    eventually("Ben is here", async || ada.sees_online(ben_id).await).await;
    let town = town.restarts_after(HOUR * 2).await;
    let ada = town.anon_as(ada.name());
    ada.signs_in().await;
    assert!(!ada.sees_online(ben_id).await);
    let page = ada.room(chat).await;
    assert_eq!(
        seen_in(&page.body).as_deref(),
        Some("last seen today at 12:00")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_here_when_the_server_stopped_is_so_when_it_comes_back() {
    let data = TempDir::new().expect("a directory");
    let mut house = House::opens("127.0.0.1:0", data.path(), &["--limits", "off"]).await;
    let (ada, ben) = (house.person("ada").await, house.person("ben").await);
    let carla = house.person("carla").await;
    let (ben_id, carla_id) = (ada.id_of(&ben).await, ada.id_of(&carla).await);
    let page = ben.listens_in_the_lobby().await.stays_open();
    eventually("Ben is here", async || ada.sees_online(ben_id).await).await;
    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
    drop(page);

    let house = House::opens(house.listen(), data.path(), &["--limits", "off"]).await;
    eventually("Ben is expected back", async || {
        ada.sees_online(ben_id).await
    })
    .await;
    let mut hers = ada.listens_in_the_lobby().await.settled().await;
    let here = hers.hears_who_is_here().await;
    assert!(
        here.contains(&ben_id) && !here.contains(&carla_id),
        "{here:?}"
    );
    let _page = carla.listens_in_the_lobby().await.stays_open();
    hers.hears_online(carla_id, true).await;
    let before = hers.frames().len();
    let _page = ben.listens_in_the_lobby().await.stays_open();
    let dora = house.person("dora").await;
    hers.hears("dora").await;
    let _page = dora.listens_in_the_lobby().await.stays_open();
    hers.hears_online(ada.id_of(&dora).await, true).await;
    for frame in &hers.frames()[before..] {
        assert_eq!(
            presence_in(frame, ben_id),
            None,
            "he never was away: {frame}"
        );
    }
}
