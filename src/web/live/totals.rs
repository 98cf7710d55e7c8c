//! What all live connections of this process came to so far, for the administrator's page and for metrics.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::connections::Transport;

/// How many samples of the past are kept, and how far they are apart: ten minutes.
pub const SAMPLES: usize = 60;
/// See [`SAMPLES`].
pub const SAMPLE: Duration = Duration::from_secs(10);

/// The totals of one transport since the process started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// How many were opened.
    pub opened: u64,
    /// How many of them have ended.
    pub ended: u64,
    /// How many bytes those that have ended were sent.
    pub bytes: u64,
}

impl Total {
    /// How many are open.
    pub fn open(&self) -> u64 {
        self.opened - self.ended
    }
}

/// All totals since the process started, and how many were open in the last while.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    websocket: Total,
    sse: Total,
    /// How many ended, by reason.
    pub ended: BTreeMap<&'static str, u64>,
    /// How many were open at regular moments, oldest first: over WebSockets and as streams.
    pub past: VecDeque<(u64, u64)>,
}

impl Totals {
    /// The totals of one transport.
    pub fn of(&self, transport: Transport) -> Total {
        match transport {
            Transport::WebSocket => self.websocket,
            Transport::Sse => self.sse,
        }
    }

    /// One more is open.
    pub fn opened(&mut self, transport: Transport) {
        self.of_mut(transport).opened += 1;
    }

    /// One has ended.
    pub fn closed(&mut self, transport: Transport, why: &'static str, bytes: u64) {
        let total = self.of_mut(transport);
        total.ended += 1;
        total.bytes += bytes;
        *self.ended.entry(why).or_default() += 1;
    }

    /// Notes how many are open now; forgets the oldest note.
    pub fn sample(&mut self) {
        if self.past.len() == SAMPLES {
            self.past.pop_front();
        }
        self.past
            .push_back((self.websocket.open(), self.sse.open()));
    }

    fn of_mut(&mut self, transport: Transport) -> &mut Total {
        match transport {
            Transport::WebSocket => &mut self.websocket,
            Transport::Sse => &mut self.sse,
        }
    }
}
