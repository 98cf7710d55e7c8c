//! How news travels: what happened ([`Event`]), where it is listened to ([`Topic`]), who listens in this process
//! ([`Hub`], [`Subscription`]), and how it reaches every process ([`Bus`]). No HTML, no SQL, no rules.

mod bus;
mod event;
mod hub;
mod positions;
mod redis;
mod shared;
mod wire;

pub use bus::Bus;
pub use event::{Event, Topic, topics_of};
pub use hub::{Backlog, Hub, News, Subscription, Wake};
pub use positions::Told;
pub use redis::{Counts, Heard, Pace, Redis, Voices};
pub use shared::Shared;
pub use wire::{NodeId, NodeWord};
