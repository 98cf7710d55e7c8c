//! Rate limits hold over all nodes while Redis joins them, and on each node without it.

use crate::support::{Person, RoomId, cluster::Cluster, redis::Redis};

/// How many of `tries` posts are taken, tried at each of the nodes in turn.
async fn taken(people: &[&Person], room: RoomId, tries: usize) -> usize {
    let mut taken = 0;
    for (person, n) in people.iter().cycle().zip(0..tries) {
        let answer = person.tries_to_post(room, &n.to_string()).await;
        taken += usize::from(answer.status == 200);
    }
    taken
}

#[tokio::test]
async fn what_somebody_may_do_they_may_do_on_all_nodes_together() {
    let cluster = Cluster::over(Redis::start(), 2, &["--limits", "on"]).await;
    cluster.is_heard(true).await;
    let ada = cluster.person("ada").await;
    let there = cluster.at(1, &ada).await;
    let room = ada.creates_room("General").await;
    // 30 at once and ten a second after that; on two nodes that counted apart it would be at least 60.
    let taken = taken(&[&ada, &there], room, 70).await;
    assert!((30..60).contains(&taken), "{taken} posts of 70");
    let refused = there.tries_to_post(room, "one more").await.is(429);
    assert!(!refused.header("retry-after").is_empty());
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
    let taken = taken(&[&ada], room, 60).await;
    assert!((30..60).contains(&taken), "{taken} posts of 60");
}
