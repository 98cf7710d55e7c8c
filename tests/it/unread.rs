//! Unread once more, and not to be told of: what somebody marks as unread and mutes, for themselves alone.

use std::time::Duration;

use clap::Parser;
use reqwest::Method;
use tertulia::app::App;
use tertulia::clock::Clock;
use tertulia::config::Config;
use tertulia::domain::accounts::Admission;
use tertulia::domain::body::MessageBody;
use tertulia::domain::messages::Key;
use tertulia::ids::Seq;

use crate::receipts::two_and_carla;
use crate::support::signals::{badge_in, muted, title_in, unread};
use crate::support::ticks::floors_in;
use crate::support::{NOON, Person, RoomId, Town};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A room in which Ben has read so many messages of Ada's.
async fn ben_has_read(messages: u64) -> (Town, [Person; 3], RoomId) {
    let (town, people, room) = two_and_carla().await;
    for n in 1..=messages {
        people[0].posts(room, &format!("message {n}")).await;
    }
    people[1].reads(room, messages).await;
    (town, people, room)
}

#[tokio::test]
async fn ben_marks_as_unread_from_a_message_on_and_all_his_tabs_agree() {
    let (_town, [ada, ben, _], room) = ben_has_read(5).await;
    let elsewhere = ada.creates_room("Elsewhere").await;
    let other = ben.elsewhere();
    other.signs_in().await;
    let mut lobby = ben.listens_in_the_lobby().await.settled().await;
    let mut in_a_room = ben.listens_from_now(elsewhere).await.settled().await;
    let mut in_another_browser = other.listens_in_the_lobby().await.settled().await;

    ben.marks_unread(room, 3).await;
    for (tab, title) in [
        (&mut lobby, "(3) Tertulia"),
        (&mut in_a_room, "(3) Elsewhere · Tertulia"),
        (&mut in_another_browser, "(3) Tertulia"),
    ] {
        let frame = tab.hears_badge(room, unread(3)).await;
        assert_eq!(title_in(&frame).as_deref(), Some(title));
    }
    assert_eq!(ben.badge(room).await, unread(3));
    assert_eq!(ben.title().await, "(3) Tertulia");
    let divider = ben.divider(room).await;
    assert_eq!(divider, Some(("3 unread messages".into(), 3)));

    ada.posts(room, "one more").await;
    lobby.hears_badge(room, unread(4)).await;
    ben.reads(room, 6).await;
    for (tab, title) in [
        (&mut lobby, "Tertulia"),
        (&mut in_a_room, "Elsewhere · Tertulia"),
        (&mut in_another_browser, "Tertulia"),
    ] {
        let frame = tab.hears_badge(room, unread(0)).await;
        assert_eq!(title_in(&frame).as_deref(), Some(title));
    }
    assert_eq!(ben.divider(room).await, None);
}

#[tokio::test]
async fn ada_learns_nothing_of_it_and_her_ticks_stay() {
    let (_town, [ada, ben, carla], room) = ben_has_read(3).await;
    let chat = ada.opens_chat_with(&ben).await;
    ada.posts(chat, "between us").await;
    ben.reads(chat, 1).await;
    let mut hers = ada.listens_from_now(room).await.settled().await;
    let mut in_the_chat = ada.listens_from_now(chat).await.settled().await;
    let mut outside = carla.listens_in_the_lobby().await.settled().await;
    ada.creates_room("The frame before").await;
    let mut before = Vec::new();
    for ear in [&mut hers, &mut in_the_chat, &mut outside] {
        ear.hears("The frame before").await;
        before.push(ear.frames().len());
    }
    for at in [room, chat] {
        ben.marks_unread(at, 1).await;
        ben.mutes(at, "always").await;
    }
    ada.creates_room("The frame after").await;
    for (ear, before) in [hers, in_the_chat, outside].iter_mut().zip(before) {
        ear.hears("The frame after").await;
        let told: Vec<_> = ear.frames()[before..]
            .iter()
            .filter(|frame| !is_presence(frame))
            .collect();
        assert_eq!(told.len(), 1, "{told:#?}");
    }
    for (at, seq) in [(room, 3), (chat, 1)] {
        assert_eq!(ada.tick(at, seq).await, "read");
        assert_eq!(
            ada.info(at, seq).await.read.when("ben"),
            Some("Today, 12:00")
        );
    }
}

