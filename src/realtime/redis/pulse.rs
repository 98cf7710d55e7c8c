//! Whether the way works: a node says something to itself again and again, and hears it, or not.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{NodeWord, Redis, Word};
use crate::realtime::wire;

/// How often a node says something to itself.
const BEAT: Duration = Duration::from_millis(250);
/// After how long a silence the way counts as broken. With one look into the database behind it, that is less than
/// the two seconds within which other nodes see a message whatever becomes of Redis.
const SILENCE: Duration = Duration::from_secs(1);

impl Redis {
    pub(super) async fn pulse(self) {
        let mut ticks = interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut number = 0;
        // It counts as working until it was silent for too long after the start.
        let start = Instant::now();
        let mut is_known = false;
        loop {
            ticks.tick().await;
            number += 1;
            let asked = tokio::time::timeout(BEAT, self.beat(number)).await;
            let heard = *self.0.beat.borrow();
            let is_up = heard.is_some_and(|at| at.elapsed() < SILENCE);
            if is_up != self.is_up() || (!is_known && start.elapsed() > SILENCE) {
                let reason = match asked {
                    Ok(Err(err)) => err.to_string(),
                    _ => "no answer".into(),
                };
                is_known = true;
                self.turn(is_up, &reason);
            }
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
        self.0.missed.notify_one();
        if !is_up {
            tracing::warn!(
                reason,
                "Redis does not answer: other nodes are followed through the database"
            );
            return;
        }
        tracing::info!("Redis answers: other nodes are heard at once");
        self.own_up();
    }
}
