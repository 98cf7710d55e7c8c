//! Every page, fragment and frame as it is, held against its snapshot.

use std::time::Duration;

use reqwest::Method;

use crate::support::snapshots::{looks_like, reads_like};
use crate::support::{PASSWORD, Person, RoomId, Town};

const KEY: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn the_way_in_is_as_it_was() {
    let town = Town::start().await;
    let nobody = town.anon();
    looks_like("signup_first", &nobody.gets("/signup").await);
    let short = nobody
        .submits("/signup", &[("username", "ada"), ("password", "short")])
        .await;
    looks_like("signup_refused", &short);
    town.person("ada").await;
    looks_like("signup", &nobody.gets("/signup").await);
    looks_like("signin", &nobody.gets("/signin").await);
    looks_like(
        "signin_with_next",
        &nobody.gets("/signin?next=%2Frooms%2F1%3Fat%3D2").await,
    );
    let wrong = nobody
        .submits(
            "/signin",
            &[("username", "ada"), ("password", "not her password")],
        )
        .await;
    looks_like("signin_refused", &wrong);
    let taken = nobody
        .submits("/signup", &[("username", "Ada"), ("password", PASSWORD)])
        .await;
    looks_like("signup_taken", &taken);
}

#[tokio::test]
async fn a_closed_sign_up_is_as_it_was() {
    let town = Town::with(&["--signup", "closed"]).await;
    town.person("ada").await;
    looks_like("signup_closed", &town.anon().gets("/signup").await);
    looks_like("signin_closed", &town.anon().gets("/signin").await);
}

#[tokio::test]
async fn the_lobby_is_as_it_was() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    looks_like("lobby_empty", &ada.lobby().await);

    let ben = town.person("ben").await;
    town.person("carla").await;
    let general = ada.creates_room("General").await;
    ada.creates_room("Tea & <cake>").await;
    town.clock().advance(Duration::from_secs(60));
    ada.posts(general, "Does *anybody* know\nwhere the kettle is?")
        .await;
    let chat = ben.opens_chat_with(&ada).await;
    ben.posts(chat, "In the kitchen").await;
    ben.posts(chat, "Oops").await;
    ben.deletes(chat, 2).await;
    looks_like("lobby", &ada.lobby().await);
    looks_like("lobby_of_the_other", &ben.lobby().await);
    looks_like(
        "lobby_fragment",
        &ada.fetches("/", "main#conversation").await,
    );
}

/// A room in which Ada and Ben have talked about everything, over two days.
async fn lively_room(town: &Town) -> (Person, Person, RoomId) {
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "Good evening").await;
    ben.posts(room, "*Bold*, _italic_, ~struck~ and `code`")
        .await;
    town.clock().advance(Duration::from_secs(24 * 60 * 60));
    ben.posts(room, "See https://example.org/a?b=1&c=2, <b>not</b> bold")
        .await;
    ben.posts(room, "```\nfn main() {\n    println!(\"hello\");\n}\n```")
        .await;
    ada.posts(room, "Helo").await;
    ada.edits(room, 5, "Hello\n\nin two paragraphs").await;
    ada.posts(room, "said too early").await;
    ada.deletes(room, 6).await;
    ben.posts(room, "said too early as well").await;
    ben.deletes(room, 7).await;
    (ada, ben, room)
}

#[tokio::test]
async fn a_room_is_as_it_was() {
    let town = Town::start().await;
    let (ada, ben, room) = lively_room(&town).await;
    looks_like("room", &ada.room(room).await);
    ada.posts(room, "One more thing").await;
    ada.posts(room, "And another").await;
    looks_like("room_of_the_other_with_unread", &ben.room(room).await);
    looks_like(
        "room_fragment",
        &ada.fetches(&format!("/rooms/{room}"), "main#conversation")
            .await,
    );
    looks_like("room_at", &ada.gets(&format!("/rooms/{room}?at=3")).await);
    let chat = ada.opens_chat_with(&ben).await;
    looks_like("chat_empty", &ada.room(chat).await);
    ben.posts(chat, "hello").await;
    looks_like("chat", &ada.room(chat).await);
}

#[tokio::test]
async fn older_pages_are_as_they_were() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    for n in 1..=54 {
        ada.posts(room, &format!("message {n}")).await;
    }
    looks_like(
        "older_fragment",
        &ada.fetches(&format!("/rooms/{room}?before=5"), "li#older")
            .await,
    );
    looks_like(
        "older_fragment_with_more",
        &ada.fetches(&format!("/rooms/{room}?before=53"), "li#older")
            .await,
    );
    looks_like(
        "older_page",
        &ada.gets(&format!("/rooms/{room}?before=5")).await,
    );
}

