//! Sent, delivered, read: ticks over real sockets, by what people do.

use crate::support::ticks::{Floors, floors_in, preview_in, ticks_on};
use crate::support::{Person, RoomId, Town, eventually};

/// Ada and Ben, who have both come to a room of theirs, and Carla, who has not.
pub async fn two_and_carla() -> (Town, [Person; 3], RoomId) {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let carla = town.person("carla").await;
    let room = ada.creates_room("General").await;
    ada.comes_to(room).await;
    ben.comes_to(room).await;
    (town, [ada, ben, carla], room)
}

#[tokio::test]
async fn a_message_is_delivered_once_ben_has_a_page_open() {
    let (_town, [ada, ben, _], room) = two_and_carla().await;
    ada.posts(room, "are you there?").await;
    assert_eq!(ada.tick(room, 1).await, "sent");
    let mut hers = ada.listens_from_now(room).await;
    hers.hears_floors(0, 0).await;

    let page = ben.listens_in_the_lobby().await.stays_open();
    hers.hears_floors(1, 0).await;
    assert_eq!(ada.tick(room, 1).await, "delivered");
    ada.posts(room, "and this one, while it is open?").await;
    hers.hears_floors(2, 0).await;
    drop(page);

    let _page = ben.listens(room, 0).await.stays_open();
    ada.posts(room, "and in the room itself?").await;
    hers.hears_floors(3, 0).await;
    assert_eq!(
        ada.tick(room, 3).await,
        "delivered",
        "nobody looked at the page"
    );
}

#[tokio::test]
async fn a_message_is_read_once_ben_has_looked() {
    let (_town, [ada, ben, _], room) = two_and_carla().await;
    for n in 1..=3 {
        ada.posts(room, &format!("message {n}")).await;
    }
    let mut hers = ada.listens_from_now(room).await;
    ben.reads(room, 2).await;
    hers.hears_floors(2, 2).await;
    let page = ada.room(room).await;
    let ticks = ticks_on(&page);
    assert_eq!(
        ticks,
        [
            (1, "read".into()),
            (2, "read".into()),
            (3, "sent".to_owned())
        ]
    );
    assert_eq!(page.count("li.message .ticks[data-counts]"), 3);
    ben.posts(room, "whoever answers has read").await;
    hers.hears_floors(3, 3).await;
    assert_eq!(ada.tick(room, 3).await, "read");
}

#[tokio::test]
async fn the_same_goes_for_a_chat_of_two_which_both_are_in_from_the_start() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let chat = ada.opens_chat_with(&ben).await;
    ada.posts(chat, "hello Ben").await;
    let mut hers = ada.listens_from_now(chat).await;
    assert_eq!(ada.tick(chat, 1).await, "sent");
    let _page = ben.listens_in_the_lobby().await.stays_open();
    hers.hears_floors(1, 0).await;
    ben.reads(chat, 1).await;
    hers.hears_floors(1, 1).await;
    assert_eq!(ada.tick(chat, 1).await, "read");
}

#[tokio::test]
async fn carla_who_has_not_come_holds_no_tick_back() {
    let (_town, [ada, ben, carla], room) = two_and_carla().await;
    let _page = carla.listens_in_the_lobby().await.stays_open();
    ada.posts(room, "hello Ben").await;
    ben.reads(room, 1).await;
    assert_eq!(ada.tick(room, 1).await, "read");
}

#[tokio::test]
async fn a_third_member_holds_it_back() {
    let (_town, [ada, ben, carla], room) = two_and_carla().await;
    carla.comes_to(room).await;
    ada.posts(room, "hello both").await;
    let mut hers = ada.listens_from_now(room).await;
    ben.reads(room, 1).await;
    assert_eq!(ada.tick(room, 1).await, "sent");
    let _page = carla.listens_in_the_lobby().await.stays_open();
    hers.hears_floors(1, 0).await;
    assert_eq!(ada.tick(room, 1).await, "delivered");
    carla.reads(room, 1).await;
    hers.hears_floors(1, 1).await;
    assert_eq!(ada.tick(room, 1).await, "read");
}

