//! Behind a balancer a page may speak to another node than its events come from.

use crate::support::cluster::Cluster;

#[tokio::test]
async fn what_a_page_received_counts_whichever_node_it_tells() {
    let cluster = Cluster::of(2).await;
    cluster.is_heard(true).await;
    let ada = cluster.person("ada").await;
    let ben = cluster.person("ben").await;
    let there = cluster.at(1, &ben).await;
    let room = ada.creates_room("General").await;
    ben.comes_to(room).await;
    let mut stream = ben.follows(room, 0).await;
    stream.hears("id=\"floors\"").await;
    ada.posts(room, "hello").await;
    stream.sees(1).await;
    assert_eq!(ada.tick(room, 1).await, "sent");
    let ask = stream.is_told("ask").await;
    there.answers(&ask).await;
    ada.sees_tick(room, 1, "delivered").await;
}