#[tokio::test]
async fn forms_and_answers_are_as_they_were() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    let path = format!("/rooms/{room}/messages");
    looks_like(
        "message_answer",
        &ada.posts_with_key(room, "hello", KEY).await,
    );
    looks_like(
        "message_answer_without_script",
        &ada.submits(&path, &[("body", "hello"), ("key", KEY)]).await,
    );
    looks_like(
        "message_conflict",
        &ada.posts_with_key(room, "something else", KEY).await,
    );
    looks_like("message_refused", &ada.tries_to_post(room, "   ").await);
    let refused = ada.submits(&path, &[("body", "   "), ("key", KEY)]).await;
    looks_like("message_refused_without_script", &refused);
    looks_like(
        "edit_fragment",
        &ada.fetches(&format!("{path}/1/edit"), "li#message-1").await,
    );
    looks_like("edit_page", &ada.gets(&format!("{path}/1/edit")).await);
    looks_like(
        "message_fragment",
        &ada.fetches(&format!("{path}/1"), "ol#messages").await,
    );
    looks_like("edit_refused", &ada.tries_to_edit(room, 1, "").await);
    let refused = ada
        .submits(&format!("{path}/1/edit"), &[("body", "")])
        .await;
    looks_like("edit_refused_without_script", &refused);
    looks_like("edit_answer", &ada.edits(room, 1, "hello again").await);
    looks_like("delete_answer", &ada.deletes(room, 1).await);
    looks_like(
        "room_created_by_htmx",
        &ada.sends(Method::POST, "/rooms", &[("name", "Two")]).await,
    );
    looks_like(
        "room_refused",
        &ada.sends(Method::POST, "/rooms", &[("name", " ")]).await,
    );
    looks_like(
        "room_refused_without_script",
        &ada.submits("/rooms", &[("name", " ")]).await,
    );
    looks_like(
        "theme_answer",
        &ada.sends(Method::POST, "/theme", &[("theme", "dark")])
            .await,
    );
}

#[tokio::test]
async fn errors_are_as_they_were() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    looks_like("error_404", &ada.gets("/rooms/77").await);
    looks_like(
        "error_404_fragment",
        &ada.fetches("/rooms/77", "main#conversation").await,
    );
    looks_like("error_404_signed_out", &town.anon().gets("/nowhere").await);
    looks_like("error_405", &ada.gets("/rooms").await);
    let foreign = ada
        .asks(Method::POST, "/rooms")
        .form(&[("name", "x")])
        .header("sec-fetch-site", "cross-site");
    looks_like("error_403", &foreign.sends().await);
    looks_like(
        "error_401_fragment",
        &town.anon().fetches("/rooms/1", "main#conversation").await,
    );
    let elsewhere = ada
        .asks(Method::GET, "/")
        .header("host", "elsewhere.example");
    looks_like("error_421", &elsewhere.sends().await);
    looks_like(
        "error_413",
        &ada.submits("/rooms", &[("name", &"x".repeat(1024 * 1024))])
            .await,
    );
}

#[tokio::test]
async fn the_house_tells_how_it_is() {
    let town = Town::start().await;
    looks_like("healthz", &town.anon().gets("/healthz").await);
    looks_like("readyz", &town.anon().gets("/readyz").await);
}

#[tokio::test]
async fn live_frames_are_as_they_were() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let (mut hers, mut his) = (ada.listens(room, 0).await, ben.listens(room, 0).await);
    ada.posts(room, "hello *Ben* & all").await;
    reads_like("frame_new_mine", &hers.hears("message-1").await);
    reads_like("frame_new_theirs", &his.hears("message-1").await);
    ada.edits(room, 1, "hello").await;
    reads_like("frame_edited", &his.hears("message-1").await);
    ada.deletes(room, 1).await;
    reads_like("frame_deleted_mine", &hers.hears("deleted").await);
    reads_like("frame_deleted_theirs", &his.hears("deleted").await);
    ben.posts(room, "second").await;
    his.hears("message-2").await;
    let mut again = ben.listens(room, 1).await;
    reads_like("frame_catch_up", &again.hears("message-2").await);
}

#[tokio::test]
async fn lobby_frames_are_as_they_were() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let mut lobby = ada.listens_in_the_lobby().await.settled().await;
    let ben = town.person("ben").await;
    reads_like("frame_person", &lobby.hears("person-").await);
    let room = ben.creates_room("Tea House").await;
    reads_like("frame_room", &lobby.hears("Tea House").await);
    ben.posts(room, "the kettle is on").await;
    reads_like("frame_room_preview", &lobby.hears("the kettle is on").await);
    let chat = ben.opens_chat_with(&ada).await;
    ben.posts(chat, "hello Ada").await;
    reads_like("frame_chat", &lobby.hears("hello Ada").await);
}

#[tokio::test]
async fn a_frame_for_who_is_far_behind_is_as_it_was() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    for n in 1..=501 {
        ada.posts(room, &format!("message {n}")).await;
    }
    reads_like("frame_afresh", &ada.listens(room, 0).await.next().await);
}
