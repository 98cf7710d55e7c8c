//! Rate limits that several nodes share: GCRA, counted on Redis by its own clock.

use std::{sync::LazyLock, time::Duration};

use redis::Script;

use super::Redis;

/// How long somebody waits for Redis at most before their node counts by itself.
const PATIENCE: Duration = Duration::from_millis(50);

/// When the next one is due, kept until then. Answers how many milliseconds are missing, 0 if none; takes one only if
/// it is told to.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME') \
         local now = time[1] * 1000 + math.floor(time[2] / 1000) \
         local period, burst = tonumber(ARGV[1]), tonumber(ARGV[2]) \
         local due = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) \
         local missing = due - now - period * (burst - 1) \
         if missing > 0 then return missing end \
         if ARGV[3] == 'take' then redis.call('SET', KEYS[1], due + period, 'PX', due + period - now) end \
         return 0",
    )
});

/// One each `period`, and up to `burst` at once, for everybody who is counted under the same key.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How far they are apart in the long run; whole milliseconds.
    pub period: Duration,
    /// How many can be had at once after a rest.
    pub burst: u32,
}

impl Redis {
    /// Takes one of what `key` has, on all nodes together. Answers how long it is until the next, if it has none;
    /// `None` when Redis does not say in time.
    pub async fn take(&self, key: &str, pace: Pace) -> Option<Result<(), Duration>> {
        self.count(key, pace, "take").await
    }

    /// Whether `key` has one, as [`Redis::take`], without taking it.
    pub async fn peek(&self, key: &str, pace: Pace) -> Option<Result<(), Duration>> {
        self.count(key, pace, "peek").await
    }

    async fn count(&self, key: &str, pace: Pace, what: &str) -> Option<Result<(), Duration>> {
        if !self.is_up() {
            return None;
        }
        let key = format!("tertulia:{}:limit:{key}", self.0.house);
        let period = u64::try_from(pace.period.as_millis()).unwrap_or(u64::MAX);
        let mut call = TAKE.key(key);
        call.arg(period).arg(pace.burst).arg(what);
        match self.line().await.call(&call, PATIENCE).await {
            Ok(0) => Some(Ok(())),
            Ok(missing) => Some(Err(Duration::from_millis(missing))),
            Err(err) => {
                tracing::debug!(error = %err, "a rate limit is counted by this node alone");
                None
            }
        }
    }
}
