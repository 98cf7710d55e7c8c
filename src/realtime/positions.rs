//! Up to where the listeners of this process were told of each room. Where news also comes from other processes, it can
//! come late, twice or not at all: what is older than what was told is dropped, and what is missing can be found.
//!
//! It is bounded: when there is too much of it all is forgotten, and some things are told once more.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use super::{Event, Topic};
use crate::{
    clock::UnixMillis,
    ids::{Rev, RoomId, Seq, UserId},
    records::Floors,
};

/// How many rooms by topic, how many memberships, and how many people are remembered.
const MOST: usize = 100_000;

/// Up to where the listeners of a topic were told of a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// The furthest message.
    pub seq: Seq,
    /// The last change.
    pub rev: Rev,
    /// How far everybody there has come.
    pub floors: Floors,
}

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Positions {
    rooms: HashMap<(Topic, RoomId), Told>,
    seen: HashMap<(UserId, RoomId), Seq>,
    muted: HashMap<(UserId, RoomId), UnixMillis>,
    people: HashSet<UserId>,
}

impl Positions {
    /// Whether `event` is news to the listeners of `topic`; from then on it is told.
    pub fn admit(&mut self, topic: Topic, event: &Event) -> bool {
        if let Some((room, message, floors)) = event.message() {
            let told = bounded(&mut self.rooms, (topic, room.id));
            let is_news = message.rev > told.rev;
            told.rev = told.rev.max(message.rev);
            told.seq = told.seq.max(message.seq);
            told.floors = told.floors.max(floors);
            // Whoever posts has read what stands before.
            if matches!(event, Event::MessagePosted { .. }) {
                let seen = bounded(&mut self.seen, (message.author.id, room.id));
                *seen = (*seen).max(message.seq);
            }
            return is_news;
        }
        match event {
            Event::FloorsMoved { room, floors, .. } => {
                let told = bounded(&mut self.rooms, (topic, *room));
                let before = told.floors;
                told.floors = before.max(*floors);
                told.floors != before
            }
            Event::RoomCreated { room } => {
                let is_news = !self.rooms.contains_key(&(topic, room.id));
                bounded(&mut self.rooms, (topic, room.id));
                is_news
            }
            Event::RoomRead {
                room,
                user,
                read_seq,
            } => {
                let seen = bounded(&mut self.seen, (*user, *room));
                let is_news = *read_seq > *seen;
                *seen = (*seen).max(*read_seq);
                is_news
            }
            Event::RoomMarked {
                room,
                user,
                seen_seq,
            } => std::mem::replace(bounded(&mut self.seen, (*user, *room)), *seen_seq) != *seen_seq,
            Event::RoomMuted { room, user, until } => {
                std::mem::replace(bounded(&mut self.muted, (*user, *room)), *until) != *until
            }
            Event::PersonJoined { person, .. } => {
                if self.people.len() >= MOST {
                    self.people.clear();
                }
                self.people.insert(person.id)
            }
            _ => true,
        }
    }

    /// Up to where the listeners of `topic` were told of `room`; nothing is known of what was never told.
    pub fn told(&self, topic: Topic, room: RoomId) -> Option<Told> {
        self.rooms.get(&(topic, room)).copied()
    }
}

fn bounded<K: Eq + Hash, V: Default>(map: &mut HashMap<K, V>, key: K) -> &mut V {
    if map.len() >= MOST && !map.contains_key(&key) {
        map.clear();
    }
    map.entry(key).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId(7);
    const ADA: UserId = UserId(1);

    fn read(seq: i64) -> Event {
        Event::RoomRead {
            room: ROOM,
            user: ADA,
            read_seq: Seq(seq),
        }
    }

    fn floors(delivered: i64, read: i64) -> Event {
        Event::FloorsMoved {
            room: ROOM,
            floors: Floors {
                delivered: Seq(delivered),
                read: Seq(read),
            },
            newest: None,
        }
    }

    #[test]
    fn old_word_of_how_far_somebody_read_is_no_news() {
        let (mut positions, topic) = (Positions::default(), Topic::User(ADA));
        assert!(positions.admit(topic, &read(5)));
        assert!(!positions.admit(topic, &read(5)), "said twice");
        assert!(!positions.admit(topic, &read(4)), "said late");
        let marked = Event::RoomMarked {
            room: ROOM,
            user: ADA,
            seen_seq: Seq(2),
        };
        assert!(positions.admit(topic, &marked), "unread again");
        assert!(positions.admit(topic, &read(4)), "and read again");
    }

    #[test]
    fn floors_never_fall_for_the_listeners_of_a_topic() {
        let mut positions = Positions::default();
        let topic = Topic::Room(ROOM);
        assert!(positions.admit(topic, &floors(5, 3)));
        assert!(!positions.admit(topic, &floors(4, 3)));
        assert!(positions.admit(topic, &floors(5, 4)));
        assert!(
            positions.admit(Topic::User(ADA), &floors(4, 3)),
            "each topic has listeners of its own"
        );
    }
}
