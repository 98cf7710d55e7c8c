//! Redis in the forms in which operators have it: with a password, as a cluster, old, and shared with others.

use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::support::redis::Redis;

/// What is said on one node is heard on the other at once, over Redis alone.
async fn is_heard_over(redis: Redis) -> Cluster {
    let cluster = Cluster::over(redis, 2, &[]).await;
    cluster.is_heard(true).await;
    let ada = cluster.person("ada").await;
    let ben = cluster.at(1, &cluster.person("ben").await).await;
    let room = ada.creates_room("General").await;
    let mut his = ben.listens(room, 0).await.settled().await;
    eventually("his node listens", async || {
        let channels = cluster.redis.channels();
        channels.contains(&format!("room:{room}"))
    })
    .await;
    let mut fast = 0;
    for seq in 1..=10 {
        let posted = std::time::Instant::now();
        ada.posts(room, &seq.to_string()).await;
        his.sees(seq).await;
        fast += u32::from(posted.elapsed() < std::time::Duration::from_millis(300));
    }
    // By looking into the database a few would be so fast, too.
    assert!(fast >= 8, "{fast} of 10");
    cluster
}

#[tokio::test]
async fn redis_with_a_password() {
    is_heard_over(Redis::with(&["--requirepass", "open-sesame"])).await;
}

#[tokio::test]
async fn a_redis_cluster() {
    let mut cluster = is_heard_over(Redis::cluster()).await;
    cluster.redis.is_killed();
    cluster.is_heard(false).await;
}

#[tokio::test]
async fn redis_that_has_no_sharded_channels_or_forbids_them() {
    let redis = Redis::start();
    let words = ["ACL", "SETUSER", "default", "-spublish", "-ssubscribe"];
    assert_eq!(redis.does(&words).trim(), "OK");
    let cluster = is_heard_over(redis).await;
    let sharded = cluster.redis.does(&["PUBSUB", "SHARDCHANNELS"]);
    assert_eq!(sharded.trim(), "");
}

#[tokio::test]
async fn a_node_listens_only_to_what_somebody_there_listens_to() {
    let cluster = Cluster::of(2).await;
    cluster.is_heard(true).await;
    let ada = cluster.person("ada").await;
    let (one, other) = (
        ada.creates_room("One").await,
        ada.creates_room("Other").await,
    );
    let listens_to = async |wanted: &[String]| {
        let others = |name: &String| name.starts_with("room:") || name.starts_with("user:");
        eventually(&format!("{wanted:?}"), async || {
            let mut now = cluster.redis.channels();
            now.retain(others);
            now.sort();
            now == wanted
        })
        .await;
    };
    listens_to(&[]).await;
    let hers = ada.listens(one, 0).await.settled().await;
    listens_to(&[format!("room:{one}"), "user:1".into()]).await;
    let _moved = ada.listens(other, 0).await.settled().await;
    drop(hers);
    let wanted = [
        format!("room:{one}"),
        format!("room:{other}"),
        "user:1".into(),
    ];
    listens_to(&wanted).await;
    let shared = cluster.redis.channels();
    let of_nodes = shared.iter().filter(|name| name.starts_with("node:"));
    assert_eq!(of_nodes.count(), 2);
    assert!(shared.contains(&"lobby".to_owned()) && shared.contains(&"nodes".to_owned()));
}
