//! Reading back: pages, permalinks, days, groups, and the line above what is new.

use std::time::Duration;

use crate::support::Town;
use crate::support::sight::seqs_in;

#[tokio::test]
async fn the_newest_fifty_come_first_and_older_pages_above() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    for n in 1..=120 {
        ada.posts(room, &format!("message {n}")).await;
    }
    let page = ada.room(room).await;
    assert_eq!(seqs_in(&page.body), (71..=120).collect::<Vec<u64>>());
    let older = page.attrs("#older a", "href");
    assert_eq!(older, [format!("/rooms/{room}?before=71")]);

    let fragment = ada.fetches(&older[0], "li#older").await.is(200);
    assert!(!fragment.is_a_page());
    assert_eq!(seqs_in(&fragment.body), (21..=70).collect::<Vec<u64>>());
    let oldest = fragment.attrs("#older a", "href");
    assert_eq!(oldest, [format!("/rooms/{room}?before=21")]);

    let last = ada.gets(&oldest[0]).await.is(200);
    assert!(last.is_a_page(), "without script the link leads to a page");
    assert_eq!(seqs_in(&last.body), (1..=20).collect::<Vec<u64>>());
    assert!(!last.has("#older a"), "nothing is older than the first");
}

#[tokio::test]
async fn a_permalink_shows_its_message_among_its_neighbours() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    for n in 1..=120 {
        ada.posts(room, &format!("message {n}")).await;
    }
    let page = ada.gets(&format!("/rooms/{room}?at=40")).await.is(200);
    let seqs = seqs_in(&page.body);
    assert!(
        seqs.contains(&39) && seqs.contains(&40) && seqs.contains(&41),
        "{seqs:?}"
    );
    assert!(
        seqs.len() <= 101 && seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "{seqs:?}"
    );
    ada.gets(&format!("/rooms/{room}?at=121")).await.is(404);
}

#[tokio::test]
async fn every_day_begins_with_its_chip() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    let day = Duration::from_secs(24 * 60 * 60);
    ada.posts(room, "last week").await;
    town.clock().advance(7 * day);
    ada.posts(room, "the day before yesterday").await;
    town.clock().advance(day);
    ada.posts(room, "yesterday").await;
    town.clock().advance(day);
    ada.posts(room, "today").await;
    ada.posts(room, "today too").await;
    let page = ada.room(room).await;
    let chips = page.texts("#messages > li.day");
    assert_eq!(chips.len(), 4, "{chips:?}");
    assert!(
        chips[0].contains('4') && chips[0].contains("Mar"),
        "{chips:?}"
    );
    assert_eq!(chips[1..], ["Wednesday", "Yesterday", "Today"]);
    let ids = page.attrs("#messages > li.day", "id");
    assert_eq!(
        ids,
        [
            "day-2026-03-04",
            "day-2026-03-11",
            "day-2026-03-12",
            "day-2026-03-13"
        ]
    );
}

#[tokio::test]
async fn a_group_is_one_author_within_five_minutes() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "1: first").await;
    ada.posts(room, "2: in her group").await;
    ben.posts(room, "3: first, another author").await;
    town.clock().advance(Duration::from_secs(4 * 60));
    ben.posts(room, "4: in his group").await;
    town.clock().advance(Duration::from_secs(6 * 60));
    ben.posts(room, "5: first, later").await;
    let page = ada.room(room).await;
    let firsts = page.attrs("#messages > li.message.first", "data-seq");
    assert_eq!(firsts, ["1", "3", "5"]);
}

#[tokio::test]
async fn what_is_new_stands_below_a_line() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let read = ada.posts(room, "read").await;
    ben.reads(room, read).await;
    ada.posts(room, "new").await;
    ada.posts(room, "newer").await;
    let page = ben.room(room).await;
    assert!(
        page.text("#divider").contains("2 unread"),
        "{}",
        page.text("#divider")
    );
    let order = page.attrs("#messages > li.message, #messages > #divider", "id");
    assert_eq!(order, ["message-1", "divider", "message-2", "message-3"]);
    assert!(!ada.room(room).await.has("#divider"));
}

#[tokio::test]
async fn everyone_reads_days_and_times_in_their_own_zone() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    ben.has_cookie("tz", "Pacific%2FAuckland");
    let (mut hers, mut his) = (ada.listens(room, 0).await, ben.listens(room, 0).await);
    ada.posts(room, "noon here").await;
    hers.hears(">12:00<").await;
    his.hears(">01:00<").await;
    assert_eq!(
        ada.room(room).await.texts("#message-1 .meta time"),
        ["12:00"]
    );
    let page = ben.room(room).await;
    assert_eq!(page.texts("#message-1 .meta time"), ["01:00"]);
    assert_eq!(page.attrs("#messages > li.day", "id"), ["day-2026-03-05"]);

    town.clock().advance(Duration::from_secs(12 * 60 * 60));
    assert_eq!(
        ada.room(room).await.texts("#messages > li.day"),
        ["Yesterday"]
    );
    assert_eq!(ben.room(room).await.texts("#messages > li.day"), ["Today"]);
}
