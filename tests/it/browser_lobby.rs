//! The lobby in a browser: in which order its rows stand, and that those which stand right are left alone.

use sea_orm::ConnectionTrait;

use crate::support::browser::Chromium;
use crate::support::proxy::Proxy;
use crate::support::{NOON, Town, databases};

/// The ids of the rows under Rooms, as they stand there.
const ROWS: &str = "[...document.querySelectorAll('#rooms > li')].map(it => it.id).join()";

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_stand_right_are_not_moved_under_a_click_when_a_page_comes_back() {
    let town = Town::start().await;
    let line = Proxy::start(town.addr()).await;
    let (ada, ben) = town.ada_and_ben().await;
    let one = ada.creates_room("One").await;
    let two = ada.creates_room("Two").await;
    ada.posts(one, "hello").await;
    ada.posts(two, "hello").await;
    let database = databases::open(town.data()).await;
    for equal in ["rooms SET changed", "messages SET created"] {
        let equal = format!("UPDATE {equal} = {NOON}");
        let done = database.execute_unprepared(&equal).await;
        done.expect("two rooms of one moment");
    }
    database.close().await.expect("it was open");

    let chromium = Chromium::opens().await;
    let window = chromium.seats(&ada, &line.url(), one).await;
    let order = format!("{ROWS} === 'room-{two},room-{one}'");
    window.waits_until(&order).await;
    let watched = "document.querySelector('#lobby-cursor').isOld = true";
    window.evaluates(watched).await;
    let row = format!("#room-{two} a");
    let held = window.holds(&row).await;
    line.refuse(true);
    window.is_live_by("offline").await;
    line.refuse(false);
    window.is_live_by("ws").await;
    let told = "!document.querySelector('#lobby-cursor').isOld";
    window.waits_until(told).await;
    window.waits_until(&order).await;
    window.lets_go(held).await;
    window.reads("#room-name", "Two").await;

    // What is newer comes to the top, and nothing else moves.
    ben.posts(one, "hello").await;
    window
        .waits_until(&format!("{ROWS} === 'room-{one},room-{two}'"))
        .await;
    let three = ben.creates_room("Three").await;
    let order = format!("{ROWS} === 'room-{three},room-{one},room-{two}'");
    window.waits_until(&order).await;
    window.agrees_with_a_fresh_page(&ada).await;
    window.is_still_the_same_page().await;
    chromium.closes().await;
}
