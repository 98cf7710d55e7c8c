//! Message info: who has read a message, whom it has reached, who is left; when; and that this is its author's alone.

use std::time::Duration;

use crate::receipts::two_and_carla;
use crate::support::signals::{Group, info_on};
use crate::support::{Town, eventually};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn ada_sees_who_has_read_it_whom_it_has_reached_and_who_is_left_each_with_a_time() {
    let (town, [ada, ben, carla], room) = two_and_carla().await;
    let dora = town.person("dora").await;
    carla.comes_to(room).await;
    dora.comes_to(room).await;
    let seq = ada.posts(room, "who reads this?").await;
    let info = ada.info(room, seq).await;
    assert_eq!((info.read.size(), info.delivered.size()), (0, 0));
    let all = [("ben", ""), ("carla", ""), ("dora", "")];
    assert_eq!(info.waiting, Group::of(&all), "by name, and not its author");

    town.clock().advance(MINUTE * 5);
    ben.reads(room, seq).await;
    town.clock().advance(MINUTE);
    let _page = carla.listens_in_the_lobby().await.stays_open();
    eventually("it has reached Carla", async || {
        ada.info(room, seq).await.delivered.size() == 1
    })
    .await;
    town.clock().advance(MINUTE * 30);
    let info = ada.info(room, seq).await;
    assert_eq!(info.read, Group::of(&[("ben", "Today, 12:05")]));
    assert_eq!(info.delivered, Group::of(&[("carla", "Today, 12:06")]));
    assert_eq!(info.waiting, Group::of(&[("dora", "")]));

    town.clock().advance(MINUTE * 60 * 24);
    carla.reads(room, seq).await;
    let info = ada.info(room, seq).await;
    let read = [("ben", "Yesterday, 12:05"), ("carla", "Today, 12:36")];
    assert_eq!(info.read, Group::of(&read));
    assert_eq!(
        info.delivered.size(),
        0,
        "whoever has read it is listed once"
    );
}

#[tokio::test]
async fn whoever_came_later_is_not_waited_for() {
    let (_town, [ada, ben, carla], room) = two_and_carla().await;
    ada.posts(room, "before Carla came").await;
    carla.comes_to(room).await;
    ada.posts(room, "and after").await;
    ben.reads(room, 2).await;
    let (before, after) = (ada.info(room, 1).await, ada.info(room, 2).await);
    assert_eq!((before.read.size(), before.waiting.size()), (1, 0));
    assert_eq!((after.read.size(), after.waiting.size()), (1, 1));
}

#[tokio::test]
async fn it_is_a_page_and_a_fragment_with_the_same_lists() {
    let (_town, [ada, ben, _], room) = two_and_carla().await;
    let seq = ada.posts(room, "twice the same").await;
    ben.reads(room, seq).await;
    let path = format!("/rooms/{room}/messages/{seq}/info");
    let page = ada.gets(&path).await.is(200);
    assert!(page.is_a_page());
    assert_eq!(page.text("title"), "Message info · Tertulia");
    assert!(page.text("main").contains("General") && page.text("main").contains("twice the same"));

    let fragment = ada.fetches(&path, "div#info").await.is(200);
    assert!(!fragment.is_a_page());
    assert_eq!(fragment.count(".info .bubble"), 1);
    assert_eq!(fragment.count("form[method=dialog] button"), 1, "it closes");
    let back = format!("/rooms/{room}?at={seq}");
    assert_eq!(page.attrs("main a.button", "href"), [back]);
    assert_eq!(info_on(&fragment), info_on(&page));
    assert_eq!(info_on(&page).read.size(), 1);
    let ticks = ada
        .room(room)
        .await
        .attrs(&format!("a#ticks-{seq}"), "href");
    assert_eq!(ticks, [path], "the ticks lead there");
}

#[tokio::test]
async fn only_its_author_may_ask() {
    let (town, [ada, ben, carla], room) = two_and_carla().await;
    let seq = ada.posts(room, "mine").await;
    ada.info(room, seq).await;
    let nowhere = ben.tries_info(room, 99).await.is(404);
    for other in [&ben, &carla] {
        let refused = other.tries_info(room, seq).await.is(404);
        assert_eq!(
            refused.text("h1"),
            nowhere.text("h1"),
            "as if it were not there"
        );
    }
    let path = format!("/rooms/{room}/messages/{seq}/info");
    let answer = town.anon().gets(&path).await.is(303);
    assert!(
        answer.location().starts_with("/signin"),
        "{}",
        answer.location()
    );
}

