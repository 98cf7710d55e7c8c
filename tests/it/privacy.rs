//! What people keep to themselves: what they have read, whether they are here. Whoever hides it does not see it
//! of others either, and the administrator can hide what everyone has read.

use crate::receipts::two_and_carla;
use crate::support::signals::{Group, here_in, info_on, presence_in, seen_in};
use crate::support::ticks::{preview_in, ticks_on};
use crate::support::{Ear, Person, RoomId, Town, eventually};

/// Ada and Ben, and their chat.
async fn ada_and_ben_in_a_chat() -> (Town, [Person; 2], RoomId) {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let chat = ada.opens_chat_with(&ben).await;
    (town, [ada, ben], chat)
}

/// Whether none of the frames told of anything read, in the room or before its preview.
fn heard_of_no_reading(ear: &Ear, room: RoomId) -> bool {
    let previews = ear
        .frames()
        .iter()
        .filter_map(|frame| preview_in(frame, room));
    ear.floors().iter().all(|floors| floors.read == 0)
        && previews.into_iter().all(|state| state != "read")
}

#[tokio::test]
async fn ben_who_sends_no_receipts_is_reached_but_never_said_to_have_read() {
    let (_town, [ada, ben], chat) = ada_and_ben_in_a_chat().await;
    ben.shows(false, true).await;
    let mut hers = ada.listens_from_now(chat).await.settled().await;
    let mut lobby = ada.listens_in_the_lobby().await.settled().await;
    ada.posts(chat, "did you read it?").await;
    let _page = ben.listens_in_the_lobby().await.stays_open();
    hers.hears_floors(1, 0).await;
    lobby.hears_preview(chat, "delivered").await;
    ben.reads(chat, 1).await;
    assert_eq!(ben.badge(chat).await.count, 0, "for himself it is read");
    ada.posts(chat, "the frame after").await;
    hers.hears_floors(2, 0).await;
    lobby.hears_preview(chat, "delivered").await;

    let page = ada.room(chat).await;
    let delivered = [(1, "delivered".into()), (2, "delivered".to_owned())];
    assert_eq!(ticks_on(&page), delivered);
    assert_eq!(
        page.attrs(".ticks[data-counts]", "data-counts"),
        ["delivered"; 2]
    );
    assert!(heard_of_no_reading(&hers, chat) && heard_of_no_reading(&lobby, chat));
    let info = ada.info(chat, 1).await;
    assert_eq!(info.read.size(), 0);
    assert_eq!(info.delivered, Group::of(&[("ben", "Today, 12:00")]));
}

#[tokio::test]
async fn nor_does_he_see_what_others_have_read() {
    let (_town, [ada, ben], chat) = ada_and_ben_in_a_chat().await;
    ben.posts(chat, "from before").await;
    ada.reads(chat, 1).await;
    ben.sees_tick(chat, 1, "read").await;
    ben.shows(false, true).await;
    let mut his = ben.listens_from_now(chat).await.settled().await;
    let mut lobby = ben.listens_in_the_lobby().await.settled().await;
    ben.posts(chat, "and after").await;
    ada.reads(chat, 2).await;
    his.hears_floors(2, 0).await;
    lobby.hears_preview(chat, "delivered").await;

    let ticks = ticks_on(&ben.room(chat).await);
    let delivered = [(1, "delivered".into()), (2, "delivered".to_owned())];
    assert_eq!(ticks, delivered);
    assert_eq!(ben.room(chat).await.attrs("#floors", "data-read"), ["0"]);
    assert!(heard_of_no_reading(&his, chat) && heard_of_no_reading(&lobby, chat));
    let page = ben.tries_info(chat, 2).await.is(200);
    assert!(page.text(".receipts-note").contains("receipts are off"));
    assert!(
        !page.has("[data-key=read]"),
        "nobody is said to have read or not"
    );
    let info = info_on(&page);
    assert_eq!(info.delivered.people.len(), 1, "but Ada was reached");
    let lobby = ben.lobby().await;
    let preview = lobby.attrs(&format!("#preview-ticks-{chat}"), "data-state");
    assert_eq!(preview, ["delivered"]);
}

