//! Who is on other nodes. Each says who comes and goes, and regularly who is there at all; one that has been silent for
//! too long has died, and its people with it. While nodes cannot hear each other, the database tells who was there lately.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{Chat, EXPECTED, GRACE, Here, Presence, TOLD};
use crate::{
    ids::UserId,
    realtime::{NodeId, NodeWord, Redis},
};

/// How often a node says who is there.
const PACE: Duration = Duration::from_secs(10);
/// How long the last word of a node counts: with a look each half second, nobody is shown for 45 s after it died.
const COUNTS: Duration = Duration::from_secs(35);
/// How many nodes are listened to; one more is a fault of somebody's.
const MOST: usize = 1_000;

/// Under which name the people are kept of whom the database tells. Names of nodes have a hyphen.
const DATABASE: &str = "database";

/// The people of other nodes.
#[derive(Debug, Default)]
pub(super) struct Elsewhere(HashMap<NodeId, Roster>);

/// The people of one node.
#[derive(Debug)]
struct Roster {
    people: HashSet<UserId>,
    until: Instant,
}

impl Elsewhere {
    /// Whether somebody is on another node.
    pub fn has(&self, user: UserId) -> bool {
        self.0.values().any(|node| node.people.contains(&user))
    }

    /// Everybody on other nodes, whoever is on two of them twice.
    pub fn people(&self) -> impl Iterator<Item = UserId> {
        self.0.values().flat_map(|node| node.people.iter().copied())
    }

    fn node(&mut self, node: NodeId) -> Option<&mut Roster> {
        if self.0.len() >= MOST && !self.0.contains_key(&node) {
            return None;
        }
        let roster = self.0.entry(node).or_insert_with(|| Roster {
            people: HashSet::new(),
            until: Instant::now(),
        });
        roster.until = Instant::now() + COUNTS;
        Some(roster)
    }

    /// Exactly these people are there; returns who has come or gone, seen from all other nodes.
    fn set(&mut self, node: NodeId, people: &[UserId]) -> Vec<(UserId, bool)> {
        let Some(roster) = self.node(node) else {
            return Vec::new();
        };
        let now: HashSet<_> = people.iter().copied().collect();
        let before = std::mem::replace(&mut roster.people, now.clone());
        let moved: Vec<_> = before.symmetric_difference(&now).copied().collect();
        moved
            .into_iter()
            .map(|user| (user, self.has(user)))
            .collect()
    }

    /// These have come there or gone.
    fn change(&mut self, node: NodeId, moved: &[(UserId, bool)]) -> Vec<(UserId, bool)> {
        let Some(roster) = self.node(node) else {
            return Vec::new();
        };
        for (user, is_there) in moved {
            match is_there {
                true => roster.people.insert(*user),
                false => roster.people.remove(user),
            };
        }
        moved
            .iter()
            .map(|(user, _)| (*user, self.has(*user)))
            .collect()
    }

    /// Somebody is to be seen nowhere.
    pub fn forget(&mut self, user: UserId) {
        for node in self.0.values_mut() {
            node.people.remove(&user);
        }
    }

    /// The node stops: its people count for a moment more, in which they can come to another.
    fn leave(&mut self, node: &NodeId) {
        if let Some(roster) = self.0.get_mut(node) {
            roster.until = Instant::now() + GRACE;
        }
    }

    /// Forgets nodes that were silent for too long.
    fn forget_silent(&mut self) -> Vec<(UserId, bool)> {
        let now = Instant::now();
        let silent = self.0.extract_if(|_, roster| roster.until <= now);
        let gone: HashSet<_> = silent.flat_map(|(_, roster)| roster.people).collect();
        gone.into_iter()
            .map(|user| (user, self.has(user)))
            .collect()
    }
}

impl Presence {
    /// Takes what another node says of itself.
    pub(in crate::domain) fn hear(&self, redis: Option<&Redis>, from: NodeId, word: &NodeWord) {
        let mut here = self.lock();
        let Here { elsewhere, .. } = &mut *here;
        let moved = match word {
            NodeWord::Here(people) => elsewhere.set(from, people),
            NodeWord::Moved(moved) => elsewhere.change(from, moved),
            NodeWord::Leaving => {
                elsewhere.leave(&from);
                return;
            }
            NodeWord::Hello => {
                if let Some(redis) = redis {
                    redis.tell(NodeWord::Here(here.shown().take(MOST_TOLD).collect()));
                }
                return;
            }
            _ => return,
        };
        here.note_elsewhere(moved);
    }