/// Whether the frame tells of nothing but who is here.
fn is_presence(frame: &str) -> bool {
    ["#presence-", ".presence\""]
        .iter()
        .any(|target| frame.starts_with(&format!("<hx-partial hx-target=\"{target}")))
}

#[tokio::test]
async fn a_whole_room_is_unread_from_the_last_message_of_somebody_else_on() {
    let (_town, [_, ben, _], room) = ben_has_read(2).await;
    let mut lobby = ben.listens_in_the_lobby().await.settled().await;
    ben.posts(room, "his own").await;
    ben.marks_room_unread(room).await;
    lobby.hears_badge(room, unread(2)).await;
    let (_, seq) = ben.divider(room).await.expect("it is unread");
    assert_eq!(seq, 2);
    ben.posts(room, "whoever writes has read").await;
    lobby.hears_badge(room, unread(0)).await;
}

#[tokio::test]
async fn what_was_unread_already_stays_so() {
    let (_town, [ada, ben, carla], room) = ben_has_read(2).await;
    for n in 3..=6 {
        ada.posts(room, &format!("message {n}")).await;
    }
    ben.marks_unread(room, 5).await;
    assert_eq!(
        ben.badge(room).await,
        unread(4),
        "3 to 6 were unread before"
    );
    ben.marks_unread(room, 2).await;
    assert_eq!(ben.badge(room).await, unread(5));
    ben.marks_unread(room, 6).await;
    ben.marks_room_unread(room).await;
    assert_eq!(ben.badge(room).await, unread(5));

    assert_eq!(carla.badge(room).await, unread(6), "she never came");
    carla.marks_room_unread(room).await;
    carla.marks_unread(room, 4).await;
    assert_eq!(carla.badge(room).await, unread(6));
    let empty = ada.creates_room("Empty").await;
    ada.marks_room_unread(empty).await;
    assert_eq!(ada.badge(empty).await, unread(0));
}

#[tokio::test]
async fn it_survives_a_restart_and_reading_ends_it() {
    let (town, [_, ben, _], room) = ben_has_read(4).await;
    ben.marks_unread(room, 2).await;
    ben.mutes(room, "week").await;
    let town = town.restarts().await;
    let ben = town.anon_as(ben.name());
    ben.signs_in().await;
    assert_eq!(ben.badge(room).await, muted(3));
    let mut lobby = ben.listens_in_the_lobby().await.settled().await;
    ben.reads(room, 4).await;
    lobby.hears_badge(room, muted(0)).await;
}

#[tokio::test]
async fn messages_and_rooms_that_are_not_there_or_not_theirs_are_refused() {
    let (_town, [ada, ben, carla], room) = ben_has_read(1).await;
    let chat = ada.opens_chat_with(&ben).await;
    ada.posts(chat, "between us").await;
    ada.posts(chat, "and this").await;
    let before = ben.badge(chat).await;
    for path in [
        format!("/rooms/{chat}/messages/1/unread"),
        format!("/rooms/{chat}/unread"),
        format!("/rooms/{chat}/mute"),
        format!("/rooms/{room}/messages/2/unread"),
        "/rooms/9999/unread".to_owned(),
    ] {
        let form = [("for", "always")];
        carla.sends(Method::POST, &path, &form).await.is(404);
        carla.submits(&path, &form).await.is(404);
    }
    assert_eq!(ben.badge(chat).await, before);
    assert_eq!(ben.badge(room).await, unread(0));
}