#[tokio::test]
async fn in_a_room_of_three_the_tick_counts_those_who_send() {
    let (_town, [ada, ben, carla], room) = two_and_carla().await;
    carla.comes_to(room).await;
    carla.shows(false, true).await;
    let mut hers = ada.listens_from_now(room).await;
    ada.posts(room, "it does not wait for Carla").await;
    assert_eq!(ada.tick(room, 1).await, "sent");
    ben.reads(room, 1).await;
    hers.hears_floors(0, 1).await;
    assert_eq!(ada.tick(room, 1).await, "read");
    carla.reads(room, 1).await;
    let info = ada.info(room, 1).await;
    assert_eq!(info.read, Group::of(&[("ben", "Today, 12:00")]));
    assert_eq!(info.delivered, Group::of(&[("carla", "Today, 12:00")]));

    carla.posts(room, "and what do I see?").await;
    for person in [&ada, &ben] {
        person.reads(room, 2).await;
    }
    carla.sees_tick(room, 2, "delivered").await;
    assert_eq!(carla.info(room, 2).await.read.size(), 0);
    assert_eq!(ada.tick(room, 1).await, "read");
}

#[tokio::test]
async fn whoever_held_a_tick_back_no_longer_does_once_they_hide() {
    let (_town, [ada, ben, carla], room) = two_and_carla().await;
    carla.comes_to(room).await;
    let mut hers = ada.listens_from_now(room).await;
    ada.posts(room, "who reads this?").await;
    ben.reads(room, 1).await;
    assert_eq!(ada.tick(room, 1).await, "sent");
    carla.shows(false, true).await;
    hers.hears_floors(0, 1).await;
    assert_eq!(ada.tick(room, 1).await, "read");
}

#[tokio::test]
async fn switching_on_again_lets_no_tick_fall() {
    let (_town, [ada, ben, carla], room) = two_and_carla().await;
    carla.comes_to(room).await;
    carla.shows(false, true).await;
    let mut hers = ada.listens_from_now(room).await;
    for seq in 1..=3 {
        ada.posts(room, &format!("message {seq}")).await;
    }
    ben.reads(room, 3).await;
    hers.hears_floors(0, 3).await;
    carla.shows(true, true).await;
    assert_eq!(ada.tick(room, 3).await, "read", "she has not read it");
    ada.posts(room, "from now on she counts").await;
    ben.reads(room, 4).await;
    assert_eq!(ada.tick(room, 4).await, "sent");
    assert_eq!(ada.tick(room, 3).await, "read");
    carla.reads(room, 1).await;
    assert_eq!(ada.tick(room, 3).await, "read");
    carla.reads(room, 4).await;
    hers.hears_floors(4, 4).await;
    let told = hers.floors();
    assert!(
        told.windows(2).all(|pair| pair[0].read <= pair[1].read),
        "{told:?}"
    );
}

#[tokio::test]
async fn nobody_is_said_to_have_read_what_only_those_who_hide_could_have() {
    let (town, [ada, ben, carla], room) = two_and_carla().await;
    ada.posts(room, "Ben, are you there?").await;
    ben.shows(false, true).await;
    carla.comes_to(room).await;
    let dora = town.person("dora").await;
    dora.comes_to(room).await;
    dora.posts(room, "hello all").await;
    carla.reads(room, 2).await;
    assert_eq!(ada.info(room, 1).await.read.size(), 0);
    assert_ne!(ada.tick(room, 1).await, "read", "nobody has");
}

#[tokio::test]
async fn in_his_other_browser_it_holds_at_once_too() {
    let (_town, [ada, ben], chat) = ada_and_ben_in_a_chat().await;
    ben.posts(chat, "from before").await;
    ada.reads(chat, 1).await;
    let _hers = ada.listens_in_the_lobby().await.stays_open();
    let elsewhere = ben.elsewhere();
    elsewhere.signs_in().await;
    let her_id = ben.id_of(&ada).await;
    eventually("Ada is here", async || elsewhere.sees_online(her_id).await).await;
    assert_eq!(elsewhere.tick(chat, 1).await, "read");
    ben.shows(false, false).await;
    assert_eq!(elsewhere.tick(chat, 1).await, "delivered");
    assert!(!elsewhere.sees_online(her_id).await);
    let mut his = elsewhere.listens_in_the_lobby().await;
    assert_eq!(his.hears_who_is_here().await, [0; 0]);
    assert!(!ada.sees_online(ada.id_of(&ben).await).await);
}

