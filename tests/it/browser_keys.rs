//! The keyboard alone: switching conversations, menus and panels, and where the focus goes.

use chromiumoxide::cdp::browser_protocol::input::{DispatchKeyEventParams, DispatchKeyEventType};

use crate::browser_ticks::{at_a_window, opens};
use crate::support::barriers::View;
use crate::support::browser::{Chromium, Window, nobody_complains};
use crate::support::{Person, RoomId, Town};

const ALT: i64 = 1;
const CONTROL: i64 = 2;
const META: i64 = 4;
const SHIFT: i64 = 8;

/// Presses a key wherever the focus is, with others held down.
async fn presses(window: &Window, key: &str, held: i64) {
    for kind in [DispatchKeyEventType::KeyDown, DispatchKeyEventType::KeyUp] {
        let down = kind == DispatchKeyEventType::KeyDown;
        let text = match key {
            "Enter" => "\r",
            key if key.len() == 1 && held & (CONTROL | META) == 0 => key,
            _ => "",
        };
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "Tab" => 9,
            "ArrowUp" => 38,
            "ArrowDown" => 40,
            _ => 0,
        };
        let mut event = DispatchKeyEventParams::builder()
            .r#type(kind)
            .key(key)
            .modifiers(held)
            .windows_virtual_key_code(code);
        if down && !text.is_empty() {
            event = event.text(text);
        }
        let event = event.build().expect("a key");
        window.hits(event).await;
    }
}

async fn focus_is_on(window: &Window, css: &str) {
    let is_there = format!("document.activeElement.matches({css:?})");
    window.waits_until(&is_there).await;
}

/// Three rooms, the newest first in the lobby: C, B, A.
async fn three_rooms(ada: &Person, ben: &Person) -> [RoomId; 3] {
    let mut rooms = [RoomId::default(); 3];
    for (room, name) in rooms.iter_mut().zip(["A", "B", "C"]) {
        *room = ada.creates_room(name).await;
        ada.posts(*room, "hello").await;
        ben.comes_to(*room).await;
    }
    rooms
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_are_switched_by_the_keyboard_alone() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, ben) = town.ada_and_ben().await;
    let [a, b, c] = three_rooms(&ada, &ben).await;
    let window = at_a_window(&chromium, &ben).await;
    presses(&window, "ArrowDown", ALT).await;
    window.reads("#room-name", "C").await;
    focus_is_on(&window, "#composer-body").await;
    presses(&window, "ArrowDown", ALT).await;
    window.reads("#room-name", "B").await;
    presses(&window, "ArrowUp", ALT).await;
    window.reads("#room-name", "C").await;
    assert_eq!(window.path().await, format!("/rooms/{c}"));
    presses(&window, "ArrowUp", ALT).await;
    window.waits_for(&format!("#room-{c} [aria-current]")).await;

    ada.posts(a, "unread").await;
    window
        .waits_for(&format!("#unread-{a}[data-count='1']"))
        .await;
    presses(&window, "ArrowDown", ALT | SHIFT).await;
    window.reads("#room-name", "A").await;
    ada.posts(b, "unread too").await;
    window
        .waits_for(&format!("#unread-{b}[data-count='1']"))
        .await;
    presses(&window, "ArrowUp", ALT | SHIFT).await;
    window.reads("#room-name", "B").await;
    // With nothing left to read the page stays what it is, and where.
    window
        .evaluates("answers = 0, addEventListener('htmx:finally:request', () => answers++)")
        .await;
    presses(&window, "ArrowUp", ALT | SHIFT).await;
    window.waits_until("answers === 1").await;
    assert_eq!(window.path().await, format!("/rooms/{b}"));
    nobody_complains(&[&window]);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switcher_opens_finds_and_goes() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, ben) = town.ada_and_ben().await;
    let [_, b, _] = three_rooms(&ada, &ben).await;
    let window = at_a_window(&chromium, &ben).await;
    for held in [CONTROL, META] {
        presses(&window, "k", held).await;
        focus_is_on(&window, "#palette-filter").await;
        window
            .waits_until("document.querySelectorAll('#found button').length === 4")
            .await;
        presses(&window, "Escape", 0).await;
        window
            .waits_until("!document.querySelector(':popover-open')")
            .await;
    }
    // What was found the last time cannot be told from what is found now.
    window
        .evaluates("document.querySelector('#found').replaceChildren()")
        .await;
    presses(&window, "k", CONTROL).await;
    window.reads("#found", "ada").await;
    window.waits_for("#found button:enabled").await;
    for key in ["ArrowDown", "ArrowDown", "ArrowUp", "ArrowDown"] {
        presses(&window, key, 0).await;
    }
    focus_is_on(&window, "#found li:nth-child(2) button").await;
    presses(&window, "Enter", 0).await;
    window.reads("#room-name", "B").await;
    window
        .waits_until("!document.querySelector(':popover-open')")
        .await;

    // The first thing found is what Enter opens; a person becomes a chat. What was found before is not.
    presses(&window, "k", CONTROL).await;
    focus_is_on(&window, "#palette-filter").await;
    window.reads("#found", "ada").await;
    window.evaluates(WRITE_AND_ENTER_AT_ONCE).await;
    window.reads("#found", "Nothing here").await;
    assert_eq!(window.path().await, format!("/rooms/{b}"));
    window.writes("#palette-filter", "zzz").await;
    window.reads("#found", "Nothing here").await;
    presses(&window, "Enter", 0).await;
    window.writes("#palette-filter", "AD").await;
    window
        .waits_until("document.querySelectorAll('#found li').length === 1")
        .await;
    window.reads("#found", "ada").await;
    window.waits_for("#found button:enabled").await;
    presses(&window, "Enter", 0).await;
    window.reads("#room-name", "ada").await;
    opens(&window, b, "B").await;
    presses(&window, "k", CONTROL).await;
    window
        .waits_until("document.querySelector('#palette-filter').value === ''")
        .await;
    nobody_complains(&[&window]);
    chromium.closes().await;
}