#[tokio::test]
async fn a_muted_room_counts_in_its_pill_but_not_in_the_title() {
    let (_town, [ada, ben, _], room) = ben_has_read(1).await;
    let elsewhere = ada.creates_room("Elsewhere").await;
    let mut lobby = ben.listens_in_the_lobby().await.settled().await;
    let mut in_room = ben.listens_from_now(elsewhere).await.settled().await;
    ada.posts(room, "noise").await;
    let frame = lobby.hears_badge(room, unread(1)).await;
    assert_eq!(title_in(&frame).as_deref(), Some("(1) Tertulia"));

    assert_eq!(ben.mutes(room, "8h").await, "Muted until 20:00");
    for tab in [&mut lobby, &mut in_room] {
        let frame = tab.hears_badge(room, muted(1)).await;
        let title = title_in(&frame).expect("the title is told");
        assert!(!title.starts_with('('), "{title}");
    }
    ada.posts(room, "more noise").await;
    let frame = lobby.hears_badge(room, muted(2)).await;
    assert_eq!(title_in(&frame).as_deref(), Some("Tertulia"));
    ada.posts(elsewhere, "news").await;
    lobby.hears_title("(1) Tertulia").await;
    assert_eq!(ben.title().await, "(1) Tertulia");
    assert_eq!(ben.badge(room).await, muted(2));
    let page = ben.room(room).await;
    assert_eq!(page.text("title"), "(1) General · Tertulia");
    assert_eq!(page.text(".mute-words"), "Muted until 20:00");

    let form = [("for", "off")];
    let plain = format!("/rooms/{room}");
    ben.submits(&format!("{plain}/mute"), &form)
        .await
        .leads_to(&plain);
    let frame = lobby.hears_badge(room, unread(2)).await;
    assert_eq!(title_in(&frame).as_deref(), Some("(3) Tertulia"));
}

#[tokio::test]
async fn eight_hours_a_week_or_always() {
    let (town, [ada, ben, _], room) = ben_has_read(1).await;
    let (week, always) = (ada.creates_room("A").await, ada.creates_room("B").await);
    for at in [room, week, always] {
        ada.posts(at, "unread").await;
    }
    assert_eq!(ben.mutes(room, "8h").await, "Muted until 20:00");
    assert_eq!(ben.mutes(week, "week").await, "Muted until 11 Mar 2026");
    assert_eq!(ben.mutes(always, "always").await, "Muted");
    town.clock().advance(HOUR * 8 - Duration::from_secs(1));
    assert_eq!(ben.title().await, "Tertulia");
    assert_eq!(ben.badge(room).await, muted(1));
    town.clock().advance(Duration::from_secs(1));
    assert_eq!(ben.title().await, "(1) Tertulia");
    assert_eq!(ben.badge(room).await, unread(1));
    assert!(ben.room(room).await.has("[name=for][value=always]"));
    town.clock().advance(HOUR * 24 * 7);
    assert_eq!(ben.title().await, "(2) Tertulia");
    town.clock().advance(HOUR * 24 * 100);
    assert_eq!(ben.title().await, "(2) Tertulia");
    assert_eq!(ben.badge(always).await, muted(1));
}

#[tokio::test]
async fn another_length_is_refused_and_changes_nothing() {
    let (_town, [ada, ben, _], room) = ben_has_read(1).await;
    ada.posts(room, "unread").await;
    for wrong in ["", "9h", "-1", "8H", "forever", "<img src=x>"] {
        let answer = ben.tries_to_mute(room, wrong).await.is(422);
        assert!(!answer.body.contains("<img src=x>"));
    }
    let path = format!("/rooms/{room}/mute");
    let answer = ben.submits(&path, &[]).await;
    assert!([400, 422].contains(&answer.status), "{}", answer.status);
    assert_eq!(ben.badge(room).await, unread(1));
}

