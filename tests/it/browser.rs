//! Two people, each in front of a real browser.

use crate::support::browser::{Chromium, Window, nobody_complains};
use crate::support::{PASSWORD, Town};

/// Signs up through the form.
async fn signs_up(window: &Window, name: &str) {
    window.goes("/signup").await;
    window.writes("input[name=username]", name).await;
    window.writes("input[name=password]", PASSWORD).await;
    window.clicks("form[action='/signup'] button").await;
    window.waits_for("#lobby").await;
    window.reads(".blank-words", "Pick up a conversation").await;
}

/// Waits until a message with this text stands there, exactly once.
async fn sees(window: &Window, seq: u64, text: &str) {
    window.reads(&format!("#message-{seq} .text"), text).await;
    window
        .waits_until(&format!(
            "document.querySelectorAll('#message-{seq}').length === 1"
        ))
        .await;
}

/// Opens the menu of a message and chooses.
async fn opens_menu(window: &Window, seq: u64) {
    window.clicks(&format!("[popovertarget=menu-{seq}]")).await;
    window.waits_for(&format!("#menu-{seq}:popover-open")).await;
}

async fn edits(window: &Window, seq: u64, text: &str) {
    opens_menu(window, seq).await;
    window
        .clicks(&format!("#menu-{seq} a.item[href$='/edit']"))
        .await;
    window
        .writes(&format!("#message-{seq} textarea"), text)
        .await;
    window
        .clicks(&format!("#message-{seq} form.edit button"))
        .await;
    sees(window, seq, &text.replace('*', "")).await;
}

async fn deletes(window: &Window, seq: u64) {
    opens_menu(window, seq).await;
    window
        .clicks(&format!("#message-{seq} .confirm > summary"))
        .await;
    window
        .clicks(&format!("#message-{seq} .confirm button"))
        .await;
    window.waits_for(&format!("#message-{seq}.deleted")).await;
}

/// The messages before and after a reload, which must be the same. Everybody looks, so all is read soon.
async fn reload_changes_nothing(window: &Window) {
    let settled =
        "document.querySelector('#messages .ticks[data-counts]:not([data-state=read])') === null";
    window.waits_until(settled).await;
    let before = window.messages().await;
    window.reloads().await;
    window.waits_for("#messages > li.message").await;
    is_the_same(&before, &window.messages().await);
}

fn is_the_same(before: &str, after: &str) {
    let different = before
        .lines()
        .zip(after.lines())
        .find(|(before, after)| before != after);
    assert_eq!(
        different, None,
        "before the reload (left) and after (right)"
    );
    assert_eq!(before, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_sign_up_find_each_other_and_talk() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, ben) = (
        chromium.window(town.url()).await,
        chromium.window(town.url()).await,
    );
    signs_up(&ada, "ada").await;
    signs_up(&ben, "ben").await;
    ada.reads("#people", "ben").await;

    ada.clicks("[popovertarget=new-room]").await;
    ada.writes("#new-room-name", "Tea House").await;
    ada.presses("#new-room-name", "Enter").await;
    ada.reads("#room-name", "Tea House").await;
    assert_eq!(ada.path().await, "/rooms/1");
    ben.reads("#rooms", "Tea House").await;
    ben.clicks("#room-1 a").await;
    ben.reads("#room-name", "Tea House").await;

    ada.posts("The kettle is on").await;
    sees(&ada, 1, "The kettle is on").await;
    sees(&ben, 1, "The kettle is on").await;
    ben.posts("Coming! <img src=x onerror=alert(1)>").await;
    sees(&ben, 2, "Coming! <img src=x onerror=alert(1)>").await;
    sees(&ada, 2, "Coming! <img src=x onerror=alert(1)>").await;
    assert_eq!(
        ada.evaluates("document.querySelectorAll('#messages img').length")
            .await,
        0
    );
    ada.posts("Bring *biscuits*").await;
    ada.posts("oops").await;
    sees(&ben, 4, "oops").await;
    ada.waits_for("#message-1.mine.first").await;
    ben.waits_for("#message-1.first:not(.mine)").await;

    edits(&ada, 3, "Bring *two* biscuits").await;
    ben.reads("#message-3 .text", "Bring two biscuits").await;
    ben.reads("#message-3 .meta", "Edited").await;
    deletes(&ada, 4).await;
    ben.waits_for("#message-4.deleted").await;
    ben.waits_until("!document.body.innerText.includes('oops')")
        .await;

    for window in [&ada, &ben] {
        window
            .waits_until("document.querySelectorAll('#messages > li.message').length === 4")
            .await;
        reload_changes_nothing(window).await;
    }
    ben.posts("after the reload").await;
    sees(&ada, 5, "after the reload").await;
    sees(&ben, 5, "after the reload").await;
    nobody_complains(&[&ada, &ben]);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_open_their_one_to_one_chat_from_the_lobby() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, ben) = (
        chromium.window(town.url()).await,
        chromium.window(town.url()).await,
    );
    signs_up(&ada, "ada").await;
    signs_up(&ben, "ben").await;

    ada.reads("#people", "ben").await;
    ada.clicks("#people li button").await;
    ada.reads("#room-name", "ben").await;
    ada.posts("just between us").await;
    sees(&ada, 1, "just between us").await;

    ben.reads("#chats", "just between us").await;
    ben.waits_until("document.querySelector('#unread-1').dataset.count === '1'")
        .await;
    ben.waits_until("document.title.startsWith('(1)')").await;
    ben.waits_until("document.querySelectorAll('#people li').length === 0")
        .await;
    ben.clicks("#chats li a").await;
    sees(&ben, 1, "just between us").await;
    ben.posts("as it should be").await;
    sees(&ada, 2, "as it should be").await;
    ben.waits_until("document.querySelector('#unread-1').dataset.count === '0'")
        .await;
    for window in [&ada, &ben] {
        reload_changes_nothing(window).await;
    }
    nobody_complains(&[&ada, &ben]);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_read_upwards_without_a_reload() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let window = chromium.window(town.url()).await;
    signs_up(&window, "ada").await;
    let ada = town.anon_as("ada");
    ada.signs_in().await;
    let room = ada.creates_room("General").await;
    for n in 1..=160 {
        ada.posts(room, &format!("message {n}")).await;
    }
    window.evaluates("window.stillTheSamePage = true").await;
    window.reads("#rooms", "message 160").await;
    window.clicks(&format!("#room-{room} a")).await;
    sees(&window, 160, "message 160").await;
    let all = "document.querySelectorAll('#messages > li.message').length === 160";
    let upwards = format!("(document.querySelector('#log').scrollTop = -1e9, {all})");
    window.waits_until(&upwards).await;
    let order = "[...document.querySelectorAll('#messages > li.message')].every((li, at) => li.dataset.seq == at + 1)";
    assert_eq!(window.evaluates(order).await, true);
    assert_eq!(window.evaluates("window.stillTheSamePage").await, true);
    nobody_complains(&[&window]);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_opens_even_if_a_message_arrives_while_the_button_is_down() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let window = chromium.window(town.url()).await;
    signs_up(&window, "ada").await;
    let ben = town.person("ben").await;
    let room = ben.creates_room("Busy").await;
    let row = format!("#room-{room} a");
    window.reads("#rooms", "Busy").await;
    let place = window.holds(&row).await;
    ben.posts(room, "in between").await;
    window.reads("#rooms", "in between").await;
    window.lets_go(place).await;
    window.reads("#room-name", "Busy").await;
    nobody_complains(&[&window]);
    chromium.closes().await;
}