#[tokio::test]
async fn whoever_joins_later_turns_no_tick_back_and_has_not_read_what_was_before() {
    let (_town, [ada, ben, carla], room) = two_and_carla().await;
    ada.posts(room, "read by Ben").await;
    ben.reads(room, 1).await;
    ada.posts(room, "not yet").await;
    let mut hers = ada.listens_from_now(room).await;
    let unread = carla.lobby().await;
    let unread = unread.attrs(&format!("#unread-{room}"), "data-count");
    assert_eq!(unread, ["2"], "she has not come yet");

    carla.comes_to(room).await;
    assert_eq!(ada.tick(room, 1).await, "read");
    assert_eq!(
        ada.tick(room, 2).await,
        "sent",
        "her coming is no reading of it"
    );
    ben.reads(room, 2).await;
    hers.hears_floors(2, 2).await;
    assert_eq!(
        ada.tick(room, 2).await,
        "read",
        "and it does not wait for her"
    );
    ada.posts(room, "from here on she counts").await;
    ben.reads(room, 3).await;
    assert_eq!(ada.tick(room, 3).await, "sent");
    assert_eq!(ada.tick(room, 2).await, "read");
}

#[tokio::test]
async fn alone_in_a_room_a_message_stays_sent() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("Diary").await;
    ada.posts(room, "dear diary").await;
    ada.reads(room, 1).await;
    assert_eq!(ada.tick(room, 1).await, "sent");
    ben.comes_to(room).await;
    ben.posts(room, "what is this?").await;
    ada.reads(room, 2).await;
    let page = ada.room(room).await;
    assert_eq!(ticks_on(&page), [(1, "sent".to_owned())]);
    assert!(!page.has("[data-counts]"), "nor will the page turn it");
    assert_eq!(ben.tick(room, 2).await, "read");
}

#[tokio::test]
async fn a_bulk_read_of_hundreds_is_one_frame() {
    let (_town, [ada, ben, _], room) = two_and_carla().await;
    let mut hers = ada.listens(room, 0).await.settled().await;
    for n in 1..=300 {
        ada.posts(room, &format!("message {n}")).await;
    }
    hers.sees(300).await;
    let before = hers.frames().len();
    ben.reads(room, 300).await;
    hers.hears_floors(300, 300).await;
    ada.edits(room, 1, "the frame after").await;
    hers.sees_when(|message| message.edited).await;
    let told: Vec<_> = hers.frames()[before..]
        .iter()
        .filter(|frame| floors_in(frame).is_some())
        .collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    let all = Floors {
        delivered: 300,
        read: 300,
    };
    assert_eq!(floors_in(told[0]), Some(all));
    // With it come a line of the lobby and the title, but no list of messages.
    assert!(
        told[0].len() < 2_000,
        "{} bytes: {}",
        told[0].len(),
        told[0]
    );
}

#[tokio::test]
async fn a_busy_room_asks_for_receipts_about_once_a_second() {
    let (_town, [ada, ben, _], room) = two_and_carla().await;
    let mut his = ben.listens(room, 0).await;
    let start = std::time::Instant::now();
    for n in 1..=100 {
        ada.posts(room, &format!("message {n}")).await;
    }
    his.sees(100).await;
    let most = 2 + start.elapsed().as_secs();
    assert!(his.pings() <= most, "{} pings, not {most}", his.pings());
}

#[tokio::test]
async fn ticks_are_right_on_a_fresh_page_and_on_older_pages() {
    let (_town, [ada, ben, _], room) = two_and_carla().await;
    for n in 1..=120 {
        ada.posts(room, &format!("message {n}")).await;
    }
    ben.reads(room, 60).await;
    let right = |ticks: &[(u64, String)], delivered: u64| {
        for (seq, state) in ticks {
            let wanted = match seq {
                1..=60 => "read",
                _ if *seq <= delivered => "delivered",
                _ => "sent",
            };
            assert_eq!(state, wanted, "of message {seq}");
        }
    };
    let pages = async || {
        let mut pages = vec![ada.room(room).await];
        while let Some(older) = pages
            .last()
            .and_then(|page| page.attrs("#older a", "href").pop())
        {
            pages.push(ada.fetches(&older, "li#older").await.is(200));
        }
        pages.iter().flat_map(ticks_on).collect::<Vec<_>>()
    };
    let ticks = pages().await;
    assert_eq!(ticks.len(), 120);
    right(&ticks, 60);
    let _page = ben.listens_in_the_lobby().await.stays_open();
    ada.sees_tick(room, 120, "delivered").await;
    right(&pages().await, 120);
    let mut hers = ada.listens(room, 119).await;
    assert_eq!(
        hers.sees(120).await.text,
        "message 120",
        "what was missed is caught up"
    );
    assert!(hers.frames()[0].contains("data-state=\"delivered\""));
}

