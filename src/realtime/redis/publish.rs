//! Saying what waits, in its order.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Channel, NodeWord, Redis, Word};
use crate::realtime::wire;

/// How many words are said at once.
const BATCH: usize = 128;
/// How long Redis has to take them. Nobody waits for it but the words behind.
const PATIENCE: Duration = Duration::from_millis(500);

impl Redis {
    /// Says what waits. After `stopping` was cancelled, what is left is said, for a moment, and no more.
    pub(super) async fn publish_all(
        self,
        mut waiting: mpsc::Receiver<(Channel, Word)>,
        stopping: CancellationToken,
    ) {
        let mut words = Vec::with_capacity(BATCH);
        let all = async {
            while waiting.recv_many(&mut words, BATCH).await > 0 {
                self.publish_some(&mut words).await;
            }
        };
        if stopping.run_until_cancelled(all).await.is_some() || !self.is_up() {
            return;
        }
        let rest = async {
            while !words.is_empty() || !waiting.is_empty() {
                while words.len() < BATCH
                    && let Ok(word) = waiting.try_recv()
                {
                    words.push(word);
                }
                self.publish_some(&mut words).await;
            }
        };
        // Whoever does not hear it looks into the database.
        let _ = timeout(PATIENCE, rest).await;
    }

    async fn publish_some(&self, words: &mut Vec<(Channel, Word)>) {
        let mut cmds = Vec::with_capacity(words.len());
        for (channel, word) in words.iter() {
            let bytes = wire::write(&self.0.node, channel, word);
            cmds.push(self.publishing(channel, &bytes).await);
        }
        let (count, line) = (cmds.len(), self.line().await);
        // A line that was cut comes back at once if it can; what is said twice is heard once.
        let taken = match line.tell(cmds.clone(), PATIENCE).await {
            Err(_) => line.tell(cmds, PATIENCE).await,
            taken => taken,
        };
        words.clear();
        match taken {
            Ok(()) => {
                self.0.counts.published.fetch_add(count as u64, Relaxed);
            }
            Err(err) => {
                tracing::debug!(error = %err, count, "words for other nodes were lost");
                self.lose(count);
            }
        }
    }

    /// Says that this node leaves; nobody minds if it is not heard.
    pub(super) async fn farewell(&self) {
        if !self.is_up() {
            return;
        }
        let word = Word::Node(NodeWord::Leaving);
        let bytes = wire::write(&self.0.node, &Channel::Nodes, &word);
        let cmd = self.publishing(&Channel::Nodes, &bytes).await;
        if let Err(err) = self.line().await.tell(vec![cmd], PATIENCE).await {
            tracing::debug!(error = %err, "the other nodes do not know that this one stops");
        }
    }
}
