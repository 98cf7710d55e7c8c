//! Rooms, one-to-one chats and the lobby that lists them.

use crate::support::{Answer, Town};

/// The row of a room or person in the lobby, by its id, as its text.
fn row(lobby: &Answer, id: &str) -> String {
    lobby.text(&format!("#{id}"))
}

fn unread(lobby: &Answer, room: u64) -> String {
    lobby
        .attrs(&format!("#unread-{room}"), "data-count")
        .concat()
}

#[tokio::test]
async fn ada_creates_a_room_and_ben_finds_it() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let lobby = ben.lobby().await;
    assert_eq!(
        lobby.attrs("#rooms li a", "href"),
        [format!("/rooms/{room}")]
    );
    assert!(row(&lobby, &format!("room-{room}")).contains("General"));
    assert!(
        ben.room(room)
            .await
            .text("#conversation h1, #conversation h2")
            .contains("General")
    );
}

#[tokio::test]
async fn a_room_may_have_spaces_and_any_script_in_its_name() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    for name in [
        "Tea & cake",
        "Chambre à coucher",
        "開発者",
        "Общий чат",
        "غرفة عامة",
        "C++ / Rust 100 %",
    ] {
        let room = ada.creates_room(name).await;
        let lobby = ada.lobby().await;
        assert!(
            row(&lobby, &format!("room-{room}")).contains(name),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_room_that_exists_is_opened_whatever_the_case() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("Tea House").await;
    for name in [
        "Tea House",
        "tea house",
        "TEA HOUSE",
        "  Tea   House ",
        "Ｔea House",
    ] {
        assert_eq!(ben.creates_room(name).await, room, "{name}");
    }
    assert_eq!(ben.lobby().await.count("#rooms li"), 1);
}

#[tokio::test]
async fn twenty_people_who_create_one_room_at_once_meet_in_it() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let tabs = (0..20).map(|tab| {
        let who = if tab % 2 == 0 {
            ada.clone()
        } else {
            ben.clone()
        };
        tokio::spawn(async move { who.creates_room("General").await })
    });
    let mut rooms = Vec::new();
    for tab in tabs.collect::<Vec<_>>() {
        rooms.push(tab.await.expect("no panic"));
    }
    rooms.dedup();
    assert_eq!(rooms.len(), 1);
}

#[tokio::test]
async fn a_room_needs_a_name() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    for name in ["", "   ", "\u{200b}\u{200b}", &"x".repeat(300)] {
        ada.submits("/rooms", &[("name", name)]).await.is(422);
    }
    assert_eq!(ada.lobby().await.count("#rooms li[id]"), 0);
}

#[tokio::test]
async fn two_people_have_exactly_one_chat() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let chat = ada.opens_chat_with(&ben).await;
    assert_eq!(ben.opens_chat_with(&ada).await, chat);
    assert_eq!(ada.opens_chat_with(&ben).await, chat);

    let (a, b) = tokio::join!(ada.opens_chat_with(&ben), ben.opens_chat_with(&ada));
    assert_eq!((a, b), (chat, chat));
}

#[tokio::test]
async fn two_people_who_write_to_each_other_at_once_meet_in_one_chat() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let tabs: Vec<_> = (0..20)
        .map(|tab| {
            let (who, whom) = if tab % 2 == 0 {
                (ada.clone(), ben.clone())
            } else {
                (ben.clone(), ada.clone())
            };
            tokio::spawn(async move { who.opens_chat_with(&whom).await })
        })
        .collect();
    let mut chats = Vec::new();
    for tab in tabs {
        chats.push(tab.await.expect("no panic"));
    }
    chats.dedup();
    assert_eq!(chats.len(), 1);
}

#[tokio::test]
async fn a_chat_needs_somebody_else() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    ada.submits("/directs", &[("username", "nobody")])
        .await
        .is(404);
    let alone = ada.submits("/directs", &[("username", "ada")]).await;
    assert!(
        [404, 409, 422].contains(&alone.status),
        "nobody chats with themselves here: {}",
        alone.status
    );
}

