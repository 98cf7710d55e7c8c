//! What happens on one node is seen on the others: at once with Redis, within two seconds without.

use std::time::{Duration, Instant};

use crate::support::{cluster::Cluster, redis::Redis};

#[tokio::test]
async fn what_ada_says_on_one_node_ben_sees_on_another() {
    let cluster = Cluster::of(2).await;
    cluster.is_heard(true).await;
    let ada = cluster.person("ada").await;
    let ben = cluster.at(1, &cluster.person("ben").await).await;
    let room = ada.creates_room("General").await;
    let mut his = ben.listens(room, 0).await.settled().await;
    ada.posts(room, "hello over there").await;
    assert_eq!(his.sees(1).await.text, "hello over there");
    ada.edits(room, 1, "hello").await;
    assert!(his.sees(1).await.edited);
    ben.posts(room, "hello back").await;
    let mut hers = ada.listens(room, 2).await;
    assert_eq!(hers.sees(2).await.text, "hello back");
}

#[tokio::test]
async fn with_redis_gone_other_nodes_see_a_message_within_two_seconds() {
    let mut cluster = Cluster::of(2).await;
    cluster.is_heard(true).await;
    let ada = cluster.person("ada").await;
    let ben = cluster.at(1, &cluster.person("ben").await).await;
    let room = ada.creates_room("General").await;
    let mut his = ben.listens(room, 0).await.settled().await;
    ada.posts(room, "1").await;
    his.sees(1).await;
    cluster.redis.is_killed();
    for seq in 2..=5 {
        let posted = Instant::now();
        ada.posts(room, &seq.to_string()).await;
        his.sees(seq).await;
        let took = posted.elapsed();
        assert!(took < Duration::from_secs(2), "{seq} took {took:?}");
    }
    cluster.is_heard(false).await;
    cluster.redis.starts();
    cluster.is_heard(true).await;
    ada.posts(room, "6").await;
    his.sees(6).await;
}

#[tokio::test]
async fn a_node_starts_without_redis_and_finds_it_later() {
    let mut cluster = Cluster::over(Redis::absent(), 2, &[]).await;
    cluster.is_heard(false).await;
    let ada = cluster.person("ada").await;
    let ben = cluster.at(1, &cluster.person("ben").await).await;
    let room = ada.creates_room("General").await;
    let mut his = ben.listens(room, 0).await.settled().await;
    ada.posts(room, "1").await;
    his.sees(1).await;
    cluster.redis.starts();
    cluster.is_heard(true).await;
    ada.posts(room, "2").await;
    his.sees(2).await;
}
