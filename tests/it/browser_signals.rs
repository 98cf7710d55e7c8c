//! Badges, titles, message info, mutes and presence in front of real people.

use std::time::{Duration, Instant};

use crate::browser_ticks::{at_a_window, opens};
use crate::support::browser::{Chromium, Window, nobody_complains, quoted};
use crate::support::{RoomId, Town};

/// Waits until the pill of a room shows so many unread messages.
async fn counts(window: &Window, room: RoomId, count: u64) {
    let pill = format!("#unread-{room}[data-count='{count}']");
    window.waits_for(&pill).await;
}

/// Waits until the title is this one.
async fn is_titled(window: &Window, title: &str) {
    let is_it = format!("document.title === {}", quoted(title));
    window.waits_until(&is_it).await;
}

/// What a style of the first match comes to.
async fn style(window: &Window, css: &str, name: &str) -> String {
    let script = format!(
        "getComputedStyle(document.querySelector({})).{name}",
        quoted(css)
    );
    let found = window.evaluates(&script).await;
    found.as_str().expect("it is on the page").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_windows_of_ben_agree_on_what_is_unread() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("Tea House").await;
    let elsewhere = ada.creates_room("Elsewhere").await;
    ben.comes_to(room).await;
    ada.posts(room, "the first").await;
    ada.posts(room, "the second").await;
    let one = at_a_window(&chromium, &ben).await;
    let other = at_a_window(&chromium, &ben).await;
    opens(&other, elsewhere, "Elsewhere").await;
    is_titled(&one, "(2) Tertulia").await;
    is_titled(&other, "(2) Elsewhere · Tertulia").await;

    opens(&one, room, "Tea House").await;
    one.reads("#divider", "2 unread messages").await;
    counts(&one, room, 0).await;
    let here = Instant::now();
    counts(&other, room, 0).await;
    is_titled(&other, "Elsewhere · Tertulia").await;
    assert!(
        here.elapsed() < Duration::from_secs(1),
        "{:?}",
        here.elapsed()
    );
    one.reads("#divider", "2 unread messages").await;

    // What comes behind another tab stays unread until somebody looks.
    chromium.covers(&one).await;
    ada.posts(room, "the third").await;
    one.waits_for("#message-3").await;
    counts(&other, room, 1).await;
    is_titled(&other, "(1) Elsewhere · Tertulia").await;
    one.comes_to_the_front().await;
    counts(&one, room, 0).await;
    counts(&other, room, 0).await;

    one.clicks("[popovertarget=menu-2]").await;
    one.clicks("#message-2 form[action$='/unread'] button")
        .await;
    counts(&one, room, 2).await;
    let here = Instant::now();
    counts(&other, room, 2).await;
    is_titled(&other, "(2) Elsewhere · Tertulia").await;
    assert!(
        here.elapsed() < Duration::from_secs(1),
        "{:?}",
        here.elapsed()
    );
    is_titled(&one, "(2) Tertulia").await;
    assert_eq!(
        one.path().await,
        "/",
        "it would be read again at once otherwise"
    );
    opens(&other, room, "Tea House").await;
    other.reads("#divider", "2 unread messages").await;
    counts(&one, room, 0).await;
    nobody_complains(&[&one, &other]);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_muted_room_has_a_grey_pill_and_whoever_is_here_a_dot() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, ben) = town.ada_and_ben().await;
    let ada_id = ben.id_of(&ada).await;
    let room = ada.creates_room("Tea House").await;
    let elsewhere = ada.creates_room("Elsewhere").await;
    let window = at_a_window(&chromium, &ben).await;
    opens(&window, room, "Tea House").await;
    let dot = format!("#presence-{ada_id}");
    window.waits_for(&format!("{dot}:empty")).await;
    let is_seen = format!("document.querySelector('{dot}').checkVisibility()");
    assert_eq!(window.evaluates(&is_seen).await, false);
    let page = ada.listens_in_the_lobby().await.stays_open();
    window.waits_for(&format!("{dot}:not(:empty)")).await;
    window.waits_until(&is_seen).await;

    window.clicks("#room-menu [popovertarget]").await;
    window.clicks("#room-menu [name=for][value=always]").await;
    window.waits_for("#room-menu [value=off]").await;
    window
        .waits_for(&format!("#unread-{room}[data-muted]"))
        .await;
    opens(&window, elsewhere, "Elsewhere").await;
    ada.posts(room, "noise").await;
    counts(&window, room, 1).await;
    is_titled(&window, "Elsewhere · Tertulia").await;
    let chat = ada.opens_chat_with(&ben).await;
    ada.posts(chat, "not noise").await;
    counts(&window, chat, 1).await;
    is_titled(&window, "(1) Elsewhere · Tertulia").await;
    let muted = style(&window, &format!("#unread-{room}"), "backgroundColor").await;
    let loud = style(&window, &format!("#unread-{chat}"), "backgroundColor").await;
    assert_ne!(muted, loud);
    window
        .waits_for(&format!("#room-{chat} {dot}:not(:empty)"))
        .await;

    opens(&window, chat, "ada").await;
    window.reads("#presence", "online").await;
    drop(page);
    window.waits_for("#presence:not([data-online])").await;
    window.reads("#presence", "last seen today at 12:00").await;
    window.waits_for(&format!("{dot}:empty")).await;
    nobody_complains(&[&window]);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_on_the_ticks_or_enter_opens_message_info() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (first, second) = town.ada_and_ben().await;
    let room = first.creates_room("Tea House").await;
    second.comes_to(room).await;
    let ada = at_a_window(&chromium, &first).await;
    opens(&ada, room, "Tea House").await;
    ada.posts("Has anybody read this?").await;
    ada.waits_for("#ticks-1").await;
    let focus = "document.querySelector('#ticks-1').focus()";
    ada.evaluates(focus).await;
    ada.presses("#ticks-1", "Enter").await;
    ada.reads("#info[open]", "Has anybody read this?").await;
    ada.reads("#info .receipts", "Nobody yet").await;
    assert_eq!(
        ada.path().await,
        format!("/rooms/{room}"),
        "the room is open yet"
    );
    second.reads(room, 1).await;
    ada.reads("#info .receipts:has([data-key=read])", "ben")
        .await;

    ada.reloads().await;
    ada.clicks("#ticks-1").await;
    ada.reads("#info .receipts:has([data-key=read])", "ben")
        .await;
    nobody_complains(&[&ada]);
    ada.presses("body", "Escape").await;
    ada.waits_until("document.querySelector('#info').childElementCount === 0")
        .await;
    ada.waits_until("document.activeElement.id === 'ticks-1'")
        .await;
    chromium.closes().await;
}
