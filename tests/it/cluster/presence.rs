//! Who is here, on whichever node.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::processes::Pair;
use crate::support::cluster::Cluster;
use crate::support::signals::presence_in;
use crate::support::{Person, eventually};

/// Within what time nobody is shown any more whose node died.
const GONE: Duration = Duration::from_secs(45);

/// Waits for somebody's going for as long as that may take.
async fn goes(watcher: &Person, id: u64, within: Duration) {
    let end = Instant::now() + within;
    while watcher.sees_online(id).await {
        assert!(Instant::now() < end, "{id} is still there");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn somebody_is_here_while_they_have_a_page_on_any_node() {
    let cluster = Cluster::of(2).await;
    cluster.is_heard(true).await;
    let (ada, ben) = (cluster.person("ada").await, cluster[1].person("ben").await);
    let ben_id = ada.id_of(&ben).await;
    let mut hers = ada.listens_in_the_lobby().await.settled().await;
    let there = ben.listens_in_the_lobby().await.stays_open();
    hers.hears_online(ben_id, true).await;
    assert!(ada.sees_online(ben_id).await);
    let here = cluster.moved(0, &ben);
    let page = here.listens_in_the_lobby().await.stays_open();
    let before = hers.frames().len();
    drop(there);
    let carla = cluster[1].person("carla").await;
    let carla_id = ada.id_of(&carla).await;
    let only = carla.listens_in_the_lobby().await.stays_open();
    hers.hears_online(carla_id, true).await;
    drop(only);
    hers.hears_online(carla_id, false).await;
    for frame in &hers.frames()[before..] {
        assert_eq!(presence_in(frame, ben_id), None, "he is here: {frame}");
    }
    drop(page);
    hers.hears_online(ben_id, false).await;
    assert!(!ada.sees_online(ben_id).await);
}

#[tokio::test]
async fn whoever_hides_is_seen_on_no_node() {
    let cluster = Cluster::of(2).await;
    cluster.is_heard(true).await;
    let (ada, ben) = (cluster.person("ada").await, cluster[1].person("ben").await);
    let (ben_id, dora) = (ada.id_of(&ben).await, cluster[1].person("dora").await);
    dora.shows(true, false).await;
    let dora_id = ada.id_of(&dora).await;
    let mut hers = ada.listens_in_the_lobby().await.settled().await;
    let _hidden = dora.listens_in_the_lobby().await.stays_open();
    let _page = ben.listens_in_the_lobby().await.stays_open();
    hers.hears_online(ben_id, true).await;
    ben.shows(true, false).await;
    hers.hears_online(ben_id, false).await;
    assert!(!ada.sees_online(ben_id).await && !ada.sees_online(dora_id).await);
    for frame in hers.frames() {
        assert_ne!(presence_in(frame, dora_id), Some(true), "{frame}");
    }
    ben.shows(true, true).await;
    hers.hears_online(ben_id, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_a_node_that_stops_move_and_those_of_one_that_died_are_gone_within_45_seconds() {
    tokio::join!(a_node_stops(), a_node_dies());
}

/// Whoever was there moves; those who do not come are gone.
async fn a_node_stops() {
    let mut cluster = Cluster::of(2).await;
    cluster.is_heard(true).await;
    let ada = cluster.person("ada").await;
    let (ben, carla) = (
        cluster[1].person("ben").await,
        cluster[1].person("carla").await,
    );
    let (ben_id, carla_id) = (ada.id_of(&ben).await, ada.id_of(&carla).await);
    let mut hers = ada.listens_in_the_lobby().await.settled().await;
    let mut his = ben.listens_in_the_lobby().await;
    let _only = carla.listens_in_the_lobby().await.stays_open();
    let mut awaited = vec![ben_id, carla_id];
    while !awaited.is_empty() {
        let frame = hers.next().await;
        awaited.retain(|id| presence_in(&frame, *id) != Some(true));
    }
    let moved = cluster.moved(0, &ben);
    let before = hers.frames().len();
    cluster.loses_a_node();
    his.closes_with().await;
    let _back = moved.listens_in_the_lobby().await.stays_open();
    goes(&ada, carla_id, GONE).await;
    assert!(ada.sees_online(ben_id).await);
    ada.creates_room("The frame after").await;
    hers.hears("The frame after").await;
    for frame in &hers.frames()[before..] {
        assert_eq!(presence_in(frame, ben_id), None, "he only moved: {frame}");
    }
}

async fn a_node_dies() {
    let data = [(); 2].map(|()| TempDir::new().expect("a directory"));
    let Pair {
        houses: [here, there],
        redis: _redis,
    } = Pair::opens(&data).await;
    let (ada, ben) = (here.person("ada").await, there.person("ben").await);
    let ben_id = ada.id_of(&ben).await;
    let _page = ben.listens_in_the_lobby().await.stays_open();
    eventually("Ben is here", async || ada.sees_online(ben_id).await).await;
    there.dies().await;
    goes(&ada, ben_id, GONE).await;
    drop(here);
}
