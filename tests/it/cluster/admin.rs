//! What the administrator sees of several nodes, and machines in metrics.

use crate::support::{cluster::Cluster, eventually};

#[tokio::test]
async fn the_administrator_sees_the_connections_of_every_node() {
    let mut cluster = Cluster::of(2).await;
    cluster.is_heard(true).await;
    let ada = cluster.person("ada").await;
    let ben = cluster.at(1, &cluster.person("ben").await).await;
    let room = ada.creates_room("General").await;
    let _his = ben.listens(room, 0).await.settled().await;
    let _hers = ada.listens(room, 0).await.settled().await;
    eventually("both are listed", async || {
        let page = ada.gets("/admin/connections").await.is(200);
        let mut people = page.texts("#connections tbody th");
        people.sort();
        people == ["ada", "ben"] && page.text("#people-connected") == "2"
    })
    .await;
    let page = ada.gets("/admin/connections").await.is(200);
    assert_eq!(page.texts("#nodes li").len(), 2);
    assert!(!page.has("#redis-degraded"));
    ben.gets("/admin/connections").await.is(404);
    let metrics = ada.gets("/metrics").await.is(200).body;
    assert!(metrics.contains("\ntertulia_redis_up 1\n"), "{metrics}");
    // The dashboard shows them.
    for name in [
        "tertulia_redis_lost_total ",
        "tertulia_redis_dropped_total ",
    ] {
        assert!(
            metrics.contains(&format!("\n{name}")),
            "{name} in {metrics}"
        );
    }

    cluster.redis.is_killed();
    cluster.is_heard(false).await;
    let page = ada.gets("/admin/connections").await.is(200);
    assert!(page.has("#redis-degraded"), "it is said, to nobody else");
    assert!(!ben.room(room).await.body.contains("Redis"));
    let metrics = ada.gets("/metrics").await.is(200).body;
    assert!(metrics.contains("\ntertulia_redis_up 0\n"), "{metrics}");
}