#[tokio::test]
async fn ten_thousand_unread_messages_are_read_by_one_request_and_told_in_one_frame() {
    let (town, [ada, ben, _], room) = two_and_carla().await;
    let mut his = ben.listens_in_the_lobby().await.settled().await;
    ten_thousand(&town, room).await;
    // They were written beside the server, which finds them by looking.
    his.hears_badge(room, unread(10_000)).await;
    assert_eq!(ben.badge(room).await, unread(10_000));
    let mut hers = ada.listens_from_now(room).await.settled().await;
    ada.creates_room("The frame before").await;
    hers.hears("The frame before").await;
    his.hears("The frame before").await;
    let before = (hers.frames().len(), his.frames().len());
    ben.reads(room, 10_000).await;
    hers.hears_floors(10_000, 10_000).await;
    let frame = his.hears_badge(room, unread(0)).await;
    assert_eq!(title_in(&frame).as_deref(), Some("Tertulia"));
    ada.creates_room("The frame after").await;
    hers.hears("The frame after").await;
    his.hears("The frame after").await;
    let told = hers.frames()[before.0..]
        .iter()
        .filter_map(|frame| floors_in(frame));
    assert_eq!(told.count(), 1);
    let told = his.frames()[before.1..].iter();
    let told: Vec<_> = told
        .filter(|frame| badge_in(frame, room).is_some())
        .collect();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].len() < 1_000,
        "{} bytes: {}",
        told[0].len(),
        told[0]
    );
    assert_eq!(ada.tick(room, 1).await, "read");
    assert_eq!(ada.tick(room, 10_000).await, "read");
}

/// Ten thousand messages of Ada's, as the form would store them one by one.
async fn ten_thousand(town: &Town, room: RoomId) {
    let ada = "(SELECT id FROM users WHERE name = 'ada')";
    let messages = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
         INSERT INTO messages (room_id, seq, rev, author_id, body, key, digest, has_audience, created) \
         SELECT {room}, i, i, {ada}, 'message ' || i, '0000000000000000000000' || (1000000000 + i), '', TRUE, 1 FROM n"
    );
    let end = format!("UPDATE rooms SET last_seq = 10000, last_rev = 10000 WHERE id = {room}");
    let hers = format!(
        "UPDATE memberships SET read_seq = 10000, delivered_seq = 10000 \
         WHERE room_id = {room} AND user_id = {ada}"
    );
    town.stores(&[messages, end, hers]).await;
}

/// Reads are gathered for a moment: what somebody marks meanwhile comes after what they read before it.
#[tokio::test]
async fn a_mark_outlives_what_was_read_before_it() {
    let data = tempfile::tempdir().expect("a directory");
    let folder = data.path().to_str().expect("a path in UTF-8");
    let line = ["tertulia", "--data", folder];
    let app = App::open(Config::parse_from(line), Clock::fixed(NOON)).await;
    let chat = app.expect("the app opens").chat;
    let ada = chat
        .sign_up("ada", "correct horse", &Admission::FREE)
        .await
        .expect("Ada");
    let ben = chat
        .sign_up("ben", "correct horse", &Admission::FREE)
        .await
        .expect("Ben");
    let [ada, ben] = [ada, ben].map(|user| user.person);
    let room = chat.create_room("Tea House").await.expect("a room");
    let room = chat.room_for(ada.id, room).await.expect("it is hers");
    chat.mark_read(room.clone(), ben.id, Seq(0))
        .await
        .expect("he has been there");
    for number in ["1", "2"] {
        let body = MessageBody::parse("hello").expect("a text");
        let key = Key::parse(&number.repeat(32)).expect("a key");
        let posted = chat.post(room.clone(), ada.clone(), body, key).await;
        posted.expect("it is stored");
    }
    chat.mark_read_with_others(room.clone(), ada.id, Seq(2))
        .await
        .expect("she goes at once");
    let mut read = Box::pin(chat.mark_read_with_others(room.clone(), ben.id, Seq(2)));
    assert!(
        futures_util::poll!(&mut read).is_pending(),
        "he waits for others"
    );
    chat.mark_unread(&room, ben.id, Seq(2))
        .await
        .expect("he marks it");
    read.await.expect("it is committed");
    let (seen, _) = chat.seen_seq(&room, ben.id).await.expect("he has one");
    assert_eq!(seen, Seq(1));
    let floors = chat.floors(&room).await.expect("they have");
    assert_eq!(floors.read, Seq(2), "his receipt stays");
}