#[tokio::test]
async fn receipts_never_fall_nor_pass_the_end() {
    let (_town, [ada, ben, _], room) = two_and_carla().await;
    let mut hers = ada.listens_from_now(room).await;
    for n in 1..=3 {
        ada.posts(room, &format!("message {n}")).await;
    }
    ben.reads(room, 3).await;
    for seq in [1, 2, 1_000_000] {
        ben.reads(room, seq).await;
        assert_eq!(ada.tick(room, 3).await, "read");
    }
    ada.posts(room, "not read in advance").await;
    assert_eq!(ada.tick(room, 4).await, "sent");
    ben.reads(room, 4).await;
    hers.hears_floors(4, 4).await;
    let told = hers.floors();
    let rises =
        |pair: &[Floors]| pair[0].delivered <= pair[1].delivered && pair[0].read <= pair[1].read;
    assert!(told.windows(2).all(rises), "{told:?}");
}

#[tokio::test]
async fn an_outsider_hears_no_receipt_of_a_direct_room() {
    let (_town, [ada, ben, carla], general) = two_and_carla().await;
    let mut lobby = carla.listens_in_the_lobby().await.settled().await;
    let mut in_room = carla.listens(general, 0).await.settled().await;
    let chat = ada.opens_chat_with(&ben).await;
    ada.posts(chat, "between us").await;
    let page = ben.listens(chat, 0).await.stays_open();
    ada.sees_tick(chat, 1, "delivered").await;
    ben.reads(chat, 1).await;
    ada.sees_tick(chat, 1, "read").await;
    drop(page);
    let form = [("seq", "1")];
    let read = format!("/rooms/{chat}/read");
    carla.submits(&read, &form).await.is(404);

    ada.creates_room("The frame after").await;
    lobby.hears("The frame after").await;
    in_room.hears("The frame after").await;
    for frame in lobby.frames().iter().chain(in_room.frames()) {
        assert_eq!(preview_in(frame, chat), None, "{frame}");
        assert!(!frame.contains(&format!("unread-{chat}\"")), "{frame}");
    }
    assert_eq!(
        in_room.floors().len(),
        1,
        "only those of the room she looks at"
    );
    assert_eq!(lobby.floors(), []);
}

#[tokio::test]
async fn ticks_survive_a_restart() {
    let (town, [ada, ben, _], room) = two_and_carla().await;
    for n in 1..=3 {
        ada.posts(room, &format!("message {n}")).await;
    }
    let page = ben.listens_in_the_lobby().await.stays_open();
    ada.sees_tick(room, 3, "delivered").await;
    ben.reads(room, 2).await;
    drop(page);
    let town = town.restarts().await;
    let (ada, ben) = (town.anon_as("ada"), town.anon_as("ben"));
    ada.signs_in().await;
    ben.signs_in().await;
    let ticks = ticks_on(&ada.room(room).await);
    let wanted = [(1, "read"), (2, "read"), (3, "delivered")];
    assert_eq!(ticks, wanted.map(|(seq, state)| (seq, state.to_owned())));

    let mut hers = ada.listens_from_now(room).await;
    ben.reads(room, 3).await;
    hers.hears_floors(3, 3).await;
    eventually("the preview is right too", async || {
        let lobby = ada.lobby().await;
        lobby.attrs(&format!("#preview-ticks-{room}"), "data-state") == ["read"]
    })
    .await;
}