/// Somebody who writes faster than the server answers.
const WRITE_AND_ENTER_AT_ONCE: &str = "(() => { \
    const field = document.querySelector('#palette-filter'); \
    field.value = 'qqq'; \
    field.dispatchEvent(new Event('input', {bubbles: true})); \
    const first = document.querySelector('#found button'); \
    if (!first.disabled) first.click(); })()";

#[tokio::test(flavor = "multi_thread")]
async fn words_in_the_filter_leave_only_what_goes_by_them() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, ben) = town.ada_and_ben().await;
    three_rooms(&ada, &ben).await;
    let window = at_a_window(&chromium, &ben).await;
    let names =
        "[...document.querySelectorAll('#matches .row-name')].map(it => it.textContent).join()";
    window.clicks("#filter").await;
    // Nothing is looked for yet, so nothing is opened.
    presses(&window, "Enter", 0).await;
    assert!(window.is_seen("#rooms").await);
    window.writes("#filter", "B").await;
    window.waits_until(&format!("{names} === 'B'")).await;
    assert!(!window.is_seen("#rooms").await, "only what was found");
    window.writes("#filter", "zzz").await;
    window.reads("#matches", "Nothing here").await;
    // Escape takes the words away, and then leads back to the message.
    presses(&window, "Escape", 0).await;
    window
        .waits_until("document.querySelector('#filter').value === ''")
        .await;
    assert!(window.is_seen("#rooms").await && !window.is_seen("#matches").await);

    window.writes("#filter", "AD").await;
    window.waits_until(&format!("{names} === 'ada'")).await;
    window.waits_for("#matches button:enabled").await;
    presses(&window, "ArrowDown", 0).await;
    focus_is_on(&window, "#matches li:first-child button").await;
    presses(&window, "ArrowUp", 0).await;
    focus_is_on(&window, "#filter").await;
    // The first one is what Enter opens, and the whole list is back.
    presses(&window, "Enter", 0).await;
    window.reads("#room-name", "ada").await;
    window
        .waits_until("document.querySelector('#filter').value === ''")
        .await;
    assert!(window.is_seen("#rooms").await);
    // Escape leads back to the message, from what was found, too.
    window.writes("#filter", "B").await;
    window.waits_until(&format!("{names} === 'B'")).await;
    window.waits_for("#matches button:enabled").await;
    presses(&window, "ArrowDown", 0).await;
    focus_is_on(&window, "#matches button").await;
    presses(&window, "Escape", 0).await;
    focus_is_on(&window, "#composer-body").await;
    assert!(window.is_seen("#rooms").await);
    nobody_complains(&[&window]);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_and_do_nothing_while_somebody_writes() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, ben) = town.ada_and_ben().await;
    let [a, ..] = three_rooms(&ada, &ben).await;
    let window = at_a_window(&chromium, &ben).await;
    opens(&window, a, "A").await;
    focus_is_on(&window, "#composer-body").await;
    presses(&window, "?", SHIFT).await;
    window
        .waits_until("document.querySelector('#composer-body').value === '?'")
        .await;
    window
        .evaluates("document.querySelector('#log').focus()")
        .await;
    presses(&window, "?", SHIFT).await;
    window.waits_for("#keys:popover-open").await;
    window.reads("#keys", "Next unread chat").await;
    presses(&window, "Escape", 0).await;
    window
        .waits_until("!document.querySelector(':popover-open')")
        .await;
    focus_is_on(&window, "#log").await;
    presses(&window, "Escape", 0).await;
    focus_is_on(&window, "#composer-body").await;
    // Where there is nothing to go back to, Escape does nothing.
    window.goes("/settings").await;
    presses(&window, "Escape", 0).await;
    window.waits_for("#receipts").await;
    nobody_complains(&[&window]);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_focus_goes_back_to_where_things_were_opened() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, ben) = town.ada_and_ben().await;
    let [a, ..] = three_rooms(&ada, &ben).await;
    let window = at_a_window(&chromium, &ada).await;
    opens(&window, a, "A").await;
    let menu = "[popovertarget=menu-1]";
    let focus = format!("document.querySelector('{menu}').focus()");

    // A menu.
    window.evaluates(&focus).await;
    presses(&window, "Enter", 0).await;
    window.waits_for("#menu-1:popover-open").await;
    presses(&window, "Escape", 0).await;
    focus_is_on(&window, menu).await;
    // An edit that is given up.
    presses(&window, "Enter", 0).await;
    window.waits_for("#menu-1:popover-open").await;
    presses(&window, "ArrowDown", 0).await;
    window
        .evaluates("document.querySelector('#menu-1 a[href$=edit]').focus()")
        .await;
    presses(&window, "Enter", 0).await;
    focus_is_on(&window, "#edit-body-1").await;
    presses(&window, "Escape", 0).await;
    focus_is_on(&window, menu).await;
    // Message info from the menu; where it covers the conversation, nobody comes to that by the keyboard.
    presses(&window, "Enter", 0).await;
    window.waits_for("#menu-1:popover-open").await;
    for _ in 0..2 {
        presses(&window, "ArrowDown", 0).await;
    }
    focus_is_on(&window, "#menu-1 a[href$=edit]").await;
    presses(&window, "ArrowDown", 0).await;
    focus_is_on(&window, "#menu-1 summary").await;
    window
        .evaluates("document.querySelector('#menu-1 a[href$=info]').focus()")
        .await;
    presses(&window, "Enter", 0).await;
    window.waits_for("#info[open]").await;
    focus_is_on(&window, "#info [aria-label=Close]").await;
    let covered = "getComputedStyle(document.querySelector('#composer')).visibility === 'hidden'";
    for (width, is_covered) in [(1280, false), (1000, true)] {
        window
            .looks(View {
                size: (width, 800),
                media: &[],
            })
            .await;
        window
            .waits_until(&format!("({covered}) === {is_covered}"))
            .await;
    }
    presses(&window, "Escape", 0).await;
    focus_is_on(&window, menu).await;
    window
        .waits_until("!document.querySelector('#info').firstChild")
        .await;
    // A swap takes nothing away from whoever writes.
    presses(&window, "Escape", 0).await;
    focus_is_on(&window, "#composer-body").await;
    window.evaluates("document.querySelector('#composer-body').value = 'half', document.querySelector('#composer-body').setSelectionRange(2, 2)").await;
    ben.posts(a, "in between").await;
    window.reads("#message-2 .text", "in between").await;
    focus_is_on(&window, "#composer-body").await;
    let caret = "document.querySelector('#composer-body').selectionStart";
    assert_eq!(window.evaluates(caret).await, 2);
    // Nor does the button that sends.
    window.clicks("#composer .send").await;
    window.reads("#message-3 .text", "half").await;
    focus_is_on(&window, "#composer-body").await;
    nobody_complains(&[&window]);
    chromium.closes().await;
}
