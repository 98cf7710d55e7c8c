//! What is true for a moment and never stored: who is typing.

use std::{sync::Arc, time::Duration};

use super::Chat;
use crate::{
    realtime::Event,
    records::{Person, Room},
};

/// How long somebody counts as typing after they last said so; pages say so at most every three seconds.
pub const TYPING: Duration = Duration::from_secs(6);

impl Chat {
    /// Makes known that `person` is typing in the room, to those who may be there.
    pub fn typing(&self, room: Arc<Room>, person: Person) {
        self.bus.publish(Event::TypingStarted { room, person });
    }
}
