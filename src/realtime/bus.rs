//! How events reach every process, this one included.

use super::{Event, Hub, Redis};

/// The way between processes.
#[derive(Debug, Clone)]
pub enum Bus {
    /// One process: straight into its hub, in the order of publishing.
    Local(Hub),
    /// Several: into one's own hub, in the order of publishing, then to the others, for whom it may be late or lost.
    Redis(Redis),
}

impl Bus {
    /// Makes `event` known to everyone who listens, here and elsewhere. Only for what is on the disk, or nowhere.
    pub fn publish(&self, event: Event) {
        match self {
            Self::Local(hub) => hub.deliver(event),
            Self::Redis(redis) => redis.publish(event),
        }
    }

    /// Makes `event` known to those who listen here.
    pub fn publish_here(&self, event: Event) {
        self.hub().deliver(event);
    }

    /// This process's own hub.
    pub fn hub(&self) -> &Hub {
        match self {
            Self::Local(hub) => hub,
            Self::Redis(redis) => redis.hub(),
        }
    }

    /// The way to other nodes, if there may be any.
    pub fn redis(&self) -> Option<&Redis> {
        match self {
            Self::Local(_) => None,
            Self::Redis(redis) => Some(redis),
        }
    }
}
