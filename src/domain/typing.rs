//! Who is typing: true for a moment, never stored.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Chat;
use crate::{
    ids::{RoomId, UserId},
    realtime::Event,
    records::{Person, Room},
};

/// How long somebody counts as typing after they last said so; pages say so at most every three seconds.
pub const TYPING: Duration = Duration::from_secs(6);
/// How many who type are remembered; of one more it is only not told at once when their page goes.
const MOST: usize = 10_000;

/// Who said that they are typing, and until when it counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Typing(Arc<Mutex<HashMap<(RoomId, UserId), Instant>>>);

impl Chat {
    /// Makes known that `person` is typing in the room, to those who may be there.
    pub fn typing(&self, room: Arc<Room>, person: Person) {
        self.typing.started(room.id, person.id);
        self.bus.publish(Event::TypingStarted { room, person });
    }

    /// A page of `user`'s that showed the room is gone: if they were typing, they are so no longer.
    pub fn stop_typing(&self, room: Arc<Room>, user: UserId) {
        if self.typing.stopped(room.id, user) {
            self.bus.publish(Event::TypingStopped { room, user });
        }
    }
}

impl Typing {
    fn started(&self, room: RoomId, user: UserId) {
        let now = Instant::now();
        let mut all = self.lock();
        if all.len() >= MOST {
            all.retain(|_, until| *until > now);
        }
        if all.len() < MOST {
            all.insert((room, user), now + TYPING);
        }
    }

    /// Whether they were typing until now.
    fn stopped(&self, room: RoomId, user: UserId) -> bool {
        let until = self.lock().remove(&(room, user));
        until.is_some_and(|until| until > Instant::now())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(RoomId, UserId), Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
