//! A full disk, on its own.

use std::cell::Cell;

use crate::support::actor::seq_of;
use crate::support::{House, eventually};

use super::disk::Disk;
use super::nemesis::FLAGS;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_after_the_disk_was_full_survives_kill_9() {
    let disk = Disk::new();
    let house = House::opens("127.0.0.1:0", disk.path(), FLAGS).await;
    let listen = house.listen().to_owned();
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "before").await;
    if !disk.fill() {
        return;
    }
    // Twice and more: after the first time, the next transaction begins on a connection that has failed.
    let refused = Cell::new(0);
    eventually("three posts are refused", async || {
        let answer = ada.tries_to_post(room, "there is no room for this").await;
        refused.set(refused.get() + u32::from(answer.status == 503));
        refused.get() == 3
    })
    .await;
    let page = ada.room(room).await;
    assert_eq!(page.messages()[0].text, "before", "reading goes on");
    disk.empty();
    let answer = ada.tries_to_post(room, "after").await.is(200);
    house.dies().await;

    let house = House::opens(&listen, disk.path(), FLAGS).await;
    let stored = ada.reads_back(room).await;
    assert_eq!(stored[seq_of(&answer) as usize - 1].text, "after");
    house.dies().await;
}
