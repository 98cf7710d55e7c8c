//! What ends a session ends what is live by it on every node, whether Redis is there or not; so do settings arrive.

use std::time::{Duration, Instant};

use crate::support::cluster::Cluster;
use crate::support::live::Closed;
use crate::support::signals::here_in;
use crate::support::stream::Stream;
use crate::support::{Ear, PASSWORD, Person, RoomId, eventually};

/// Within what time it is so on every node.
const SOON: Duration = Duration::from_secs(5);

/// Two nodes and the administrator at the first; a room.
struct Scene {
    cluster: Cluster,
    admin: Person,
    room: RoomId,
}

#[tokio::test]
async fn what_ends_on_one_node_ends_on_the_other_and_settings_arrive() {
    let scene = Scene::is_set().await;
    scene.is_played().await;
}

#[tokio::test]
async fn without_redis_too() {
    let mut scene = Scene::is_set().await;
    scene.cluster.redis.is_killed();
    scene.cluster.is_heard(false).await;
    scene.is_played().await;
}

impl Scene {
    async fn is_set() -> Scene {
        let cluster = Cluster::of(2).await;
        cluster.is_heard(true).await;
        let admin = cluster.person("ada").await;
        let room = admin.creates_room("General").await;
        Scene {
            cluster,
            admin,
            room,
        }
    }

    async fn is_played(&self) {
        tokio::join!(
            self.somebody_signs_out(),
            self.somebody_takes_another_password(),
            self.somebody_is_shut_out(),
            self.somebody_hides(),
            self.receipts_are_switched(),
        );
    }

    async fn somebody_signs_out(&self) {
        let here = self.cluster.person("ben").await;
        let (there, other) = (
            self.cluster.moved(1, &here),
            self.cluster.at(1, &here).await,
        );
        let mut kept = self.opens_a_page(&other).await;
        let mut pages = [
            self.opens_a_page(&there).await,
            there.listens_in_the_lobby().await.settled().await,
        ];
        let stream = there.follows(self.room, 0).await;
        let since = Instant::now();
        here.submits("/signout", &[]).await.is(303);
        ends(&mut pages, stream, since).await;
        self.is_out(&there, since).await;
        self.is_in(&other, &mut kept).await;
    }

    async fn somebody_takes_another_password(&self) {
        let here = self.cluster.person("carla").await;
        let (there, same) = (
            self.cluster.at(1, &here).await,
            self.cluster.moved(1, &here),
        );
        let mut kept = self.opens_a_page(&same).await;
        let mut pages = [self.opens_a_page(&there).await];
        let stream = there.follows(self.room, 0).await;
        let form = [
            ("current", PASSWORD),
            ("password", "another horse entirely"),
        ];
        let since = Instant::now();
        let changed = here.submits("/settings/password", &form).await;
        changed.leads_to("/settings?saved=1");
        ends(&mut pages, stream, since).await;
        self.is_out(&there, since).await;
        self.is_in(&same, &mut kept).await;
    }

    async fn somebody_is_shut_out(&self) {
        let here = self.cluster.person("dora").await;
        let id = self.admin.id_of(&here).await;
        let (there, same) = (
            self.cluster.at(1, &here).await,
            self.cluster.moved(1, &here),
        );
        let mut pages = [
            self.opens_a_page(&there).await,
            same.listens_in_the_lobby().await.settled().await,
        ];
        let stream = there.follows(self.room, 0).await;
        let (path, since) = (format!("/admin/people/{id}/ban"), Instant::now());
        let out = self.admin.submits(&path, &[("banned", "on")]).await;
        out.leads_to("/admin/people");
        ends(&mut pages, stream, since).await;
        for browser in [&here, &there, &same] {
            self.is_out(browser, since).await;
        }
    }

    async fn somebody_hides(&self) {
        let here = self.cluster.person("emil").await;
        let there = self.cluster.moved(1, &here);
        let watcher = self.cluster.moved(1, &self.admin);
        let id = watcher.id_of(&here).await;
        let mut hers = watcher.listens_in_the_lobby().await.settled().await;
        let mut his = there.listens_in_the_lobby().await;
        assert!(!his.hears_who_is_here().await.is_empty());
        hers.hears_online(id, true).await;
        let since = Instant::now();
        here.shows(true, false).await;
        hers.hears_online(id, false).await;
        while !his.hears_who_is_here().await.is_empty() {}
        is_soon(since);
        let last = his.frames().iter().rev().find_map(|frame| here_in(frame));
        assert_eq!(last, Some(Vec::new()), "who hides sees nobody");
    }

    async fn receipts_are_switched(&self) {
        let here = self.cluster.person("fay").await;
        let there = self.cluster.moved(1, &here);
        let chat = here.opens_chat_with(&self.admin).await;
        there.posts(chat, "seen?").await;
        self.admin.reads(chat, 1).await;
        there.sees_tick(chat, 1, "read").await;
        for (on, state) in [(false, "delivered"), (true, "read")] {
            let since = Instant::now();
            self.admin.tries_to_switch_receipts(on).await.is(303);
            eventually(state, async || there.tick(chat, 1).await == state).await;
            is_soon(since);
        }
    }

    async fn opens_a_page(&self, who: &Person) -> Ear {
        who.listens(self.room, 0).await.settled().await
    }

    /// Their old cookie is worth nothing any more.
    async fn is_out(&self, who: &Person, since: Instant) {
        let path = format!("/rooms/{}", self.room);
        eventually("they are out", async || {
            let posted = who.tries_to_post(self.room, "too late").await;
            posted.status == 401
        })
        .await;
        is_soon(since);
        who.gets(&path).await.is(303);
        let query = format!("?room={}&rev=0", self.room);
        assert_eq!(who.tries_to_listen(&query).await.err(), Some(401));
    }

    /// They post, and their page goes on.
    async fn is_in(&self, who: &Person, page: &mut Ear) {
        let seq = who.posts(self.room, "I am still here").await;
        page.sees(seq).await;
    }
}

fn is_soon(since: Instant) {
    let took = since.elapsed();
    assert!(took < SOON, "{took:?}");
}

/// All pages end in time, because their people are signed out.
async fn ends(pages: &mut [Ear], mut stream: Stream, since: Instant) {
    for page in pages {
        assert_eq!(page.closes_with().await, Closed(Some(1008)));
    }
    while stream.next().await.is_some() {}
    is_soon(since);
}
