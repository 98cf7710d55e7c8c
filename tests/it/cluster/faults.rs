//! Whatever becomes of Redis, everybody sees everything, in order, and nobody waits.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::support::cluster::Cluster;
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;
use crate::support::{Ear, Person, RoomId, eventually, messages_in};

/// How soon others see what somebody says, whatever becomes of Redis.
const SOON: Duration = Duration::from_secs(2);
/// How long posting takes at most, whatever becomes of Redis: nobody waits for it.
const PROMPT: Duration = Duration::from_millis(500);

/// Ada and Ben, who talk on two nodes.
struct Talk {
    people: [Person; 2],
    ears: [Reader; 2],
    room: RoomId,
    said: u64,
}

impl Talk {
    async fn begins(cluster: &Cluster) -> Talk {
        let ada = cluster.person("ada").await;
        let ben = cluster.at(1, &cluster.person("ben").await).await;
        let room = ada.creates_room("General").await;
        let ears = [Reader::of(&ada, room).await, Reader::of(&ben, room).await];
        let mut talk = Talk {
            people: [ada, ben],
            ears,
            room,
            said: 0,
        };
        talk.goes_on(2).await;
        talk
    }

    /// They say so much in turn; both see each message, in order, soon. How long each post took at most, of half of them.
    async fn goes_on(&mut self, posts: u64) -> Duration {
        let mut took = Vec::new();
        for _ in 0..posts {
            self.said += 1;
            let author = usize::from(self.said.is_multiple_of(2));
            let begun = Instant::now();
            let text = self.said.to_string();
            let seq = self.people[author].posts(self.room, &text).await;
            assert_eq!(seq, self.said);
            took.push(begun.elapsed());
            let posted = Instant::now();
            self.ears[author].is_next(self.said).await;
            assert!(posted.elapsed() < PROMPT, "on one's own node at once");
            self.ears[1 - author].is_next(self.said).await;
            let late = posted.elapsed();
            assert!(late < SOON, "{} came after {late:?}", self.said);
        }
        took.sort();
        took[took.len() / 2]
    }

    /// They say so much without waiting for each other; both see all of it in order.
    async fn is_lively(&mut self, posts: u64, body: &str) {
        let first = self.said + 1;
        for _ in 0..posts {
            self.said += 1;
            let author = usize::from(self.said.is_multiple_of(2));
            self.people[author].posts(self.room, body).await;
        }
        for seq in first..=self.said {
            for ear in &mut self.ears {
                ear.is_next(seq).await;
            }
        }
    }
}

/// Somebody's page, and what was seen on it and not yet looked at.
struct Reader {
    ear: Ear,
    seen: VecDeque<u64>,
}

impl Reader {
    async fn of(person: &Person, room: RoomId) -> Reader {
        let ear = person.listens(room, 0).await.settled().await;
        let seen = VecDeque::new();
        Reader { ear, seen }
    }

    /// The next message to be seen is this one.
    async fn is_next(&mut self, seq: u64) {
        while self.seen.is_empty() {
            let frame = self.ear.next().await;
            self.seen
                .extend(messages_in(&frame).iter().map(|it| it.seq));
        }
        assert_eq!(self.seen.pop_front(), Some(seq));
    }
}

#[tokio::test]
async fn redis_is_killed_and_comes_back_empty() {
    let mut cluster = Cluster::of(2).await;
    cluster.is_heard(true).await;
    let mut talk = Talk::begins(&cluster).await;
    cluster.redis.is_killed();
    talk.goes_on(4).await;
    cluster.is_heard(false).await;
    talk.goes_on(4).await;
    cluster.redis.starts();
    talk.goes_on(4).await;
    cluster.is_heard(true).await;
    talk.goes_on(4).await;
}

#[tokio::test]
async fn redis_stands_still_and_nobody_waits_for_it() {
    let cluster = Cluster::of(2).await;
    cluster.is_heard(true).await;
    let mut talk = Talk::begins(&cluster).await;
    let before = talk.goes_on(10).await;
    cluster.redis.is_frozen(true);
    let meanwhile = talk.goes_on(6).await;
    cluster.is_heard(false).await;
    let later = talk.goes_on(4).await;
    cluster.redis.is_frozen(false);
    cluster.is_heard(true).await;
    talk.goes_on(4).await;
    let slowest = meanwhile.max(later);
    assert!(slowest < PROMPT, "{before:?} before, then {slowest:?}");
}