#[tokio::test]
async fn people_stand_in_the_lobby_until_they_are_written_to() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let lobby = ada.lobby().await;
    assert_eq!(
        lobby.attrs("#people li form input[name=username]", "value"),
        ["ben"]
    );
    assert_eq!(lobby.count("#chats li[id]"), 0);

    let chat = ada.opens_chat_with(&ben).await;
    ada.posts(chat, "hello Ben").await;
    let lobby = ada.lobby().await;
    assert_eq!(lobby.count("#people li[id]"), 0);
    assert!(
        row(&lobby, &format!("room-{chat}")).contains("ben"),
        "a chat bears the other's name"
    );

    let lobby = ben.lobby().await;
    assert!(row(&lobby, &format!("room-{chat}")).contains("ada"));
    assert!(row(&lobby, &format!("room-{chat}")).contains("hello Ben"));
    assert_eq!(unread(&lobby, chat), "1");
}

#[tokio::test]
async fn the_lobby_shows_the_last_message_and_what_is_unread() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    ben.room(room).await;
    ada.posts(room, "first").await;
    let last = ada.posts(room, "second & last").await;

    let lobby = ben.lobby().await;
    assert!(row(&lobby, &format!("room-{room}")).contains("second & last"));
    assert!(row(&lobby, &format!("room-{room}")).contains("12:00"));
    assert_eq!(unread(&lobby, room), "2");
    assert_eq!(
        unread(&ada.lobby().await, room),
        "0",
        "what she wrote she has read"
    );

    ben.reads(room, last).await;
    assert_eq!(unread(&ben.lobby().await, room), "0");
}

#[tokio::test]
async fn a_newcomer_need_not_read_what_was_said_before_they_came() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    for _ in 0..5 {
        ada.posts(room, "long ago").await;
    }
    let ben = town.person("ben").await;
    assert_eq!(unread(&ben.lobby().await, room), "0");
    ada.posts(room, "welcome Ben").await;
    assert_eq!(
        unread(&ben.lobby().await, room),
        "1",
        "also in a room that he has never opened"
    );
}

#[tokio::test]
async fn the_room_with_the_latest_message_is_on_top() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let tick = std::time::Duration::from_secs(60);
    let mut rooms = Vec::new();
    for name in ["One", "Two", "Three"] {
        rooms.push(ada.creates_room(name).await);
        town.clock().advance(tick);
    }
    for room in [rooms[1], rooms[0], rooms[2]] {
        ada.posts(room, "hello").await;
        town.clock().advance(tick);
    }
    let expected: Vec<_> = [rooms[2], rooms[0], rooms[1]]
        .iter()
        .map(|room| format!("room-{room}"))
        .collect();
    assert_eq!(ada.lobby().await.attrs("#rooms > li", "id"), expected);
}

#[tokio::test]
async fn the_open_room_is_marked_in_the_list() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let (one, two) = (ada.creates_room("One").await, ada.creates_room("Two").await);
    let page = ada.room(one).await;
    assert_eq!(
        page.attrs("#rooms a[aria-current=page]", "href"),
        [format!("/rooms/{one}")]
    );
    assert!(page.has(&format!("#room-{two}")));
}

#[tokio::test]
async fn a_click_on_a_row_brings_the_conversation_and_a_reload_the_page() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    let path = format!("/rooms/{room}");

    let fragment = ada.fetches(&path, "main#conversation").await.is(200);
    assert!(!fragment.is_a_page());
    assert_eq!(fragment.count("main#conversation"), 1);
    assert!(
        fragment.body.contains("<title>"),
        "the page's title changes with the room"
    );
    assert!(!fragment.has("#rooms"));

    let restored = ada
        .asks(reqwest::Method::GET, &path)
        .htmx("body")
        .header("hx-request-type", "full");
    let restored = restored
        .header("hx-history-restore-request", "true")
        .sends()
        .await
        .is(200);
    assert!(restored.is_a_page(), "history is restored from whole pages");
    assert!(ada.gets(&path).await.is_a_page());
}

#[tokio::test]
async fn entering_an_address_creates_nothing() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    for path in ["/rooms/1", "/rooms/77", "/rooms/General"] {
        ada.gets(path).await.is(404);
    }
    for path in [
        "/rooms",
        "/directs",
        "/rooms?name=General",
        "/directs?username=ben",
    ] {
        ada.gets(path).await.is(405);
    }
    let lobby = ada.lobby().await;
    assert_eq!(lobby.count("#rooms li[id], #chats li[id]"), 0);
    assert_eq!(ben.lobby().await.count("#rooms li[id], #chats li[id]"), 0);
}
