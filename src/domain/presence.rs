//! Who is here. Somebody is here while a page of theirs is live, and a little longer: reloading is not leaving.
//!
//! What is known of the present is kept in memory alone; when somebody was last here is stored, so that it can be
//! said after a restart. Changes are gathered and told together: a thousand people who come back at once are one
//! piece of news, not a thousand. On several nodes each says who is there ([`elsewhere`]); somebody is here who is on any.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::elsewhere::Elsewhere;
use super::Chat;
use crate::{
    clock::{Clock, UnixMillis},
    error::Result,
    ids::UserId,
    realtime::Event,
    records::User,
};

mod elsewhere;

/// How long somebody stays here after their last page has gone.
pub const GRACE: Duration = Duration::from_secs(10);
/// How long those who were here when the server stopped count as here without having come back.
const RETURN: Duration = Duration::from_secs(30);
/// How often changes are told.
const PACE: Duration = Duration::from_millis(500);
/// How often it is stored that those who are here still are: so much can be lost when the process is killed.
const STORED: Duration = Duration::from_secs(60);
/// How many people one piece of news names.
const TOLD: usize = 500;
/// How many who were here before a restart are expected back.
const EXPECTED: u64 = 10_000;

/// When somebody is or was here, for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Now.
    Online,
    /// Last at this time.
    Last(UnixMillis),
}

/// Everybody who is here; cheap to clone.
#[derive(Debug, Clone)]
pub struct Presence {
    clock: Clock,
    here: Arc<Mutex<Here>>,
}

#[derive(Debug, Default)]
struct Here {
    people: HashMap<UserId, Stay>,
    elsewhere: Elsewhere,
    /// What was not told yet.
    changed: BTreeMap<UserId, bool>,
    /// What other nodes were not told yet: only what concerns this one.
    moved: BTreeMap<UserId, bool>,
}

/// Somebody's being here.
#[derive(Debug)]
struct Stay {
    pages: usize,
    is_shown: bool,
    /// Until when they are here without a page.
    until: Option<Instant>,
    left: UnixMillis,
}

/// One live page of somebody's; they are here until the last is dropped, and a little longer.
#[derive(Debug)]
pub struct Attendance {
    presence: Presence,
    user: UserId,
}

