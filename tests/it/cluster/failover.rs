//! A real primary and its standby behind one address: the standby is promoted while people talk over two nodes.
//! Nothing acknowledged is lost or doubled, and every node goes on by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::support::actor::{new_key, seq_of};
use crate::support::postgres::Postgres;
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;
use crate::support::{House, PATIENCE, Person, RoomId, eventually};

/// Two servers, the address that leads to one of them, and two nodes behind it.
struct Scene {
    primary: Postgres,
    standby: Postgres,
    way: Proxy,
    nodes: Vec<House>,
    /// Somebody at each node.
    people: Vec<Person>,
    room: RoomId,
    _data: [TempDir; 2],
    _redis: Redis,
}

/// People who post at one node, each message until it is stored, and write down when they were told so.
struct Talk {
    is_over: Arc<AtomicBool>,
    /// How many were stored at each node.
    stored: [Arc<AtomicU64>; 2],
    posters: Vec<JoinHandle<Vec<(u64, String, Instant)>>>,
}

impl Scene {
    async fn is_set() -> Scene {
        let (redis, primary) = (Redis::start(), Postgres::start().await);
        let standby = primary.gets_a_standby().await;
        primary.is_synchronous(true).await;
        let way = Proxy::start(primary.address()).await;
        let (database, bus) = (Postgres::url_by(&way, "postgres"), redis.url());
        let data = [(); 2].map(|()| TempDir::new().expect("a directory"));
        let flags = ["--database", &database, "--redis", &bus, "--limits", "off"];
        let open = |data| House::opens("127.0.0.1:0", data, &flags);
        let nodes = join_all(data.iter().map(|data| open(data.path()))).await;
        let people = vec![nodes[0].person("ada").await, nodes[1].person("ben").await];
        let room = people[0].creates_room("General").await;
        Scene {
            primary,
            standby,
            way,
            nodes,
            people,
            room,
            _data: data,
            _redis: redis,
        }
    }

    fn talk(&self) -> Talk {
        let is_over = Arc::new(AtomicBool::new(false));
        let stored: [Arc<AtomicU64>; 2] = Default::default();
        let posters = (0..6).map(|tab| {
            let (person, room) = (self.people[tab % 2].clone(), self.room);
            let (is_over, stored) = (is_over.clone(), stored[tab % 2].clone());
            tokio::spawn(async move {
                let mut said = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let body = format!("tab {tab} says {}", said.len());
                    let seq = posts_until_stored(&person, room, &body).await;
                    stored.fetch_add(1, Ordering::Relaxed);
                    said.push((seq, body, Instant::now()));
                    sleep(Duration::from_millis(20)).await;
                }
                said
            })
        });
        let posters = posters.collect();
        Talk {
            is_over,
            stored,
            posters,
        }
    }

    /// What was acknowledged stands where it was acknowledged, nothing stands twice, there is no hole.
    async fn has_kept(&self, said: &BTreeMap<u64, String>) {
        for person in &self.people {
            let stored = person.reads_back(self.room).await;
            let seqs: Vec<_> = stored.iter().map(|it| it.seq).collect();
            assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "no hole");
            let stored: BTreeMap<_, _> = stored.into_iter().map(|it| (it.seq, it.text)).collect();
            assert_eq!(&stored, said, "each once, where it was acknowledged");
        }
    }
}

impl Talk {
    /// Waits until so many more were stored at each node.
    async fn goes_on(&self, more: u64) {
        for node in &self.stored {
            let before = node.load(Ordering::Relaxed);
            let holds = || async { node.load(Ordering::Relaxed) >= before + more };
            eventually("a node goes on", holds).await;
        }
    }

    /// Ends it; everything acknowledged, by its place, and when the first was after this moment.
    async fn ends(self, since: Instant) -> (BTreeMap<u64, String>, Vec<Duration>) {
        self.is_over.store(true, Ordering::Relaxed);
        let (mut all, mut first) = (BTreeMap::new(), Vec::new());
        for poster in self.posters {
            let said = poster.await.expect("no panic");
            let after = said.iter().find(|(_, _, at)| *at > since);
            first.extend(after.map(|(_, _, at)| *at - since));
            for (seq, body, _) in said {
                let other = all.insert(seq, body.clone());
                assert!(other.is_none(), "{seq} was acknowledged for two");
            }
        }
        (all, first)
    }
}

async fn posts_until_stored(person: &Person, room: RoomId, body: &str) -> u64 {
    posts_until_stored_with(person, room, body, &new_key()).await
}

