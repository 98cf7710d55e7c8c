//! How much one person or one address may do in a while. Sizes are limited elsewhere and always.
//!
//! Several nodes count together on Redis; where it does not answer in a moment, each counts by itself.

use std::{fmt::Display, hash::Hash, num::NonZeroU32, time::Duration};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use quick_cache::sync::Cache;

use super::extract::ClientAddress;
use crate::{
    config::Switch,
    error::{Error, Result},
    ids::UserId,
    realtime::{Pace, Redis},
};

/// How many wrong passwords an address or a name has in [`GUESSING`]: ten for an address; more for a name, so that
/// nobody can lock its owner out from one place.
const WRONG_BY_ADDRESS: u32 = 10;
const WRONG_BY_NAME: u32 = 100;
const GUESSING: Duration = Duration::from_secs(180);
/// How many blocked addresses and names are remembered.
const BLOCKED: usize = 10_000;

/// How many pages of one person may be live at a time.
const MOST_CONNECTIONS: usize = 50;

/// All rate limits.
#[derive(Debug)]
pub struct Limits {
    on: bool,
    redis: Option<Redis>,
    posts: Limit<UserId>,
    receipts: Limit<UserId>,
    typing: Limit<UserId>,
    rooms: Limit<UserId>,
    connects: Limit<UserId>,
    signups: Limit<ClientAddress>,
    wrong_by_address: Guesses<ClientAddress>,
    wrong_by_name: Guesses<String>,
    wrong_codes: Guesses<ClientAddress>,
}

impl Limits {
    /// All limits, in force or not, counted together with the nodes that `redis` joins.
    pub fn new(switch: Switch, redis: Option<Redis>) -> Self {
        let millis = Duration::from_millis;
        Self {
            on: switch == Switch::On,
            redis,
            posts: Limit::new("posts", millis(100), 30),
            typing: Limit::new("typing", millis(1_000), 10),
            receipts: Limit::new("receipts", millis(50), 100),
            rooms: Limit::new("rooms", millis(6_000), 20),
            connects: Limit::new("connects", millis(600), 100),
            signups: Limit::new("signups", millis(30_000), 30),
            wrong_by_address: Guesses::new("wrong-by-address", WRONG_BY_ADDRESS),
            wrong_by_name: Guesses::new("wrong-by-name", WRONG_BY_NAME),
            wrong_codes: Guesses::new("wrong-codes", WRONG_BY_ADDRESS),
        }
    }

    /// Posts, edits and deletions: 10 a second, 30 at once.
    ///
    /// # Errors
    /// `TooMany`, as all of these.
    pub async fn post(&self, user: UserId) -> Result<()> {
        self.check(&self.posts, &user).await
    }

    /// Receipts: 20 a second, 100 at once.
    pub async fn receipt(&self, user: UserId) -> Result<()> {
        self.check(&self.receipts, &user).await
    }

    /// Typing: once a second, 10 times at once; pages say it every three seconds.
    pub async fn typing(&self, user: UserId) -> Result<()> {
        self.check(&self.typing, &user).await
    }

    /// New rooms and chats: 10 a minute, 20 at once.
    pub async fn room(&self, user: UserId) -> Result<()> {
        self.check(&self.rooms, &user).await
    }

    /// New live connections: 100 a minute, 100 at once.
    pub async fn connect(&self, user: UserId) -> Result<()> {
        self.check(&self.connects, &user).await
    }

    /// How many live connections one person may have at a time.
    pub fn most_connections(&self) -> usize {
        if self.on {
            MOST_CONNECTIONS
        } else {
            usize::MAX
        }
    }

    /// New accounts: two a minute, 30 at once.
    pub async fn sign_up(&self, address: ClientAddress) -> Result<()> {
        self.check(&self.signups, &address).await
    }

    /// Whether this address may try a password for this name.
    pub async fn sign_in(&self, address: ClientAddress, name: &str) -> Result<()> {
        if !self.on {
            return Ok(());
        }
        let redis = self.redis.as_ref();
        self.wrong_by_address.admit(redis, &address).await?;
        self.wrong_by_name.admit(redis, &name.to_string()).await
    }

    /// Notes a wrong password; the one too many is answered with `TooMany`, as is everything after it for a while.
    pub async fn wrong_password(&self, address: ClientAddress, name: &str) -> Result<()> {
        if !self.on {
            return Ok(());
        }
        let redis = self.redis.as_ref();
        self.wrong_by_address.note(redis, address).await?;
        self.wrong_by_name.note(redis, name.to_string()).await
    }

