//! What one listener allows.

use std::time::Duration;

/// Sizes, times, and how many connections at once.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once, live ones included. Later ones wait until one is free.
    pub connections: usize,
    /// The largest request body, in bytes.
    pub body: u64,
    /// The time for a head, from its first byte; for the first head from connecting.
    pub head: Duration,
    /// The time between requests in which neither side sends anything, and the time an answer may
    /// wait for a client that does not read.
    pub idle: Duration,
    /// The time for a whole body.
    pub receive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 20_000,
            body: 1024 * 1024,
            head: Duration::from_secs(15),
            idle: Duration::from_secs(75),
            receive: Duration::from_secs(60),
        }
    }
}
