//! Several nodes, one chat: what other nodes say over the bus is told at once to those who listen here. It can be late
//! or lost: what they could not say, [`reconcile`](super::reconcile) finds.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Chat, neighbours::Question};
use crate::realtime::{Event, Heard, NodeWord, Redis};

impl Chat {
    /// The way to other nodes, if there may be any.
    pub fn redis(&self) -> Option<&Redis> {
        self.bus.redis()
    }

    /// Tells those who listen here what other nodes say. Ends when `stopping` is cancelled.
    pub async fn hear_nodes(
        self,
        mut heard: mpsc::Receiver<Heard>,
        redis: Redis,
        stopping: CancellationToken,
    ) {
        while let Some(Some(heard)) = stopping.run_until_cancelled(heard.recv()).await {
            match heard {
                Heard::Event(topic, event) => {
                    self.apply(&event);
                    self.hub.deliver_to(&[topic], event);
                }
                Heard::Node(_, NodeWord::Lost) => self.hub.note_missed(),
                Heard::Node(_, NodeWord::WhoIsThere) => {
                    self.neighbours.is_asked(Question::WhoIsThere);
                }
                Heard::Node(
                    _,
                    NodeWord::Received {
                        user,
                        connection,
                        number,
                    },
                ) => self.neighbours.is_asked(Question::Received {
                    user,
                    connection,
                    number,
                }),
                Heard::Node(from, NodeWord::Connected(told)) => self.neighbours.hear(from, told),
                Heard::Node(from, word) => {
                    // What a node did last of all it may not have said.
                    if matches!(word, NodeWord::Leaving) {
                        self.hub.note_missed();
                    }
                    self.presence.hear(Some(&redis), from, &word);
                }
            }
        }
    }

    /// What an event of another node changes here.
    fn apply(&self, event: &Event) {
        match event {
            Event::ReceiptsSwitched { on } => self.house.set_receipts(*on),
            Event::PrivacyChanged { user, privacy } => {
                self.presence.set_shown(*user, privacy.presence);
            }
            _ => {}
        }
    }
}