#[tokio::test]
async fn redis_cuts_those_who_listen() {
    let cluster = Cluster::of(2).await;
    cluster.is_heard(true).await;
    let mut talk = Talk::begins(&cluster).await;
    for _ in 0..3 {
        let before = cluster.redis.lines("pubsub");
        assert_eq!(before.len(), 2, "a line for each node");
        cluster.redis.cuts("pubsub");
        talk.goes_on(3).await;
        eventually("both listen again", async || {
            let now = cluster.redis.lines("pubsub");
            now.len() == 2 && now.iter().all(|line| !before.contains(line))
        })
        .await;
    }
    cluster.is_heard(true).await;
}

#[tokio::test]
async fn redis_cuts_those_who_speak() {
    let cluster = Cluster::of(2).await;
    cluster.is_heard(true).await;
    let mut talk = Talk::begins(&cluster).await;
    for _ in 0..3 {
        cluster.redis.cuts("normal");
        talk.goes_on(3).await;
    }
    cluster.is_heard(true).await;
}

#[tokio::test]
async fn redis_cuts_those_who_do_not_take_enough_at_once() {
    let cluster = Cluster::of(2).await;
    cluster.is_heard(true).await;
    let mut talk = Talk::begins(&cluster).await;
    let before = cluster.redis.lines("pubsub");
    let limit = |limit: &str| {
        let words = ["CONFIG", "SET", "client-output-buffer-limit", limit];
        assert_eq!(cluster.redis.does(&words).trim(), "OK");
    };
    limit("pubsub 1kb 1kb 1");
    talk.is_lively(20, &"many words ".repeat(700)).await;
    let now = cluster.redis.lines("pubsub");
    assert!(now.iter().all(|line| !before.contains(line)), "it was hit");
    limit("pubsub 32mb 8mb 60");
    cluster.is_heard(true).await;
    talk.goes_on(4).await;
}

#[tokio::test]
async fn lines_to_redis_that_lead_nowhere_are_opened_anew() {
    let redis = Redis::start();
    let way = Proxy::start(redis.address()).await;
    let mut cluster = Cluster::over(redis, 1, &[]).await;
    let url = way.url().replace("http", "redis");
    cluster.gets_a_node_by(&url, &[]).await;
    cluster.is_heard(true).await;
    let mut talk = Talk::begins(&cluster).await;
    way.lose();
    talk.goes_on(4).await;
    eventually("it is noticed", async || {
        let ready = cluster[1].anon().gets("/readyz").await;
        ready.body.contains("degraded")
    })
    .await;
    cluster.is_heard(true).await;
    talk.goes_on(4).await;
}

#[tokio::test]
async fn a_word_that_nobody_understands_makes_a_node_look_into_the_database() {
    let redis = Redis::start();
    let way = Proxy::start(redis.address()).await;
    let mut cluster = Cluster::over(redis, 0, &[]).await;
    let url = way.url().replace("http", "redis");
    cluster.gets_a_node_by(&url, &[]).await;
    cluster.gets_a_node(&[]).await;
    cluster.is_heard(true).await;
    let ada = cluster.person("ada").await;
    let ben = cluster.at(1, &cluster.person("ben").await).await;
    let room = ada.creates_room("General").await;
    let mut his = ben.listens(room, 0).await.settled().await;
    ada.posts(room, "1").await;
    his.sees(1).await;
    // Ada's node is not heard any more, and Ben's does not know.
    way.refuse(true);
    let channel = cluster.redis.nodes_channel();
    for seq in 2..=6 {
        ada.posts(room, &seq.to_string()).await;
        let posted = Instant::now();
        cluster.redis.does(&["SPUBLISH", &channel, "{\"v\":2}"]);
        his.sees(seq).await;
        let took = posted.elapsed();
        // By itself it looks every three seconds.
        assert!(took < Duration::from_secs(1), "{seq} came after {took:?}");
    }
}
