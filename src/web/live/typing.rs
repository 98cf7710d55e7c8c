//! Who is typing where, as one page knows it: forgotten six seconds after they last said so, and when their message
//! arrives. It knows nothing of how it is shown.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use crate::{
    domain::typing::TYPING,
    ids::{RoomId, UserId},
    records::{Person, Room, RoomKind},
};

/// How many who type in one room are remembered; more are several people anyway.
const MOST: usize = 8;

/// Who is typing, by room.
#[derive(Debug, Default)]
pub(super) struct Typing {
    rooms: BTreeMap<RoomId, Vec<(Person, Instant)>>,
    /// Rooms in which that changed since it was last told.
    changed: BTreeSet<RoomId>,
    /// Rooms of two, where no name is needed.
    direct: BTreeSet<RoomId>,
}

impl Typing {
    /// Somebody else says that they are typing.
    pub fn started(&mut self, room: &Room, person: &Person) {
        if matches!(room.kind, RoomKind::Direct { .. }) {
            self.direct.insert(room.id);
        }
        let here = self.rooms.entry(room.id).or_default();
        let until = Instant::now() + TYPING;
        if let Some((_, known)) = here.iter_mut().find(|(known, _)| known.id == person.id) {
            *known = until;
        } else if here.len() < MOST {
            here.push((person.clone(), until));
            self.changed.insert(room.id);
        }
    }

    /// Their message is here, or they are gone.
    pub fn stopped(&mut self, room: RoomId, person: UserId) {
        self.forget(room, |(known, _)| known.id != person);
    }

    /// Whether there is something to tell at once.
    pub fn has_news(&self) -> bool {
        !self.changed.is_empty()
    }

    /// When the next one will have been quiet for long enough to be forgotten.
    pub fn next_end(&self) -> Option<Instant> {
        self.rooms.values().flatten().map(|(_, until)| *until).min()
    }

    /// The rooms in which who is typing has changed, with what to say of them now; empty when nobody is.
    pub fn take(&mut self) -> Vec<(RoomId, String)> {
        let now = Instant::now();
        for room in self.rooms.keys().copied().collect::<Vec<_>>() {
            self.forget(room, |(_, until)| *until > now);
        }
        let changed = std::mem::take(&mut self.changed).into_iter();
        changed.map(|room| (room, self.words(room))).collect()
    }

    fn forget(&mut self, room: RoomId, stays: impl Fn(&(Person, Instant)) -> bool) {
        let Some(here) = self.rooms.get_mut(&room) else {
            return;
        };
        let before = here.len();
        here.retain(stays);
        if here.len() < before {
            self.changed.insert(room);
        }
        if here.is_empty() {
            self.rooms.remove(&room);
        }
    }

    /// What to say of a room; empty when nobody types there.
    pub fn words(&self, room: RoomId) -> String {
        let here = self.rooms.get(&room).map_or(&[][..], Vec::as_slice);
        match here {
            [] => String::new(),
            [_] if self.direct.contains(&room) => "typing…".into(),
            [(one, _)] => format!("{} is typing…", one.name),
            [(one, _), (other, _)] => format!("{} and {} are typing…", one.name, other.name),
            _ => "Several people are typing…".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    fn room(id: i64) -> Room {
        Room {
            id: RoomId(id),
            kind: RoomKind::Public {
                name: "General".into(),
            },
        }
    }

    fn person(id: i64, name: &str) -> Person {
        Person {
            id: UserId(id),
            name: name.into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_types_is_named_and_forgotten_after_six_seconds() {
        let mut typing = Typing::default();
        assert!(!typing.has_news() && typing.next_end().is_none());
        typing.started(&room(7), &person(1, "Ana"));
        let said = |words: &str| vec![(RoomId(7), words.to_string())];
        assert_eq!(typing.take(), said("Ana is typing…"));
        typing.started(&room(7), &person(1, "Ana"));
        assert_eq!(typing.take(), [], "she goes on: nothing new");
        advance(Duration::from_secs(3)).await;
        typing.started(&room(7), &person(2, "Ben"));
        assert_eq!(typing.take(), said("Ana and Ben are typing…"));
        typing.started(&room(7), &person(3, "Carla"));
        assert_eq!(typing.take(), said("Several people are typing…"));
        typing.stopped(RoomId(7), UserId(3));
        advance(Duration::from_secs(4)).await;
        assert_eq!(typing.take(), said("Ben is typing…"));
        assert!(typing.next_end().is_some());
        advance(Duration::from_secs(4)).await;
        assert_eq!(typing.take(), said(""));
        assert!(!typing.has_news() && typing.next_end().is_none());
    }
}
