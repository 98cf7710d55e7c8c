//! How much one person or one address may do in a while. Sizes are limited elsewhere and always.

use std::{hash::Hash, num::NonZeroU32, time::Duration};

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

/// All rate limits, in this process.
#[derive(Debug)]
pub struct Limits {
    on: bool,
    posts: Limit<UserId>,
    receipts: Limit<UserId>,
    typing: Limit<UserId>,
    rooms: Limit<UserId>,
    connects: Limit<UserId>,
    signups: Limit<ClientAddress>,
    wrong_by_address: Guesses<ClientAddress>,
    wrong_by_name: Guesses<String>,
}

impl Limits {
    /// All limits, in force or not.
    pub fn new(switch: Switch) -> Self {
        Self {
            on: switch == Switch::On,
            posts: Limit::new(Duration::from_millis(100), 30),
            typing: Limit::new(Duration::from_secs(1), 10),
            receipts: Limit::new(Duration::from_millis(50), 100),
            rooms: Limit::new(Duration::from_secs(6), 20),
            connects: Limit::new(Duration::from_millis(600), 100),
            signups: Limit::new(Duration::from_secs(30), 30),
            wrong_by_address: Guesses::new(WRONG_BY_ADDRESS),
            wrong_by_name: Guesses::new(WRONG_BY_NAME),
        }
    }

    /// Posts, edits and deletions: 10 a second, 30 at once.
    ///
    /// # Errors
    /// `TooMany`, as all of these.
    pub fn post(&self, user: UserId) -> Result<()> {
        self.check(&self.posts, &user)
    }

    /// Receipts: 20 a second, 100 at once.
    pub fn receipt(&self, user: UserId) -> Result<()> {
        self.check(&self.receipts, &user)
    }

    /// Typing: once a second, 10 times at once; pages say it every three seconds.
    pub fn typing(&self, user: UserId) -> Result<()> {
        self.check(&self.typing, &user)
    }

    /// New rooms and chats: 10 a minute, 20 at once.
    pub fn room(&self, user: UserId) -> Result<()> {
        self.check(&self.rooms, &user)
    }

    /// New live connections: 100 a minute, 100 at once.
    pub fn connect(&self, user: UserId) -> Result<()> {
        self.check(&self.connects, &user)
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
    pub fn sign_up(&self, address: ClientAddress) -> Result<()> {
        self.check(&self.signups, &address)
    }

    /// Whether this address may try a password for this name.
    pub fn sign_in(&self, address: ClientAddress, name: &str) -> Result<()> {
        if !self.on {
            return Ok(());
        }
        self.wrong_by_address.admit(&address)?;
        self.wrong_by_name.admit(&name.to_string())
    }

    /// Notes a wrong password; the one too many is answered with `TooMany`, as is everything after it for a while.
    pub fn wrong_password(&self, address: ClientAddress, name: &str) -> Result<()> {
        if !self.on {
            return Ok(());
        }
        self.wrong_by_address.note(address)?;
        self.wrong_by_name.note(name.to_string())
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
            limit.0.retain_recent();
        }
        self.signups.0.retain_recent();
        self.wrong_by_address.limit.0.retain_recent();
        self.wrong_by_name.limit.0.retain_recent();
    }

    fn check<K: Hash + Eq + Clone>(&self, limit: &Limit<K>, key: &K) -> Result<()> {
        if self.on { limit.take(key) } else { Ok(()) }
    }
}

#[derive(Debug)]
struct Limit<K: Hash + Eq + Clone>(DefaultKeyedRateLimiter<K>);

impl<K: Hash + Eq + Clone> Limit<K> {
    /// One each `period`, and up to `burst` at once.
    fn new(period: Duration, burst: u32) -> Self {
        let quota = Quota::with_period(period).expect("no limit here has a period of zero");
        let burst = NonZeroU32::new(burst).expect("no limit here has a burst of zero");
        Self(RateLimiter::keyed(quota.allow_burst(burst)))
    }

    fn take(&self, key: &K) -> Result<()> {
        self.0.check_key(key).map_err(|not_until| Error::TooMany {
            retry_after: not_until.wait_time_from(DefaultClock::default().now()),
        })
    }
}

/// Counts failures; who has had too many is blocked until one more is due.
#[derive(Debug)]
struct Guesses<K: Hash + Eq + Clone> {
    limit: Limit<K>,
    blocked: Cache<K, tokio::time::Instant>,
}

impl<K: Hash + Eq + Clone> Guesses<K> {
    fn new(most: u32) -> Self {
        Self {
            limit: Limit::new(GUESSING / most, most),
            blocked: Cache::new(BLOCKED),
        }
    }

    fn admit(&self, key: &K) -> Result<()> {
        let left = self
            .blocked
            .get(key)
            .map(|until| until.saturating_duration_since(tokio::time::Instant::now()));
        match left {
            Some(left) if !left.is_zero() => Err(Error::TooMany { retry_after: left }),
            _ => Ok(()),
        }
    }

    fn note(&self, key: K) -> Result<()> {
        let taken = self.limit.take(&key);
        if taken.is_err() {
            self.blocked
                .insert(key, tokio::time::Instant::now() + GUESSING / 3);
        }
        taken
    }
}
