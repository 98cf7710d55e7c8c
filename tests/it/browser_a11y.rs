//! Nothing stands in anybody's way: every page in the light and in the dark, wide and narrow, with its menus open.

use crate::browser_ticks::at_a_window;
use crate::support::barriers::View;
use crate::support::browser::{Chromium, Window, nobody_complains};
use crate::support::{PASSWORD, Person, RoomId, Town};

const LIGHT: &[(&str, &str)] = &[("prefers-color-scheme", "light")];
const DARK: &[(&str, &str)] = &[("prefers-color-scheme", "dark")];
const CONTRAST: &[(&str, &str)] = &[
    ("prefers-color-scheme", "light"),
    ("prefers-contrast", "more"),
];

/// The last is a wide window at 200 % zoom and more.
const VIEWS: [View; 5] = [
    View {
        size: (1280, 800),
        media: LIGHT,
    },
    View {
        size: (1280, 800),
        media: DARK,
    },
    View {
        size: (390, 844),
        media: DARK,
    },
    View {
        size: (1280, 800),
        media: CONTRAST,
    },
    View {
        size: (320, 480),
        media: LIGHT,
    },
];

/// Nobody meets a barrier on this page, however they look at it, and nothing sticks out of it.
async fn is_open_to_all(window: &Window, name: &str) {
    for view in VIEWS {
        window.looks(view).await;
        // What moves is looked at when it has come to rest.
        window.waits_until("document.getAnimations().every(it => it.playState !== 'running' || it.effect.getTiming().iterations === Infinity)").await;
        assert_eq!(
            window.barriers().await,
            Vec::<String>::new(),
            "{name}, {view:?}"
        );
        assert_eq!(window.overflow().await, 0, "{name}, {view:?}");
    }
    window.looks(VIEWS[0]).await;
}

async fn page_is_open_to_all(window: &Window, path: &str, css: &str) {
    window.goes(path).await;
    window.waits_for(css).await;
    is_open_to_all(window, path).await;
}