    /// Whether this address may try a setup code, or a link for a new password.
    pub async fn code(&self, address: ClientAddress) -> Result<()> {
        match self.on {
            true => self.wrong_codes.admit(self.redis.as_ref(), &address).await,
            false => Ok(()),
        }
    }

    /// Notes a wrong one; ten in three minutes are too many.
    pub async fn wrong_code(&self, address: ClientAddress) -> Result<()> {
        match self.on {
            true => self.wrong_codes.note(self.redis.as_ref(), address).await,
            false => Ok(()),
        }
    }

    /// Forgets who has long been quiet, so that memory stays bounded.
    pub fn forget_quiet(&self) {
        for limit in [
            &self.posts,
            &self.receipts,
            &self.typing,
            &self.rooms,
            &self.connects,
        ] {
            limit.here.retain_recent();
        }
        self.signups.here.retain_recent();
        self.wrong_by_address.limit.here.retain_recent();
        self.wrong_by_name.limit.here.retain_recent();
        self.wrong_codes.limit.here.retain_recent();
    }

    async fn check<K: Hash + Eq + Clone + Display>(&self, limit: &Limit<K>, key: &K) -> Result<()> {
        match self.on {
            true => limit.take(self.redis.as_ref(), key).await,
            false => Ok(()),
        }
    }
}

#[derive(Debug)]
struct Limit<K: Hash + Eq + Clone> {
    name: &'static str,
    pace: Pace,
    here: DefaultKeyedRateLimiter<K>,
}

impl<K: Hash + Eq + Clone + Display> Limit<K> {
    /// One each `period`, and up to `burst` at once; all nodes count under `name`.
    fn new(name: &'static str, period: Duration, burst: u32) -> Self {
        let quota = Quota::with_period(period).expect("no limit here has a period of zero");
        let most = NonZeroU32::new(burst).expect("no limit here has a burst of zero");
        Self {
            name,
            pace: Pace { period, burst },
            here: RateLimiter::keyed(quota.allow_burst(most)),
        }
    }

    /// Here and on all nodes together: what is had on one counts on all, so whoever has none here has none anywhere.
    async fn take(&self, redis: Option<&Redis>, key: &K) -> Result<()> {
        self.here
            .check_key(key)
            .map_err(|not_until| Error::TooMany {
                retry_after: not_until.wait_time_from(DefaultClock::default().now()),
            })?;
        let Some(redis) = redis else { return Ok(()) };
        let taken = redis.take(&self.key(key), self.pace).await;
        let taken = taken.unwrap_or(Ok(()));
        taken.map_err(|retry_after| Error::TooMany { retry_after })
    }

    fn key(&self, key: &K) -> String {
        format!("{}:{key}", self.name)
    }
}

/// Counts failures; who has had too many is blocked until one more is due.
#[derive(Debug)]
struct Guesses<K: Hash + Eq + Clone> {
    limit: Limit<K>,
    blocked: Cache<K, tokio::time::Instant>,
}

impl<K: Hash + Eq + Clone + Display> Guesses<K> {
    fn new(name: &'static str, most: u32) -> Self {
        Self {
            limit: Limit::new(name, GUESSING / most, most),
            blocked: Cache::new(BLOCKED),
        }
    }

    async fn admit(&self, redis: Option<&Redis>, key: &K) -> Result<()> {
        let left = self
            .blocked
            .get(key)
            .map(|until| until.saturating_duration_since(tokio::time::Instant::now()));
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            return Err(Error::TooMany { retry_after: left });
        }
        // Whoever is blocked by one node is so by all.
        let Some(redis) = redis else { return Ok(()) };
        let elsewhere = redis.peek(&self.limit.key(key), self.limit.pace).await;
        let elsewhere = elsewhere.unwrap_or(Ok(()));
        elsewhere.map_err(|retry_after| Error::TooMany { retry_after })
    }

    async fn note(&self, redis: Option<&Redis>, key: K) -> Result<()> {
        let taken = self.limit.take(redis, &key).await;
        if taken.is_err() {
            self.blocked
                .insert(key, tokio::time::Instant::now() + GUESSING / 3);
        }
        taken
    }
}
