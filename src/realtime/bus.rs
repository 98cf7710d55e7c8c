//! How events reach every process, this one included.

use super::{Event, Hub};

/// The way between processes.
#[derive(Debug, Clone)]
pub enum Bus {
    /// One process: straight into its hub, in the order of publishing.
    Local(Hub),
}

impl Bus {
    /// Makes `event` known to everyone who listens, here and elsewhere. Only for what is on the disk.
    pub fn publish(&self, event: Event) {
        match self {
            Self::Local(hub) => hub.deliver(event),
        }
    }
}
