//! When the database has got another past, by a restore or a failover: what is remembered by its numbers is forgotten, and
//! live pages begin afresh.

use tokio_util::sync::CancellationToken;

use super::Chat;
use crate::realtime::Event;

impl Chat {
    /// The name of the past that the database has.
    pub fn version(&self) -> String {
        self.store.version()
    }

    /// Waits until the database has another past than the one `known`; returns its name.
    pub async fn next_version(&self, known: &str) -> String {
        self.store.next_version(known).await
    }

    /// Forgets what is of another past whenever the database has got one. Ends when `stopping` is cancelled.
    pub async fn follow_version(self, stopping: CancellationToken) {
        let mut known = self.version();
        while let Some(version) = stopping
            .run_until_cancelled(self.next_version(&known))
            .await
        {
            tracing::warn!(
                "the database has another past than a moment ago (a restore or a failover): live pages begin afresh"
            );
            known = version;
            self.rooms.clear();
            self.deliveries.clear();
            self.reads.clear();
            self.writer.forget();
            self.hub.forget_told();
            self.bus.publish_here(Event::PastChanged);
        }
    }
}
