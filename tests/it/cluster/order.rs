//! Everybody on every node sees the same, in the same order, over either transport.

use futures_util::future::join_all;

use crate::support::cluster::Cluster;
use crate::support::stream::Stream;
use crate::support::{Ear, Person, RoomId, messages_in};

/// How much each says.
const POSTS: u64 = 15;

/// One person at each node.
async fn one_at_each(cluster: &Cluster, names: &[&str]) -> Vec<Person> {
    let mut people = Vec::new();
    for (node, name) in names.iter().enumerate() {
        people.push(cluster[node].person(name).await);
    }
    people
}

/// The places seen until the last.
async fn seen_by_socket(ear: &mut Ear, last: u64) -> Vec<u64> {
    let seen = ear.sees_until(|it| it.seq == last).await;
    seen.into_iter().map(|it| it.seq).collect()
}

async fn seen_by_stream(stream: &mut Stream, last: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.last() != Some(&last) {
        let event = stream.next().await.expect("the stream goes on");
        seen.extend(messages_in(&event.data).into_iter().map(|it| it.seq));
    }
    seen
}

async fn says_a_lot(person: &Person, room: RoomId) {
    for n in 1..=POSTS {
        person.posts(room, &format!("{} {n}", person.name())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_one_order_whichever_node_they_post_and_read_on() {
    let cluster = Cluster::of(3).await;
    cluster.is_heard(true).await;
    let people = one_at_each(&cluster, &["ada", "ben", "carla"]).await;
    let room = people[0].creates_room("General").await;
    let (mut ears, mut streams) = (Vec::new(), Vec::new());
    for person in &people {
        ears.push(person.listens(room, 0).await.settled().await);
        streams.push(person.follows(room, 0).await);
    }
    join_all(people.iter().map(|person| says_a_lot(person, room))).await;
    let last = POSTS * 3;
    let all: Vec<_> = (1..=last).collect();
    for (ear, stream) in ears.iter_mut().zip(&mut streams) {
        assert_eq!(seen_by_socket(ear, last).await, all);
        assert_eq!(seen_by_stream(stream, last).await, all);
    }
    for person in &people {
        let page = person.reads_back(room).await;
        assert_eq!(page.iter().map(|it| it.seq).collect::<Vec<_>>(), all);
    }
}

#[tokio::test]
async fn what_is_changed_and_deleted_on_one_node_is_so_on_the_others() {
    let cluster = Cluster::of(2).await;
    cluster.is_heard(true).await;
    let ada = cluster.person("ada").await;
    let ben = cluster.at(1, &cluster.person("ben").await).await;
    let room = ada.creates_room("General").await;
    let mut hers = ada.follows(room, 0).await;
    let mut his = ben.listens(room, 0).await.settled().await;
    ada.posts(room, "one").await;
    ben.posts(room, "two").await;
    his.sees(2).await;
    hers.sees(2).await;
    cluster.moved(1, &ada).edits(room, 1, "one, edited").await;
    cluster.moved(0, &ben).deletes(room, 2).await;
    let edited = his.sees(1).await;
    assert_eq!((edited.text.as_str(), edited.edited), ("one, edited", true));
    assert!(his.sees(2).await.deleted);
    assert_eq!(hers.sees(1).await.text, "one, edited");
    assert!(hers.sees(2).await.deleted);
}

#[tokio::test(flavor = "multi_thread")]
async fn badges_and_lines_are_right_when_two_nodes_change_a_room_at_once() {
    let cluster = Cluster::of(3).await;
    cluster.is_heard(true).await;
    let people = one_at_each(&cluster, &["ada", "ben", "carla"]).await;
    let room = people[0].creates_room("General").await;
    let mut lobby = people[2].listens_in_the_lobby().await.settled().await;
    people[0].posts(room, "the first").await;
    people[1].posts(room, "the second").await;
    for round in 1..=10_u64 {
        // Word of an older message's change may come before that of the new message.
        let edits = people[0].edits(room, 1, "another text");
        let posts = people[1].posts(room, "news");
        tokio::join!(edits, posts);
        let badge = crate::support::signals::unread(2 + round);
        lobby.hears_badge(room, badge).await;
    }
}
