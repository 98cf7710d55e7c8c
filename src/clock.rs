//! The one place where the time of day is read. Tests put in a clock that they move themselves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The moment that lies `by` later.
    pub fn plus(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// The moment that lies `by` earlier.
    pub fn minus(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero if it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Tells the time: the machine's, or one that stands still until it is moved.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    /// The machine's, so many milliseconds fast.
    Fast(i64),
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The machine's clock, wrong by `millis`: fast, or slow when it is negative. So are the clocks of nodes that nobody
    /// sets.
    pub fn system_off_by(millis: i64) -> Self {
        Self(Source::Fast(millis))
    }

    /// A clock that stands at `millis` since 1970 until [`Clock::advance`] moves it.
    pub fn fixed(millis: i64) -> Self {
        Self(Source::Fixed(Arc::new(AtomicI64::new(millis))))
    }

    /// Moves a fixed clock (and its clones) on; the machine's clock is not ours to move.
    pub fn advance(&self, by: Duration) {
        if let Source::Fixed(millis) = &self.0 {
            millis.fetch_add(i64::try_from(by.as_millis()).unwrap_or(0), Ordering::SeqCst);
        }
    }

    /// The present moment.
    pub fn now(&self) -> UnixMillis {
        match &self.0 {
            Source::System => machine(),
            Source::Fast(millis) => UnixMillis(machine().0 + millis),
            Source::Fixed(millis) => UnixMillis(millis.load(Ordering::SeqCst)),
        }
    }

    /// The present moment of a fixed clock, which all that is stored follows; nothing for one that runs.
    pub fn fixed_now(&self) -> Option<UnixMillis> {
        matches!(self.0, Source::Fixed(_)).then(|| self.now())
    }
}

fn machine() -> UnixMillis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