#[tokio::test]
async fn of_a_room_that_is_not_theirs_nobody_learns_anything() {
    let (_town, [ada, ben, carla], general) = two_and_carla().await;
    let chat = ada.opens_chat_with(&ben).await;
    ada.posts(chat, "between us").await;
    ada.posts(general, "for everyone").await;
    ada.posts(chat, "and this").await;
    let foreign = carla.tries_info(chat, 1).await.is(404);
    let nowhere = carla.tries_info(9_999, 1).await.is(404);
    assert_eq!(foreign.texts("h1, h1 + p"), nowhere.texts("h1, h1 + p"));
    ada.tries_info(general, 2).await.is(404);
    for seq in ["0", "-1", "1e3", "9223372036854775808", "%00"] {
        let answer = ada
            .gets(&format!("/rooms/{chat}/messages/{seq}/info"))
            .await;
        assert!(
            [400, 404].contains(&answer.status),
            "{seq}: {}",
            answer.status
        );
    }
}

#[tokio::test]
async fn a_deleted_message_has_none_and_its_text_is_nowhere() {
    let (_town, [ada, ben, _], room) = two_and_carla().await;
    let seq = ada.posts(room, "zanzibar").await;
    ben.reads(room, seq).await;
    ada.deletes(room, seq).await;
    let path = format!("/rooms/{room}/messages/{seq}/info");
    for answer in [ada.gets(&path).await, ada.fetches(&path, "div#info").await] {
        assert!(!answer.is(404).body.contains("zanzibar"));
    }
    let page = ada.room(room).await;
    assert!(
        !page.has(&format!("[href$='/{seq}/info']")),
        "nothing leads there"
    );
}

#[tokio::test]
async fn times_of_the_last_steps_are_exact_and_those_before_become_a_limit() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let chat = ada.opens_chat_with(&ben).await;
    let read_at = async |seq| {
        let info = ada.info(chat, seq).await;
        info.read.when("ben").expect("he has read it").to_owned()
    };
    for seq in 1..=20 {
        town.clock().advance(MINUTE);
        ada.posts(chat, &format!("message {seq}")).await;
        ben.reads(chat, seq).await;
        assert_eq!(read_at(seq).await, format!("Today, 12:{seq:02}"));
        if seq < 16 {
            assert_eq!(read_at(1).await, "Today, 12:01", "after {seq} steps");
        }
    }
    assert_eq!(read_at(6).await, "Today, 12:06");
    assert_eq!(read_at(5).await, "by Today, 12:05");
    assert_eq!(
        read_at(1).await,
        "by Today, 12:05",
        "the oldest that is known"
    );
    assert_eq!(read_at(20).await, "Today, 12:20");
}

#[tokio::test]
async fn of_250_people_all_are_counted_and_200_named() {
    let (town, [ada, ben, _], room) = two_and_carla().await;
    crowd(&town, room).await;
    let seq = ada.posts(room, "to all of you").await;
    ben.reads(room, seq).await;
    ada.posts(room, "the next one").await;
    let path = format!("/rooms/{room}/messages/{seq}/info");
    for answer in [ada.gets(&path).await, ada.fetches(&path, "div#info").await] {
        let info = info_on(&answer.is(200));
        assert_eq!(info.read, Group::of(&[("ben", "Today, 12:00")]));
        assert_eq!(info.delivered.size(), 100);
        assert_eq!(info.waiting.size(), 148);
        let named = [&info.read, &info.delivered, &info.waiting].map(|group| group.people.len());
        assert_eq!(named, [1, 100, 99], "those furthest are named first");
        let names = info.delivered.people.iter().map(|(name, _)| name);
        assert!(names.is_sorted());
    }
}

/// Lets 248 people into the room, of whom the first hundred will have received whatever comes: as the forms would,
/// but without a minute of password hashing.
async fn crowd(town: &Town, room: u64) {
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 101 UNION ALL SELECT i + 1 FROM n WHERE i < 348)";
    let people = format!(
        "{numbers} INSERT INTO users (name, name_folded, password, role, created) \
         SELECT 'person' || i, 'person' || i, '', 'member', 0 FROM n"
    );
    let members = format!(
        "{numbers} INSERT INTO memberships (room_id, user_id, joined, delivered_seq, read_seq, changed) \
         SELECT {room}, u.id, 0, CASE WHEN i <= 200 THEN 1 ELSE 0 END, 0, 0 \
         FROM n JOIN users u ON u.name = 'person' || i"
    );
    town.stores(&[people, members]).await;
}
