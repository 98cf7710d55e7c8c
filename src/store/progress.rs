//! How far long work has come, for whoever shows it. Knows no terminal.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// How often work that says nothing of itself is looked at.
const LOOKS: Duration = Duration::from_millis(500);

/// How far one part of the work has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What is worked on: a table, a file, a step.
    pub what: String,
    /// How much is done.
    pub done: u64,
    /// How much there is.
    pub of: u64,
    /// What is counted.
    pub unit: Unit,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Rows of a table.
    Rows,
    /// Bytes of a file.
    Bytes,
    /// Steps of the schema; `done` is the one that is being taken.
    Steps,
}

/// Whoever is told.
pub type Report<'a> = &'a (dyn Fn(&Progress) + Send + Sync);

/// Waits for work, and meanwhile lets somebody look at it now and then.
pub(super) async fn watched<T>(work: impl Future<Output = T>, mut look: impl FnMut()) -> T {
    let mut ticks = interval(LOOKS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => look(),
        }
    }
}
