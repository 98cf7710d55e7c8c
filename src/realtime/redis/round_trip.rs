//! Whether Redis answers, asked once.

use std::time::{Duration, Instant};

use super::{
    Redis,
    link::{Link, place},
    trouble::trouble,
};

/// How long the answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

impl Redis {
    /// How long Redis at these URLs takes for an answer over a connection of its own.
    ///
    /// # Errors
    /// A sentence for the operator, without the password: what was tried, and why it did not work.
    pub async fn round_trip(urls: &[String]) -> Result<Duration, String> {
        let place = place(urls)?;
        if let Some(words) = trouble(&place).await {
            return Err(words);
        }
        let failed = |err: redis::RedisError| format!("Redis does not answer: {err}");
        let link = Link::open(&place, None).await.map_err(failed)?;
        let ping = redis::cmd("PING");
        let mut last = Err("Redis does not answer".into());
        // The first answer pays for the connection.
        for _ in 0..2 {
            let begun = Instant::now();
            let answer = link.ask::<String>(&ping, PATIENCE).await;
            last = answer.map(|_| begun.elapsed()).map_err(failed);
        }
        last
    }
}