impl Presence {
    /// Nobody is here.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            here: Arc::default(),
        }
    }

    /// Whether somebody is here and lets others see it.
    pub fn is_online(&self, user: UserId) -> bool {
        self.lock().shows(user)
    }

    /// Everybody who is here and lets others see it, in the order of their ids.
    pub fn online(&self) -> Vec<UserId> {
        let here = self.lock();
        let mut online: Vec<_> = here.shown().chain(here.elsewhere.people()).collect();
        online.sort_unstable();
        online.dedup();
        online
    }

    /// A page of `user`'s is live from now on.
    pub(super) fn enter(&self, user: UserId, is_shown: bool) -> Attendance {
        let mut here = self.lock();
        let stay = here.stay(user, is_shown);
        stay.pages += 1;
        stay.until = None;
        drop(here);
        Attendance {
            presence: self.clone(),
            user,
        }
    }

    /// Lets others see whether `user` is here, or no longer.
    pub(super) fn set_shown(&self, user: UserId, is_shown: bool) {
        let mut here = self.lock();
        let was_seen = here.shows(user);
        // Where else they are it is known soon, too.
        if !is_shown {
            here.elsewhere.forget(user);
        }
        let stay = here.people.get_mut(&user);
        let differs = |stay: &mut Stay| std::mem::replace(&mut stay.is_shown, is_shown) != is_shown;
        if stay.is_some_and(differs) {
            here.moved.insert(user, is_shown);
        }
        let is_seen = here.shows(user);
        if is_seen != was_seen {
            here.changed.insert(user, is_seen);
        }
    }

    /// These were here when the server stopped, at the times given, and may come back.
    fn expect(&self, people: Vec<(UserId, UnixMillis)>) {
        let mut here = self.lock();
        for (user, left) in people {
            let stay = here.stay(user, true);
            if stay.pages == 0 {
                (stay.until, stay.left) = (Some(Instant::now() + RETURN), left);
            }
        }
    }

    /// Forgets who has been gone for long enough; returns who left in which second.
    fn forget_gone(&self) -> BTreeMap<UnixMillis, Vec<UserId>> {
        let (now, mut here) = (Instant::now(), self.lock());
        let is_gone = |stay: &Stay| stay.until.is_some_and(|until| until <= now);
        let gone: Vec<_> = here.people.extract_if(|_, stay| is_gone(stay)).collect();
        let mut left: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (user, stay) in gone {
            if stay.is_shown {
                here.note(user, false);
            }
            let second = UnixMillis(stay.left.0 / 1000 * 1000);
            left.entry(second).or_default().push(user);
        }
        left
    }

    fn take_changes(&self) -> Vec<(UserId, bool)> {
        std::mem::take(&mut self.lock().changed)
            .into_iter()
            .collect()
    }

    fn everybody(&self) -> Vec<UserId> {
        self.lock().people.keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Here> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Here {
    fn stay(&mut self, user: UserId, is_shown: bool) -> &mut Stay {
        if !self.people.contains_key(&user) && is_shown {
            self.note(user, true);
        }
        self.people.entry(user).or_insert(Stay {
            pages: 0,
            is_shown,
            until: None,
            left: UnixMillis(0),
        })
    }

    /// Somebody has come to this node, or gone from it.
    fn note(&mut self, user: UserId, is_here: bool) {
        self.moved.insert(user, is_here);
        if !self.elsewhere.has(user) {
            self.changed.insert(user, is_here);
        }
    }

    /// These have come to other nodes, or gone from them; who is here is so anyway.
    fn note_elsewhere(&mut self, moved: Vec<(UserId, bool)>) {
        for (user, is_there) in moved {
            if !self.people.get(&user).is_some_and(|stay| stay.is_shown) {
                self.changed.insert(user, is_there);
            }
        }
    }

    fn shows(&self, user: UserId) -> bool {
        self.people.get(&user).is_some_and(|stay| stay.is_shown) || self.elsewhere.has(user)
    }

    fn shown(&self) -> impl Iterator<Item = UserId> {
        let shown = self.people.iter().filter(|(_, stay)| stay.is_shown);
        shown.map(|(user, _)| *user)
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let (mut here, left) = (self.presence.lock(), self.presence.clock.now());
        if let Some(stay) = here.people.get_mut(&self.user) {
            stay.pages -= 1;
            if stay.pages == 0 {
                (stay.until, stay.left) = (Some(Instant::now() + GRACE), left);
            }
        }
    }
}

impl Chat {
    /// Who is here.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// A page of `user`'s is live until the answer is dropped.
    pub fn enter(&self, user: &User) -> Attendance {
        self.presence.enter(user.person.id, user.privacy.presence)
    }

    /// When `user` is or was here, if they let others see it and it is known.
    pub async fn seen(&self, user: UserId) -> Result<Option<Seen>> {
        if self.presence.is_online(user) {
            return Ok(Some(Seen::Online));
        }
        let last = self.store.find_last_seen(user).await?;
        Ok(last.map(Seen::Last))
    }

    /// Tells who comes and goes, and stores when people were last here. Ends when `stopping` is cancelled, after
    /// everybody who is here was stored.
    pub async fn follow_presence(self, stopping: CancellationToken) {
        let mut ticks = tokio::time::interval(PACE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut store_at, mut told) = (Instant::now() + STORED, None);
        // On several nodes the others remember for a while who was here, and tell.
        if self.bus.redis().is_none() {
            self.expect_back().await;
        }
        while stopping.run_until_cancelled(ticks.tick()).await.is_some() {
            let now = self.clock.now();
            for (left, people) in self.presence.forget_gone() {
                self.store_seen(&people, now.since(left)).await;
            }
            if Instant::now() >= store_at {
                store_at = Instant::now() + STORED;
                self.store_everybody().await;
            }
            let changes = self.presence.take_changes();
            for people in changes.chunks(TOLD) {
                let people = people.into();
                self.bus.publish_here(Event::PresenceChanged { people });
            }
            self.tell_nodes(&mut told).await;
        }
        self.store_everybody().await;
    }

    async fn expect_back(&self) {
        let seen = async {
            let since = self.store.now().await?.minus(STORED + RETURN);
            self.store.find_seen_since(since, EXPECTED).await
        };
        match seen.await {
            Ok(people) => self.presence.expect(people),
            Err(err) => tracing::warn!(error = %err, "nobody is expected back"),
        }
    }

    async fn store_everybody(&self) {
        let everybody = self.presence.everybody();
        self.store_seen(&everybody, Duration::ZERO).await;
    }

    /// Stores that these were here so long ago, by the database's time: other nodes read it.
    async fn store_seen(&self, people: &[UserId], ago: Duration) {
        if people.is_empty() {
            return;
        }
        let stored = async {
            let at = self.store.now().await?.minus(ago);
            self.store.update_last_seen(people, at).await
        };
        if let Err(err) = stored.await {
            tracing::warn!(error = %err, "when people were last here was not stored");
        }
    }
}

#[cfg(test)]
mod tests;
