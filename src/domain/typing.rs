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
    realtime::{Bus, Event},
    records::{Person, Room},
};

/// How long somebody counts as typing after they last said so; pages say so at most every three seconds.
pub const TYPING: Duration = Duration::from_secs(6);
/// How many who type are remembered; of one more it is only not told at once when their page goes.
const MOST: usize = 10_000;

/// Who said that they are typing, and until when it counts; and how many pages show them the room.
#[derive(Debug, Clone, Default)]
pub(super) struct Typing(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    until: HashMap<(RoomId, UserId), Instant>,
    pages: HashMap<(RoomId, UserId), usize>,
}

/// One page on which somebody can type. When their last one in a room is gone and they were typing, they are so no longer.
#[derive(Debug)]
pub struct Typist {
    typing: Typing,
    bus: Bus,
    room: Arc<Room>,
    user: UserId,
}

impl Chat {
    /// Makes known that `person` is typing in the room, to those who may be there.
    pub fn typing(&self, room: Arc<Room>, person: Person) {
        self.typing.started(room.id, person.id);
        self.bus.publish(Event::TypingStarted { room, person });
    }

    /// A page that shows `user` the room, as long as the answer is kept.
    pub fn sits_down(&self, room: Arc<Room>, user: UserId) -> Typist {
        let mut known = self.typing.lock();
        *known.pages.entry((room.id, user)).or_default() += 1;
        Typist {
            typing: self.typing.clone(),
            bus: self.bus.clone(),
            room,
            user,
        }
    }
}

impl Drop for Typist {
    fn drop(&mut self) {
        let (room, user) = (self.room.clone(), self.user);
        if self.typing.left(room.id, user) {
            self.bus.publish(Event::TypingStopped { room, user });
        }
    }
}

impl Typing {
    fn started(&self, room: RoomId, user: UserId) {
        let now = Instant::now();
        let until = &mut self.lock().until;
        if until.len() >= MOST {
            until.retain(|_, until| *until > now);
        }
        if until.len() < MOST {
            until.insert((room, user), now + TYPING);
        }
    }

    /// One page fewer: whether it was the last one, and they were typing until now.
    fn left(&self, room: RoomId, user: UserId) -> bool {
        let mut known = self.lock();
        let pages = known.pages.entry((room, user)).or_default();
        *pages = pages.saturating_sub(1);
        if *pages > 0 {
            return false;
        }
        known.pages.remove(&(room, user));
        let until = known.until.remove(&(room, user));
        until.is_some_and(|until| until > Instant::now())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
