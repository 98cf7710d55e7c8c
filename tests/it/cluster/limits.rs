//! Rate limits hold over all nodes while Redis joins them, and on each node without it.

use std::time::Instant;

use futures_util::future::join_all;

use crate::support::{Person, RoomId, cluster::Cluster, redis::Redis};

/// How many of `tries` posts are taken that are tried at each of the nodes in turn, all at once, and how many may be.
async fn taken(people: &[&Person], room: RoomId, tries: usize) -> (usize, usize) {
    let begun = Instant::now();
    let posts = people
        .iter()
        .cycle()
        .zip(0..tries)
        .map(async |(person, n)| {
            let answer = person.tries_to_post(room, &n.to_string()).await;
            usize::from(answer.status == 200)
        });
    let taken = join_all(posts).await.into_iter().sum();
    // 30 at once and ten a second after that, and one whose turn comes at the end.
    let since = usize::try_from(begun.elapsed().as_millis() / 100).expect("not for ever");
    (taken, 31 + since)
}

#[tokio::test]
async fn what_somebody_may_do_they_may_do_on_all_nodes_together() {
    let cluster = Cluster::over(Redis::start(), 2, &["--limits", "on"]).await;
    cluster.is_heard(true).await;
    // A node to which Redis does not answer in a moment counts by itself then, as it may on a machine with much to do:
    // it is enough that they count together once. If they did not, all three would post twice as much.
    let mut seen = Vec::new();
    for name in ["ada", "ben", "carla"] {
        let here = cluster.person(name).await;
        let there = cluster.at(1, &here).await;
        let room = here.creates_room(&format!("Room of {name}")).await;
        let (taken, most) = taken(&[&here, &there], room, 80).await;
        if (30..=most).contains(&taken) {
            return;
        }
        seen.push(format!("{taken} of {most}"));
    }
    panic!("posts that were taken: {seen:?}");
}

#[tokio::test]
async fn wrong_passwords_are_counted_together() {
    let cluster = Cluster::over(Redis::start(), 2, &["--limits", "on"]).await;
    cluster.is_heard(true).await;
    let ada = cluster.person("ada").await;
    let form = [("username", "ada"), ("password", "not her password")];
    let strangers = [cluster[0].anon(), cluster[1].anon()];
    for n in 0..10 {
        strangers[n % 2].submits("/signin", &form).await.is(422);
    }
    for stranger in &strangers {
        stranger.submits("/signin", &form).await.is(429);
    }
    ada.gets("/").await.is(200);
}

#[tokio::test]
async fn without_redis_each_node_counts_by_itself() {
    let cluster = Cluster::over(Redis::absent(), 1, &["--limits", "on"]).await;
    cluster.is_heard(false).await;
    let ada = cluster.person("ada").await;
    let room = ada.creates_room("General").await;
    let (taken, most) = taken(&[&ada], room, 80).await;
    assert!((30..=most).contains(&taken), "{taken} of {most} posts");
}