/// Talk of all kinds: days, groups, long, edited, deleted, code, links, right to left, emoji.
async fn talks(ada: &Person, ben: &Person, room: RoomId) {
    ben.comes_to(room).await;
    let long = "A line that is one of many.\n".repeat(30);
    ada.posts(room, &long).await;
    ben.posts(
        room,
        "See https://example.org/a/long/way/to/go and `code`:\n```\nfn main() {}\n```",
    )
    .await;
    ben.posts(room, "مرحبا بالجميع").await;
    let oops = ada.posts(room, "oops").await;
    ada.deletes(room, oops).await;
    let edited = ada.posts(room, "Bring bread").await;
    ada.edits(room, edited, "Bring *bread*").await;
    ben.posts(room, "🎉").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_outside_the_chat_stand_in_nobodys_way() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let nobody = chromium.window(town.url()).await;
    page_is_open_to_all(&nobody, "/signup", "form").await;
    let (ada, ben) = town.ada_and_ben().await;
    page_is_open_to_all(&nobody, "/signin", "form").await;
    nobody.writes("input[name=username]", "ada").await;
    nobody.writes("input[name=password]", &PASSWORD[1..]).await;
    nobody.clicks("form[action='/signin'] button").await;
    nobody.waits_for("#form-error").await;
    is_open_to_all(&nobody, "a wrong password").await;

    let room = ada.creates_room("Tea House").await;
    talks(&ada, &ben, room).await;
    let window = at_a_window(&chromium, &ada).await;
    page_is_open_to_all(&window, "/settings", ".settings").await;
    page_is_open_to_all(&window, "/admin/people", ".admin-people").await;
    page_is_open_to_all(&window, "/admin/connections", "#connections").await;
    page_is_open_to_all(
        &window,
        &format!("/rooms/{room}/messages/1/info"),
        ".info-card",
    )
    .await;
    page_is_open_to_all(
        &window,
        &format!("/rooms/{room}/messages/1/edit"),
        "#edit-body",
    )
    .await;
    page_is_open_to_all(&window, "/rooms/99", ".error-status").await;
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chat_stands_in_nobodys_way() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, ben) = town.ada_and_ben().await;
    let window = at_a_window(&chromium, &ada).await;
    is_open_to_all(&window, "a lobby without rooms").await;

    let room = ada.creates_room("Tea House").await;
    let quiet = ada.creates_room("Quiet").await;
    talks(&ada, &ben, room).await;
    ada.opens_chat_with(&ben).await;
    page_is_open_to_all(&window, "/", "#room-1").await;
    for sheet in ["new-room", "account", "notifications", "keys", "palette"] {
        opens(&window, sheet).await;
        is_open_to_all(&window, sheet).await;
    }
    page_is_open_to_all(&window, &format!("/rooms/{quiet}"), "#composer").await;
    page_is_open_to_all(&window, &format!("/rooms/{room}"), "#message-1").await;
    window
        .evaluates("document.querySelector('.more input').click()")
        .await;
    // What comes next is to be read, not the end.
    let top = "document.querySelector('#message-1').getBoundingClientRect().top - document.querySelector('#log').getBoundingClientRect().top";
    window
        .waits_until(&format!("Math.abs({top}) < innerHeight / 2"))
        .await;
    is_open_to_all(&window, "a long message").await;
    for sheet in ["room-sheet", "menu-1"] {
        opens(&window, sheet).await;
        is_open_to_all(&window, sheet).await;
    }
    window
        .evaluates("document.querySelector('#menu-1').hidePopover()")
        .await;
    window
        .evaluates("document.querySelector('#ticks-1').click()")
        .await;
    window.waits_for(".info .receipt").await;
    is_open_to_all(&window, "message info").await;
    nobody_complains(&[&window]);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_done_with_the_keyboard_alone() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let window = chromium.window(town.url()).await;
    window.goes("/signup").await;
    window
        .waits_until("document.activeElement.id === 'username'")
        .await;
    window.types("ada").await;
    window.tabs_to("#password").await;
    window.types(PASSWORD).await;
    window.presses("body", "Enter").await;
    window.waits_for("#lobby").await;

    window.tabs_to("[popovertarget=new-room]").await;
    window.presses("body", "Enter").await;
    window
        .waits_until("document.activeElement.id === 'new-room-name'")
        .await;
    window.types("Tea House").await;
    window.presses("body", "Enter").await;
    window
        .waits_until("document.activeElement.id === 'composer-body'")
        .await;
    window.types("The kettle is om").await;
    window.presses("body", "Enter").await;
    window.waits_for("#message-1").await;

    window.tabs_to("#message-1 [popovertarget]").await;
    window.presses("body", "Enter").await;
    window.tabs_to("#menu-1 a[href$='/edit']").await;
    window.presses("body", "Enter").await;
    window
        .waits_until("document.activeElement.matches('.edit textarea')")
        .await;
    window.presses("body", "Backspace").await;
    window.types("n").await;
    window.presses("body", "Enter").await;
    window.reads("#message-1 .text", "The kettle is on").await;

    window.tabs_to("[popovertarget=account]").await;
    window.presses("body", "Enter").await;
    window.tabs_to("form[action='/signout'] button").await;
    window.presses("body", "Enter").await;
    window.waits_for("form[action='/signin']").await;
    nobody_complains(&[&window]);
    chromium.closes().await;
}

/// The checker checks.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_without_its_landmark_or_a_name_is_noticed() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let window = chromium.window(town.url()).await;
    window.goes("/signup").await;
    let spoil =
        "document.querySelector('main').role = 'none', document.querySelector('label').remove()";
    window.evaluates(spoil).await;
    let found = window.barriers().await;
    for rule in ["landmark-one-main:", "label:"] {
        assert!(
            found.iter().any(|it| it.starts_with(rule)),
            "{rule} {found:?}"
        );
    }
    chromium.closes().await;
}

async fn opens(window: &Window, sheet: &str) {
    window
        .evaluates(&format!("document.getElementById('{sheet}').showPopover()"))
        .await;
    window.waits_for(&format!("#{sheet}:popover-open")).await;
}
