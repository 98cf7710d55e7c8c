//! Whether the way works: a node says something to itself again and again, and hears it, or not.

use std::{
    sync::{PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Channel, NodeId, NodeWord, Redis, Word};
use crate::realtime::wire;

/// How often a node says something to itself.
const BEAT: Duration = Duration::from_millis(250);
/// After how long a silence the database is looked into at once and often. With one look behind it, that is less than
/// the two seconds within which other nodes see a message whatever becomes of Redis.
pub(super) const QUIET: Duration = Duration::from_millis(900);
/// After how long a silence the way counts as broken: a machine that is busy for a moment is no news to the operator.
const SILENCE: Duration = Duration::from_millis(2_500);
/// Of so many beats one is for the other nodes.
const FOR_OTHERS: u64 = 2;
/// After how long a silence of another node the database is looked into often, and after how long it is forgotten.
const MISSED: Duration = Duration::from_millis(1_200);
const FORGOTTEN: Duration = Duration::from_secs(35);
/// How many other nodes are remembered; one more is a fault of somebody's.
const MOST: usize = 1_000;
/// How often in a silence it is said again what is listened to.
const REMIND: Duration = Duration::from_secs(1);
/// After how long a silence other lines are opened: these may lead nowhere without anybody saying so.
const DEAD: Duration = Duration::from_secs(8);

/// What is remembered from beat to beat.
struct Pulse {
    /// When it was last heard, or begun to listen for it.
    heard: Instant,
    is_fresh: bool,
    /// Whether the operator was told how it stands.
    is_known: bool,
    reminded: Instant,
    opened: Instant,
}

impl Redis {
    pub(super) async fn pulse(self) {
        let mut ticks = interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let start = Instant::now();
        let mut pulse = Pulse {
            heard: start,
            is_fresh: false,
            is_known: false,
            reminded: start,
            opened: start,
        };
        for number in 0.. {
            ticks.tick().await;
            let asked = tokio::time::timeout(BEAT, self.beat(number)).await;
            pulse.feel(&self, asked.ok().and_then(Result::err));
        }
    }

    async fn beat(&self, number: u64) -> redis::RedisResult<()> {
        let word = Word::Node(NodeWord::Beat(number));
        let bytes = wire::write(&self.0.node, &self.own(), &word);
        let mut cmds = vec![self.publishing(&self.own(), &bytes).await];
        if number.is_multiple_of(FOR_OTHERS) {
            cmds.push(self.publishing(&Channel::Nodes, &bytes).await);
        }
        self.line().await.tell(cmds, BEAT).await
    }

    /// Another node was heard; `leaves` if it says that it stops.
    pub(super) fn note_other(&self, node: NodeId, leaves: bool) {
        let mut others = self.0.others.lock().unwrap_or_else(PoisonError::into_inner);
        if leaves {
            others.remove(&node);
        } else if others.len() < MOST || others.contains_key(&node) {
            others.insert(node, Instant::now());
        }
    }

    /// Whether another node is silent that spoke not long ago: what it says may be lost.
    pub(super) fn misses_somebody(&self) -> bool {
        let mut others = self.0.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.retain(|_, at| at.elapsed() < FORGOTTEN);
        others.values().any(|at| at.elapsed() >= MISSED)
    }

    fn turn(&self, is_up: bool) {
        self.0.up.send_replace(is_up);
        self.0.hub.note_missed();
        match is_up {
            true => {
                *self.lock_told() = None;
                tracing::info!("Redis answers: other nodes are heard at once");
            }
            false => self.tell_trouble(),
        }
    }
}

impl Pulse {
    /// Judges the silence so far; `err` is what the last beat met with.
    fn feel(&mut self, redis: &Redis, err: Option<redis::RedisError>) {
        if let Some(err) = err {
            redis.note_refusal(err);
        }
        let heard = *redis.0.beat.borrow();
        let is_first = heard.is_some() && !redis.is_up();
        self.heard = heard.map_or(self.heard, |at| at.max(self.heard));
        let silence = self.heard.elapsed();
        let is_fresh = redis.is_fresh();
        if std::mem::replace(&mut self.is_fresh, is_fresh) != is_fresh {
            redis.0.hub.note_missed();
        }
        let is_up = match heard {
            Some(_) if is_first => silence < QUIET,
            Some(_) => silence < SILENCE,
            None => false,
        };
        let is_late = !self.is_known && silence >= SILENCE;
        if is_up != redis.is_up() || is_late {
            self.is_known = true;
            redis.turn(is_up);
        }
        match redis.hears_itself() {
            true => redis.confess(),
            false => self.help(redis, silence),
        }
    }

    /// Says again what is listened to; if that does not help for long, opens other lines.
    fn help(&mut self, redis: &Redis, silence: Duration) {
        if silence >= DEAD && self.opened.elapsed() >= DEAD {
            self.opened = Instant::now();
            *redis.lock_line() = None;
            redis.0.dead.notify_one();
        } else if silence >= QUIET && self.reminded.elapsed() >= REMIND {
            self.reminded = Instant::now();
            redis.0.cut.notify_one();
        }
    }
}

impl Redis {
    /// Tells the others that words were lost, if any were.
    fn confess(&self) {
        if self.0.owes.swap(false, Relaxed) {
            self.tell(NodeWord::Lost);
        }
    }
}