#[tokio::test]
async fn the_administrator_switches_them_off_for_everyone_at_once() {
    let (_town, [ada, ben, carla], room) = two_and_carla().await;
    carla.comes_to(room).await;
    ben.posts(room, "before").await;
    for person in [&ada, &carla] {
        person.reads(room, 1).await;
    }
    assert_eq!(ben.tick(room, 1).await, "read");
    let mut his = ben.listens_from_now(room).await.settled().await;
    his.hears_who_is_here().await;
    let before = his.frames().len();
    ada.tries_to_switch_receipts(false)
        .await
        .leads_to("/settings?saved=1");
    assert_eq!(ben.tick(room, 1).await, "delivered");
    assert!(!ben.tries_info(room, 1).await.has("[data-key=read]"));
    ben.posts(room, "after").await;
    for person in [&ada, &carla] {
        person.reads(room, 2).await;
    }
    his.hears_floors(2, 0).await;
    for frame in &his.frames()[before..] {
        assert_ne!(preview_in(frame, room).as_deref(), Some("read"), "{frame}");
    }
    assert_eq!(his.floors().last().map(|floors| floors.read), Some(0));

    ada.tries_to_switch_receipts(true)
        .await
        .leads_to("/settings?saved=1");
    assert_eq!(ben.tick(room, 1).await, "read");
}

#[tokio::test]
async fn nobody_else_may_switch_them_off_and_nobody_loses_their_choice_meanwhile() {
    let (_town, [ada, ben], chat) = ada_and_ben_in_a_chat().await;
    ben.posts(chat, "read").await;
    ada.reads(chat, 1).await;
    assert!(!ben.gets("/settings").await.has("#house-receipts"));
    ben.tries_to_switch_receipts(false).await.is(403);
    assert_eq!(ben.tick(chat, 1).await, "read");

    let house = ada.gets("/settings").await.is(200);
    assert!(house.has("#house-receipts[checked]"));
    ada.tries_to_switch_receipts(false).await;
    let settings = ben.gets("/settings").await.is(200);
    assert!(settings.has("#receipts[checked][disabled]"));
    // A browser does not send a switch that cannot be moved.
    ben.submits("/settings", &[("presence", "on")])
        .await
        .is(303);
    ada.tries_to_switch_receipts(true).await;
    let settings = ben.gets("/settings").await;
    assert!(settings.has("#receipts[checked]:not([disabled])"));
    assert_eq!(ben.tick(chat, 1).await, "read");
}

#[tokio::test]
async fn the_settings_survive_a_restart() {
    let (town, [ada, ben], chat) = ada_and_ben_in_a_chat().await;
    ben.shows(false, false).await;
    let town = town.restarts().await;
    let (ada, ben) = (town.anon_as(ada.name()), town.anon_as(ben.name()));
    ada.signs_in().await;
    ben.signs_in().await;
    let settings = ben.gets("/settings").await;
    assert_eq!(settings.count("#receipts[checked], #presence[checked]"), 0);
    ada.posts(chat, "do you read this?").await;
    ben.reads(chat, 1).await;
    ada.sees_tick(chat, 1, "delivered").await;
    let page = ada.room(chat).await;
    assert_eq!(seen_in(&page.body).as_deref(), Some(""));
}

#[tokio::test]
async fn whoever_hides_that_they_are_here_does_not_see_it_of_others() {
    let (town, [ada, ben], chat) = ada_and_ben_in_a_chat().await;
    let (ada_id, ben_id) = (ben.id_of(&ada).await, ada.id_of(&ben).await);
    let mut hers = ada.listens_from_now(chat).await.settled().await;
    let mut his = ben.listens_from_now(chat).await.settled().await;
    hers.hears_seen("online").await;
    his.hears_seen("online").await;

    ben.shows(true, false).await;
    let frame = his.hears_seen("").await;
    assert_eq!(here_in(&frame), Some(Vec::new()));
    let frame = hers.hears_online(ben_id, false).await;
    assert_eq!(seen_in(&frame).as_deref(), Some(""), "nor when he last was");
    for (person, other) in [(&ada, ben_id), (&ben, ada_id)] {
        assert!(!person.sees_online(other).await);
        let page = person.room(chat).await;
        assert_eq!(presence_in(&page.body, other), Some(false));
        assert_eq!(seen_in(&page.body).as_deref(), Some(""));
    }

    let before = his.frames().len();
    let carla = town.person("carla").await;
    let carla_id = ada.id_of(&carla).await;
    let _page = carla.listens_in_the_lobby().await.stays_open();
    hers.hears_online(carla_id, true).await;
    ada.posts(chat, "the frame after").await;
    his.sees(1).await;
    for frame in &his.frames()[before..] {
        assert_ne!(presence_in(frame, carla_id), Some(true), "{frame}");
    }

    ben.shows(true, true).await;
    let here = here_in(&his.hears_seen("online").await).expect("both are told");
    assert!(
        here.contains(&ada_id) && here.contains(&carla_id),
        "{here:?}"
    );
    hers.hears_online(ben_id, true).await;
    assert!(ben.sees_online(ada_id).await);
}
