//! What ends a session ends what is live by it on every node, whether Redis is there or not; so do settings arrive.

use std::time::{Duration, Instant};

use crate::support::cluster::Cluster;
use crate::support::live::Closed;
use crate::support::signals::{here_in, presence_in};
use crate::support::{Ear, PASSWORD, Person, RoomId, eventually};

/// Within what time it is so on every node.
const SOON: Duration = Duration::from_secs(5);

/// Two nodes, with Redis or without; the administrator and Ben at the first; a room.
async fn scene(redis: bool) -> (Cluster, [Person; 2], RoomId) {
    let mut cluster = Cluster::of(2).await;
    cluster.is_heard(true).await;
    let (admin, ben) = (cluster.person("ada").await, cluster.person("ben").await);
    let room = admin.creates_room("General").await;
    if !redis {
        cluster.redis.is_killed();
        cluster.is_heard(false).await;
    }
    (cluster, [admin, ben], room)
}

/// Ends by what happens, on both pages, in time, because they are signed out.
async fn ends(pages: &mut [Ear], stream: &mut crate::support::stream::Stream, since: Instant) {
    for page in pages {
        assert_eq!(page.closes_with().await, Closed(Some(1008)));
    }
    while stream.next().await.is_some() {}
    let took = since.elapsed();
    assert!(took < SOON, "{took:?}");
}

async fn sign_out(redis: bool) {
    let (cluster, [_, ben], room) = scene(redis).await;
    let there = cluster.moved(1, &ben);
    let other = cluster.at(1, &ben).await;
    let mut kept = other.listens(room, 0).await.settled().await;
    let mut pages = [
        there.listens(room, 0).await.settled().await,
        there.listens_in_the_lobby().await.settled().await,
    ];
    let mut stream = there.follows(room, 0).await;
    let since = Instant::now();
    ben.submits("/signout", &[]).await.is(303);
    ends(&mut pages, &mut stream, since).await;
    there.tries_to_post(room, "too late").await.is(401);
    there.gets(&format!("/rooms/{room}")).await.is(303);
    let seq = other.posts(room, "another browser goes on").await;
    kept.sees(seq).await;
}

#[tokio::test]
async fn signing_out_ends_the_pages_on_the_other_node() {
    sign_out(true).await;
}

#[tokio::test]
async fn signing_out_ends_the_pages_on_the_other_node_without_redis() {
    sign_out(false).await;
}

async fn new_password(redis: bool) {
    let (cluster, [_, ben], room) = scene(redis).await;
    let (there, same) = (cluster.at(1, &ben).await, cluster.moved(1, &ben));
    let mut kept = same.listens(room, 0).await.settled().await;
    let mut pages = [there.listens(room, 0).await.settled().await];
    let mut stream = there.follows(room, 0).await;
    let form = [
        ("current", PASSWORD),
        ("password", "another horse entirely"),
    ];
    let since = Instant::now();
    let changed = ben.submits("/settings/password", &form).await;
    changed.leads_to("/settings?saved=1");
    ends(&mut pages, &mut stream, since).await;
    there.tries_to_post(room, "too late").await.is(401);
    let seq = same.posts(room, "I am still here").await;
    kept.sees(seq).await;
}

#[tokio::test]
async fn another_password_ends_the_pages_on_the_other_node() {
    new_password(true).await;
}

#[tokio::test]
async fn another_password_ends_the_pages_on_the_other_node_without_redis() {
    new_password(false).await;
}

async fn shut_out(redis: bool) {
    let (cluster, [admin, ben], room) = scene(redis).await;
    let there = cluster.at(1, &ben).await;
    let mut pages = [
        there.listens(room, 0).await.settled().await,
        cluster.moved(1, &ben).listens_in_the_lobby().await,
    ];
    let mut stream = there.follows(room, 0).await;
    let since = Instant::now();
    let out = admin.submits("/admin/people/2/ban", &[("banned", "on")]);
    out.await.leads_to("/admin/people");
    ends(&mut pages, &mut stream, since).await;
    there.tries_to_post(room, "let me in").await.is(401);
    ben.tries_to_post(room, "and here?").await.is(401);
}

#[tokio::test]
async fn being_shut_out_ends_the_pages_on_the_other_node() {
    shut_out(true).await;
}

#[tokio::test]
async fn being_shut_out_ends_the_pages_on_the_other_node_without_redis() {
    shut_out(false).await;
}

async fn privacy(redis: bool) {
    let (cluster, [admin, ben], _) = scene(redis).await;
    let (watcher, there) = (cluster.moved(1, &admin), cluster.moved(1, &ben));
    let ben_id = watcher.id_of(&ben).await;
    let mut hers = watcher.listens_in_the_lobby().await.settled().await;
    let mut his = there.listens_in_the_lobby().await;
    assert!(!his.hears_who_is_here().await.is_empty());
    hers.hears_online(ben_id, true).await;
    let since = Instant::now();
    ben.shows(true, false).await;
    let frame = hers.hears_online(ben_id, false).await;
    assert_eq!(presence_in(&frame, ben_id), Some(false));
    while his.hears_who_is_here().await != Vec::<u64>::new() {}
    let took = since.elapsed();
    assert!(took < SOON, "{took:?}");
    let last = his.frames().iter().rev().find_map(|it| here_in(it));
    assert_eq!(last, Some(Vec::new()), "who hides sees nobody");
}

#[tokio::test]
async fn whoever_hides_on_one_node_is_hidden_on_the_other() {
    privacy(true).await;
}

#[tokio::test]
async fn whoever_hides_on_one_node_is_hidden_on_the_other_without_redis() {
    privacy(false).await;
}

async fn receipts_for_everyone(redis: bool) {
    let (cluster, [admin, ben], _) = scene(redis).await;
    let there = cluster.moved(1, &ben);
    let chat = ben.opens_chat_with(&admin).await;
    there.posts(chat, "seen?").await;
    admin.reads(chat, 1).await;
    there.sees_tick(chat, 1, "read").await;
    for (on, state) in [(false, "delivered"), (true, "read")] {
        let since = Instant::now();
        admin.tries_to_switch_receipts(on).await.is(303);
        eventually(state, async || there.tick(chat, 1).await == state).await;
        let took = since.elapsed();
        assert!(took < SOON, "{took:?}");
    }
}

#[tokio::test]
async fn what_the_administrator_allows_everyone_holds_on_the_other_node() {
    receipts_for_everyone(true).await;
}

#[tokio::test]
async fn what_the_administrator_allows_everyone_holds_on_the_other_node_without_redis() {
    receipts_for_everyone(false).await;
}
