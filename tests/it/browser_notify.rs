//! Notifications, the bell, the title and the icon: what reaches people who look elsewhere.

use chromiumoxide::cdp::browser_protocol::browser::PermissionSetting::{Denied, Granted, Prompt};

use crate::browser_ticks::{at_a_window, opens};
use crate::support::browser::{Chromium, Window, nobody_complains};
use crate::support::{Person, RoomId, Town};

/// Ben at a window that may show notifications, behind another tab.
async fn looks_elsewhere(chromium: &Chromium, ben: &Person) -> Window {
    let window = at_a_window(chromium, ben).await;
    chromium.notifications_are(&window, Granted).await;
    window.has_a_worker().await;
    window.is_live_by("ws").await;
    chromium.covers(&window).await;
    window
}

/// Two rooms of Ada's that Ben has been in.
async fn rooms(ada: &Person, ben: &Person) -> [RoomId; 2] {
    let rooms = [
        ada.creates_room("Tea House").await,
        ada.creates_room("Elsewhere").await,
    ];
    for room in rooms {
        ben.comes_to(room).await;
    }
    rooms
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_elsewhere_is_notified_once_a_room_and_a_click_opens_it() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, ben) = town.ada_and_ben().await;
    let [tea, elsewhere] = rooms(&ada, &ben).await;
    let window = looks_elsewhere(&chromium, &ben).await;
    ada.posts(tea, "The kettle is *on* <img src=x>").await;
    let first = "Tea House | ada: The kettle is *on* <img src=x>";
    window.is_notified(&[first]).await;
    ada.posts(elsewhere, "psst").await;
    window.is_notified(&["Elsewhere | ada: psst", first]).await;
    let chat = ada.opens_chat_with(&ben).await;
    ada.posts(chat, "between us").await;
    window
        .is_notified(&["Elsewhere | ada: psst", first, "ada | between us"])
        .await;

    // One a room: the newest. What was read elsewhere is taken away.
    ben.reads(elsewhere, 1).await;
    ben.reads(chat, 1).await;
    window.is_notified(&[first]).await;
    ada.posts(tea, "It boils").await;
    window.is_notified(&["Tea House | ada: It boils"]).await;
    chromium.clicks_on_the_notification(&window).await;
    window.reads("#room-name", "Tea House").await;
    assert_eq!(window.path().await, format!("/rooms/{tea}"));
    window.is_notified(&[]).await;
    nobody_complains(&[&window]);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_notified_of_what_they_see_have_muted_or_wrote() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, ben) = town.ada_and_ben().await;
    let [tea, elsewhere] = rooms(&ada, &ben).await;
    let muting = [("for", "always")];
    ben.submits(&format!("/rooms/{elsewhere}/mute"), &muting)
        .await;
    let window = at_a_window(&chromium, &ben).await;
    chromium.notifications_are(&window, Granted).await;
    window.has_a_worker().await;
    opens(&window, tea, "Tea House").await;
    ada.posts(tea, "seen").await;
    window.reads("#message-1 .text", "seen").await;
    window.reads(&format!("#room-{tea}"), "seen").await;

    chromium.covers(&window).await;
    ada.posts(elsewhere, "noise").await;
    window
        .reads_unseen(&format!("#room-{elsewhere}"), "noise")
        .await;
    ben.posts(tea, "from another device").await;
    window.waits_for("#message-2").await;
    // What comes last is told last: nothing before it was.
    ada.posts(tea, "not seen").await;
    window.is_notified(&["Tea House | ada: not seen"]).await;
    window.comes_to_the_front().await;
    window.is_notified(&[]).await;
    nobody_complains(&[&window]);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_tabs_tell_the_same_once_and_none_while_one_is_looked_at() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, ben) = town.ada_and_ben().await;
    let [tea, elsewhere] = rooms(&ada, &ben).await;
    let window = looks_elsewhere(&chromium, &ben).await;
    let beside = chromium.tab_beside(&window).await;
    beside.goes(&format!("/rooms/{elsewhere}")).await;
    beside.is_live_by("ws").await;
    for tab in [&window, &beside] {
        tab.evaluates(COUNT_SHOWN).await;
    }
    ada.posts(tea, "one").await;
    beside.reads(&format!("#room-{tea}"), "one").await;
    window.waits_until("told.length === 1").await;
    beside.waits_until("told.length === 1").await;
    assert_eq!(window.notifications().await, [""; 0], "a tab is looked at");

    chromium.covers(&beside).await;
    ada.posts(tea, "two").await;
    window.is_notified(&["Tea House | ada: two"]).await;
    for tab in [&window, &beside] {
        tab.waits_until("told.length === 2").await;
    }
    assert_eq!(window.notifications().await, ["Tea House | ada: two"]);
    nobody_complains(&[&window, &beside]);
    chromium.closes().await;
}