async fn posts_until_stored_with(person: &Person, room: RoomId, body: &str, key: &str) -> u64 {
    let stored = timeout(PATIENCE * 2, async {
        loop {
            let answer = person.posts_with_key(room, body, key).await;
            match answer.status {
                200 => return seq_of(&answer),
                503 => sleep(Duration::from_millis(50)).await,
                other => panic!("{other}: {}", answer.body),
            }
        }
    });
    stored
        .await
        .unwrap_or_else(|_| panic!("{body} was never stored"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_while_people_talk_and_nothing_is_lost_or_doubled() {
    let mut scene = Scene::is_set().await;
    let talk = scene.talk();
    talk.goes_on(10).await;
    scene.primary.crashes();
    scene.way.set_target(scene.standby.address());
    // The address leads to a standby that only reads: posts are refused, and it is said why.
    for node in &scene.nodes {
        eventually("the log says that it only reads", async || {
            node.has_logged("this PostgreSQL server only reads (a standby)")
        })
        .await;
        let page = node.anon("nobody").gets("/healthz").await;
        page.is(200);
    }
    let refused = scene.people[0]
        .tries_to_post(scene.room, "nobody stores this")
        .await;
    refused.is(503);
    let page = scene.people[0]
        .gets(&format!("/rooms/{}", scene.room))
        .await;
    assert!(
        page.is(200).body.contains("tab 0 says 0"),
        "reading goes on"
    );
    let promoted = Instant::now();
    scene.standby.is_promoted().await;
    talk.goes_on(10).await;
    let (mut said, first) = talk.ends(promoted).await;
    eprintln!("first acknowledged after the promotion began, by tab: {first:?}");
    assert_eq!(first.len(), 6, "every tab at every node goes on");
    scene.has_kept(&said).await;
    // Pages that knew the old primary come back once their node has seen that it is another past.
    for person in &scene.people {
        eventually("its pages are of the new timeline", async || {
            person.gets("/").await.is(200).body.contains(".00000002\"")
        })
        .await;
    }
    // News passes between the nodes as before.
    let mut ears = Vec::new();
    for person in &scene.people {
        ears.push(person.listens(scene.room, 0).await);
    }
    let last = scene.people[1].posts(scene.room, "after").await;
    said.insert(last, "after".to_owned());
    for ear in &mut ears {
        ear.sees(last).await;
    }
    scene.has_kept(&said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_administrator_sees_whether_a_failover_would_lose_something() {
    let scene = Scene::is_set().await;
    let says = async |text: &str| {
        let page = scene.people[0].gets("/admin/connections").await.is(200);
        page.text("#replication").contains(text)
    };
    assert!(says("loses nothing").await, "synchronous");
    scene.primary.is_synchronous(false).await;
    eventually("it is said", async || says("may lose").await).await;
    let page = scene.people[0].gets("/admin/connections").await;
    assert!(page.has("#replication.degraded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_primary_that_lives_on_acknowledges_nothing_and_is_left() {
    let scene = Scene::is_set().await;
    let said = BTreeMap::from([(1, "before".to_owned())]);
    assert_eq!(scene.people[0].posts(scene.room, "before").await, 1);
    scene.standby.is_promoted().await;
    scene.way.set_target(scene.standby.address());
    // The connections that are open lead to the former primary, which would take writes.
    let switched = Instant::now();
    let seq = posts_until_stored(&scene.people[0], scene.room, "after").await;
    eprintln!("the first node went on after {:?}", switched.elapsed());
    let mut said = said;
    said.insert(seq, "after".to_owned());
    // Nobody writes at the other node: it only looks, and sees what the new primary has.
    eventually("the other node reads there, too", async || {
        let page = scene.people[1].room(scene.room).await;
        page.body.contains("after")
    })
    .await;
    eprintln!("the other node after {:?}", switched.elapsed());
    scene.has_kept(&said).await;
    eventually("it says why", async || {
        scene.nodes[1].has_logged("another server since a failover")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_standby_has_is_not_acknowledged_however_long_one_waits() {
    let mut scene = Scene::is_set().await;
    scene.people[0].posts(scene.room, "before").await;
    scene.standby.is_stopped();
    let key = new_key();
    // The server gives up waiting for its standby after a while, and says that it has stored it.
    for _ in 0..2 {
        let answer = scene.people[0]
            .posts_with_key(scene.room, "after", &key)
            .await;
        answer.is(503);
    }
    scene.standby.starts().await;
    let ada = &scene.people[0];
    assert_eq!(
        posts_until_stored_with(ada, scene.room, "after", &key).await,
        2
    );
    let stored = scene.people[1].reads_back(scene.room).await;
    let stored: Vec<_> = stored.into_iter().map(|it| it.text).collect();
    assert_eq!(stored, ["before", "after"]);
}

/// Every commit of a message with this text takes a second.
const SLOW_COMMIT: [&str; 2] = [
    "CREATE FUNCTION rest() RETURNS trigger LANGUAGE plpgsql AS \
     $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$",
    "CREATE CONSTRAINT TRIGGER rest AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED \
     FOR EACH ROW WHEN (NEW.body = 'slowly') EXECUTE FUNCTION rest()",
];

/// Many transactions, each of which writes.
const MANY: &str = "DO $$ BEGIN FOR n IN 1..200 LOOP \
    UPDATE settings SET value = value; COMMIT; END LOOP; END $$";

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_a_transaction_means_another_one_after_a_failover() {
    let mut scene = Scene::is_set().await;
    scene.people[0].posts(scene.room, "before").await;
    scene.primary.does(&SLOW_COMMIT).await;
    let (ada, room, key) = (scene.people[0].clone(), scene.room, new_key());
    let posting = {
        let (ada, key) = (ada.clone(), key.clone());
        tokio::spawn(async move { ada.posts_with_key(room, "slowly", &key).await })
    };
    let committing = "SELECT 1 / COUNT(*) FROM pg_stat_activity \
        WHERE wait_event = 'PgSleep' AND query = 'COMMIT'";
    scene.primary.does_when_it_can(committing).await;
    // Its connection is lost in the middle of the commit, which the standby never hears of. Then the standby gives its
    // number to a transaction of its own.
    scene.way.refuse(true);
    scene.primary.crashes();
    scene.standby.is_promoted().await;
    scene.standby.does(&[MANY]).await;
    scene.way.set_target(scene.standby.address());
    scene.way.refuse(false);
    let answer = posting.await.expect("it is answered");
    assert_eq!(answer.status, 503, "nobody knows: {}", answer.body);
    let again = posts_until_stored_with(&ada, room, "slowly", &key).await;
    assert_eq!(again, 2);
    let stored = scene.people[1].reads_back(room).await;
    let stored: Vec<_> = stored.into_iter().map(|it| it.text).collect();
    assert_eq!(stored, ["before", "slowly"]);
}
