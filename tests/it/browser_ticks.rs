//! Ticks in front of real people: three of them, each at a real browser.

use crate::support::browser::{Chromium, Window, nobody_complains};
use crate::support::{PASSWORD, Person, RoomId, Town};

/// Signs in through the form, with an account that is there.
pub async fn at_a_window(chromium: &Chromium, person: &Person) -> Window {
    let window = chromium.window(person.url()).await;
    window.goes("/signin").await;
    window.writes("input[name=username]", person.name()).await;
    window.writes("input[name=password]", PASSWORD).await;
    window.clicks("form[action='/signin'] button").await;
    window.waits_for("#lobby").await;
    window.reads(".blank-words", "Pick up a conversation").await;
    window
}

/// Opens a room from the lobby.
pub async fn opens(window: &Window, room: RoomId, name: &str) {
    window.clicks(&format!("#room-{room} a")).await;
    window.reads("#room-name", name).await;
}

/// Waits until the ticks of a message say this, and that alone is to be seen.
async fn shows(window: &Window, seq: u64, state: &str) {
    let ticks = format!("#ticks-{seq}[data-state={state}]");
    window.waits_for(&ticks).await;
    let words = match state {
        "sent" => "Sent",
        "delivered" => "Delivered",
        _ => "Read",
    };
    window.reads(&ticks, words).await;
}

/// Waits until the ticks before the room's preview say this.
async fn previews(window: &Window, room: RoomId, state: &str) {
    let ticks = format!("#preview-ticks-{room}[data-state={state}]");
    window.waits_for(&ticks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_people_turn_adas_ticks() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let people = [
        town.person("ada").await,
        town.person("ben").await,
        town.person("carla").await,
    ];
    let room = people[0].creates_room("Tea House").await;
    let elsewhere = people[0].creates_room("Elsewhere").await;
    for person in &people {
        person.comes_to(room).await;
    }
    let ada = at_a_window(&chromium, &people[0]).await;
    opens(&ada, room, "Tea House").await;
    ada.posts("Who is there?").await;
    shows(&ada, 1, "sent").await;

    let ben = at_a_window(&chromium, &people[1]).await;
    ben.reads(&format!("#room-{room}"), "Who is there?").await;
    assert_eq!(people[0].tick(room, 1).await, "sent", "Carla is away");
    let carla = at_a_window(&chromium, &people[2]).await;
    shows(&ada, 1, "delivered").await;
    previews(&ada, room, "delivered").await;

    opens(&ben, room, "Tea House").await;
    ben.waits_for(&format!("#unread-{room}[data-count='0']"))
        .await;
    shows(&ada, 1, "delivered").await;
    opens(&carla, room, "Tea House").await;
    shows(&ada, 1, "read").await;
    previews(&ada, room, "read").await;

    // Three are in view now: what comes is read at once, and the lobby in another window turns too.
    opens(&ada, elsewhere, "Elsewhere").await;
    people[0].posts(room, "from her telephone").await;
    ada.reads(&format!("#room-{room}"), "from her telephone")
        .await;
    people[0].sees_tick(room, 2, "read").await;
    previews(&ada, room, "read").await;

    chromium.covers(&ben).await;
    opens(&ada, room, "Tea House").await;
    ada.posts("Still looking, Ben?").await;
    ben.waits_for("#message-3").await;
    carla
        .waits_for(&format!("#unread-{room}[data-count='0']"))
        .await;
    shows(&ada, 3, "delivered").await;
    let pill = format!("#unread-{room}");
    let unread = people[1].lobby().await.attrs(&pill, "data-count");
    assert_eq!(unread, ["1"], "a background tab reads nothing");
    ben.comes_to_the_front().await;
    shows(&ada, 3, "read").await;
    ben.waits_for(&format!("{pill}[data-count='0']")).await;

    ada.reloads().await;
    for seq in 1..=3 {
        shows(&ada, seq, "read").await;
    }
    nobody_complains(&[&ada, &ben, &carla]);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_at_an_empty_room_is_in_it() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (first, second) = town.ada_and_ben().await;
    let room = first.creates_room("New").await;
    let ada = at_a_window(&chromium, &first).await;
    let ben = at_a_window(&chromium, &second).await;
    opens(&ada, room, "New").await;
    opens(&ben, room, "New").await;
    ada.posts("the first words").await;
    ben.reads("#message-1 .text", "the first words").await;
    shows(&ada, 1, "read").await;
    nobody_complains(&[&ada, &ben]);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn older_pages_that_are_already_loaded_turn_too() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (first, second) = town.ada_and_ben().await;
    let room = first.creates_room("Tea House").await;
    second.comes_to(room).await;
    for n in 1..=120 {
        first.posts(room, &format!("message {n}")).await;
    }
    let ada = at_a_window(&chromium, &first).await;
    opens(&ada, room, "Tea House").await;
    let all = "document.querySelectorAll('#messages .ticks[data-state=sent]').length === 120";
    ada.waits_until(&format!(
        "(document.querySelector('#log').scrollTop = -1e9, {all})"
    ))
    .await;
    second.reads(room, 119).await;
    ada.waits_until(
        "document.querySelectorAll('#messages .ticks[data-state=read]').length === 119",
    )
    .await;
    shows(&ada, 120, "sent").await;

    // A message that is written anew keeps its ticks, and one that is gone leaves none to turn.
    first.edits(room, 119, "written anew").await;
    ada.reads("#message-119 .text", "written anew").await;
    shows(&ada, 119, "read").await;
    first.deletes(room, 120).await;
    ada.waits_for("#message-120.deleted").await;
    second.reads(room, 120).await;
    ada.waits_for("#floors[data-read='120']").await;
    first.creates_room("The frame after").await;
    ada.reads("#rooms", "The frame after").await;
    nobody_complains(&[&ada]);
    chromium.closes().await;
}