/// Notes what a page passes on to its service worker to be shown.
const COUNT_SHOWN: &str = "told = [], navigator.serviceWorker.ready.then(({active}) => { \
    const post = active.postMessage.bind(active); \
    active.postMessage = message => (message.title && told.push(message), post(message)); })";

#[tokio::test(flavor = "multi_thread")]
async fn the_bell_says_in_words_how_it_stands_and_asks_only_when_it_is_pressed() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, _) = town.ada_and_ben().await;
    let window = at_a_window(&chromium, &ada).await;
    chromium.notifications_are(&window, Prompt).await;
    window
        .evaluates("asked = 0, Notification.requestPermission = async () => asked++")
        .await;
    window.reads("#bell", "off").await;
    assert_eq!(window.evaluates("asked").await, 0);
    window.clicks("#bell").await;
    window.waits_until("asked === 1").await;
    window
        .reads("#notifications", "Notifications are off")
        .await;

    chromium.notifications_are(&window, Denied).await;
    window.reads("#bell", "blocked").await;
    window.reads("#notifications", "Firefox").await;
    chromium.notifications_are(&window, Granted).await;
    window.reads("#bell", "on").await;
    window.reads("#notifications", "Notifications are on").await;
    nobody_complains(&[&window]);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_title_counts_and_the_icon_bears_a_dot_while_something_is_unread() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, ben) = town.ada_and_ben().await;
    let [tea, elsewhere] = rooms(&ada, &ben).await;
    let window = at_a_window(&chromium, &ben).await;
    opens(&window, elsewhere, "Elsewhere").await;
    window.waits_for("#icon[href$='/icon.svg']").await;
    window.has_a_worker().await;
    // An installed app has an icon of its own, which this browser has nowhere to show.
    let notes = "badges = [], navigator.setAppBadge = async count => { badges.push(count); }, null";
    chromium.tells_worker(&window, notes).await;
    for count in 1..=2 {
        ada.posts(tea, "hello").await;
        let title = format!("document.title === '({count}) Elsewhere · Tertulia'");
        window.waits_until(&title).await;
    }
    window.waits_for("#icon[href$='/icon-unread.svg']").await;
    window.reloads().await;
    window.waits_for("#icon[href$='/icon-unread.svg']").await;
    window.is_live_by("ws").await;
    opens(&window, tea, "Tea House").await;
    window.waits_for("#icon[href$='/icon.svg']").await;
    window
        .waits_until("document.title === 'Tea House · Tertulia'")
        .await;
    chromium.tells_worker(&window, BORE_ONE_TWO_NONE).await;
    nobody_complains(&[&window]);
    chromium.closes().await;
}

/// Waits until the app's icon has borne one, two and then nothing. Each page says how it stands when it opens.
const BORE_ONE_TWO_NONE: &str = "(async () => { \
    const borne = () => badges.filter((count, at) => count !== badges[at - 1]).join(' '); \
    while (!borne().endsWith('1 2 0')) await new Promise(done => setTimeout(done, 20)); })()";