    fn forget_silent(&self) {
        let mut here = self.lock();
        let gone = here.elsewhere.forget_silent();
        here.note_elsewhere(gone);
    }

    fn take_moved(&self) -> Vec<(UserId, bool)> {
        std::mem::take(&mut self.lock().moved).into_iter().collect()
    }

    fn shown(&self) -> Arc<[UserId]> {
        self.lock().shown().take(MOST_TOLD).collect()
    }
}

/// How many people one word names; of a node with more the others learn as they move.
const MOST_TOLD: usize = 50_000;

impl Chat {
    /// Tells other nodes who has come and gone, and regularly who is there, at once when they begin to hear it. `told` is
    /// when that was last done, and whether they heard it.
    pub(super) async fn tell_nodes(&self, told: &mut Option<(Instant, bool)>) {
        self.presence.forget_silent();
        let moved = self.presence.take_moved();
        if !self.store.is_shared() {
            return;
        }
        let redis = self.bus.redis();
        if let Some(redis) = redis {
            for moved in moved.chunks(TOLD) {
                redis.tell(NodeWord::Moved(moved.into()));
            }
        }
        let is_up = redis.is_some_and(Redis::is_up);
        let was_up = told.is_some_and(|(_, was_up)| was_up);
        if told.is_some_and(|(at, _)| at.elapsed() < PACE && was_up == is_up) {
            return;
        }
        *told = Some((Instant::now(), is_up));
        let Some(redis) = redis.filter(|_| is_up) else {
            self.look_who_is_elsewhere().await;
            return;
        };
        if !was_up {
            self.presence
                .hear(None, NodeId(DATABASE.into()), &NodeWord::Leaving);
            redis.tell(NodeWord::Hello);
        }
        redis.tell(NodeWord::Here(self.presence.shown()));
    }

    /// Says and asks through the database what nodes cannot tell each other.
    async fn look_who_is_elsewhere(&self) {
        self.store_everybody().await;
        let seen = async {
            let since = self.store.now().await?.minus(PACE + PACE / 2);
            self.store.find_seen_since(since, EXPECTED).await
        };
        match seen.await {
            Ok(seen) => {
                let people: Arc<[UserId]> = seen.into_iter().map(|(user, _)| user).collect();
                self.presence
                    .hear(None, NodeId(DATABASE.into()), &NodeWord::Here(people));
            }
            Err(err) => tracing::debug!(error = %err, "who is on other nodes is not known"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const ADA: UserId = UserId(1);
    const BEN: UserId = UserId(2);

    fn node(name: &str) -> NodeId {
        NodeId(name.into())
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_is_here_who_is_on_any_node() {
        let mut elsewhere = Elsewhere::default();
        assert_eq!(elsewhere.set(node("a"), &[ADA]), [(ADA, true)]);
        elsewhere.change(node("b"), &[(ADA, true), (BEN, true)]);
        let left = elsewhere.change(node("a"), &[(ADA, false)]);
        assert_eq!(left, [(ADA, true)], "still on the other");
        assert_eq!(elsewhere.set(node("b"), &[BEN]), [(ADA, false)]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_on_a_node_that_died_is_gone_within_45_seconds() {
        let mut elsewhere = Elsewhere::default();
        elsewhere.set(node("a"), &[ADA]);
        advance(COUNTS - Duration::from_millis(1)).await;
        assert_eq!(elsewhere.forget_silent(), []);
        assert!(COUNTS + PACE <= Duration::from_secs(45));
        advance(Duration::from_millis(1)).await;
        assert_eq!(elsewhere.forget_silent(), [(ADA, false)]);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_was_on_a_node_that_stops_has_a_moment_to_come_elsewhere() {
        let mut elsewhere = Elsewhere::default();
        elsewhere.set(node("a"), &[ADA, BEN]);
        elsewhere.leave(&node("a"));
        elsewhere.change(node("b"), &[(ADA, true)]);
        advance(GRACE).await;
        let mut gone = elsewhere.forget_silent();
        gone.sort();
        assert_eq!(gone, [(ADA, true), (BEN, false)]);
    }
}
