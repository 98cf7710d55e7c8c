//! Whether the way works: a node says something to itself again and again, and hears it, or not.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{NodeWord, Redis, Word};
use crate::realtime::wire;

/// How often a node says something to itself.
const BEAT: Duration = Duration::from_millis(250);
/// After how long a silence the database is looked into at once and often. With one look behind it, that is less than
/// the two seconds within which other nodes see a message whatever becomes of Redis.
pub(super) const QUIET: Duration = Duration::from_millis(900);
/// After how long a silence the way counts as broken: a machine that is busy for a moment is no news to the operator.
const SILENCE: Duration = Duration::from_millis(2_500);
/// How often in a silence it is said again what is listened to.
const REMIND: Duration = Duration::from_secs(1);
/// After how long a silence other lines are opened: these may lead nowhere without anybody saying so.
const DEAD: Duration = Duration::from_secs(8);

/// What is remembered from beat to beat.
struct Pulse {
    /// When it was last heard, or begun to listen for it.
    heard: Instant,
    is_quiet: bool,
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
            is_quiet: true,
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
        let cmd = self.publishing(&self.own(), &bytes).await;
        self.line().await.tell(vec![cmd], BEAT).await
    }

    fn turn(&self, is_up: bool, reason: &str) {
        self.0.up.send_replace(is_up);
        self.0.hub.note_missed();
        match is_up {
            true => tracing::info!("Redis answers: other nodes are heard at once"),
            false => tracing::warn!(
                reason,
                "Redis does not answer: other nodes are followed through the database"
            ),
        }
    }
}

impl Pulse {
    /// Judges the silence so far; `err` is what the last beat met with.
    fn feel(&mut self, redis: &Redis, err: Option<redis::RedisError>) {
        let heard = *redis.0.beat.borrow();
        let is_first = heard.is_some() && !redis.is_up();
        self.heard = heard.map_or(self.heard, |at| at.max(self.heard));
        let silence = self.heard.elapsed();
        let is_quiet = heard.is_none() || silence >= QUIET;
        if std::mem::replace(&mut self.is_quiet, is_quiet) != is_quiet {
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
            let reason = err.map_or_else(|| "no answer".into(), |err| err.to_string());
            redis.turn(is_up, &reason);
        }
        match is_quiet {
            true => self.help(redis, silence),
            false => redis.confess(),
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
