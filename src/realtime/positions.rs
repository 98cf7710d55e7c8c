//! Up to where the listeners of this process were told of each room. Where news also comes from other processes, it can
//! come late, twice or not at all: what is older than what was told is dropped, and what is missing can be found.
//!
//! Of a room its own readers are told every change. Everybody else sees one line of it, so they are told of its newest
//! message alone. Two nodes that change a room at once can be heard in the wrong order, so what comes late can still
//! be the newest message.
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
    records::{Floors, Message},
};

/// How many rooms by topic, how many memberships, and how many people are remembered.
const MOST: usize = 100_000;

/// Up to where the listeners of a topic were told of a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// The furthest message.
    pub seq: Seq,
    /// The last change before which none is missing.
    pub rev: Rev,
    /// The last change at all.
    top: Rev,
    /// The last change of the furthest message.
    line: Rev,
    /// How far everybody there has come.
    pub floors: Floors,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Admitted {
    /// It is to be told.
    pub is_news: bool,
    /// Changes before it are missing.
    pub is_gap: bool,
}

impl Told {
    /// Takes a change in; whether it is news to a room's own readers (or to those who see its line), and whether changes
    /// before it are missing.
    fn take(&mut self, message: &Message, is_room: bool) -> (bool, bool) {
        let (seq, rev) = (message.seq, message.rev);
        let is_line = seq > self.seq || (seq == self.seq && rev > self.line);
        let is_news = is_line || (is_room && rev > self.top);
        // Nothing is known of a room of which nothing was told: its readers know themselves where they stand.
        let is_gap = self.rev.0 > 0 && rev.0 > self.rev.0 + 1;
        if !is_gap {
            self.rev = self.rev.max(rev);
        }
        if is_line {
            (self.seq, self.line) = (seq, rev);
        }
        self.top = self.top.max(rev);
        (is_news, is_gap)
    }
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
    pub fn admit(&mut self, topic: Topic, event: &Event) -> Admitted {
        if let Some((room, message, _)) = event.message() {
            let told = bounded(&mut self.rooms, (topic, room.id));
            let (is_news, is_gap) = told.take(message, matches!(topic, Topic::Room(_)));
            // Whoever posts has read what stands before; that shows in the lobby.
            let is_lobby = is_news && !matches!(topic, Topic::Room(_));
            if is_lobby && matches!(event, Event::MessagePosted { .. }) {
                let seen = bounded(&mut self.seen, (message.author.id, room.id));
                *seen = (*seen).max(message.seq);
            }
            return Admitted { is_news, is_gap };
        }
        let is_news = self.admit_other(topic, event);
        Admitted {
            is_news,
            is_gap: false,
        }
    }

    fn admit_other(&mut self, topic: Topic, event: &Event) -> bool {
        match event {
            Event::FloorsMoved { room, floors, .. } => {
                let told = bounded(&mut self.rooms, (topic, *room));
                let before = told.floors;
                told.floors = before.max(*floors);
                told.floors != before
            }
            Event::RoomCreated { room, .. } => {
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

    /// The listeners of `topic` were told of `room` all that there was up to `rev`.
    pub fn note(&mut self, topic: Topic, room: RoomId, rev: Rev) {
        let told = bounded(&mut self.rooms, (topic, room));
        told.rev = told.rev.max(rev);
        told.top = told.top.max(rev);
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
    use std::sync::Arc;

    use super::*;
    use crate::records::{Audience, Person, Room, RoomKind};

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

    fn changed(seq: i64, rev: i64) -> Event {
        let room = Room {
            id: ROOM,
            kind: RoomKind::Public {
                name: "General".into(),
            },
        };
        let message = Message {
            room: ROOM,
            seq: Seq(seq),
            rev: Rev(rev),
            author: Person {
                id: ADA,
                name: "ada".into(),
            },
            body: Some("hello".into()),
            created: UnixMillis(0),
            edited: None,
            previous: None,
            audience: Audience::Readers,
        };
        Event::MessageEdited {
            room: Arc::new(room),
            message: Arc::new(message),
            floors: Floors {
                delivered: Seq(seq),
                read: Seq(seq),
            },
        }
    }

    /// Whether each change (place, number) is news, and whether there is a gap before it.
    fn told(topic: Topic, changes: &[(i64, i64)]) -> Vec<(bool, bool)> {
        let mut positions = Positions::default();
        let admit = |(seq, rev): &(i64, i64)| {
            let it = positions.admit(topic, &changed(*seq, *rev));
            (it.is_news, it.is_gap)
        };
        changes.iter().map(admit).collect()
    }

    #[test]
    fn a_new_message_that_comes_late_is_news_and_an_old_state_of_one_is_not() {
        let late_post = [(1, 1), (1, 3), (2, 2), (2, 2)];
        let (news, gap, old) = ((true, false), (true, true), (false, false));
        assert_eq!(
            told(Topic::Room(ROOM), &late_post),
            [news, gap, news, old],
            "twice is no news"
        );
        assert_eq!(told(Topic::Lobby, &late_post), [news, gap, news, old]);
        let late_text = [(1, 1), (2, 2), (2, 4), (2, 3)];
        assert_eq!(told(Topic::Lobby, &late_text), [news, news, gap, old]);
        let of_an_older_one = [(1, 1), (2, 2), (1, 3)];
        assert_eq!(
            told(Topic::Lobby, &of_an_older_one),
            [news, news, old],
            "the line shows the newest"
        );
        assert_eq!(
            told(Topic::Room(ROOM), &of_an_older_one),
            [news, news, news]
        );
    }

    #[test]
    fn what_is_missing_stays_so_until_it_came_or_was_found() {
        let (mut positions, topic) = (Positions::default(), Topic::Lobby);
        let rev = |positions: &Positions| positions.told(topic, ROOM).map(|it| it.rev.0);
        positions.admit(topic, &changed(1, 1));
        positions.admit(topic, &changed(1, 3));
        assert_eq!(rev(&positions), Some(1));
        positions.admit(topic, &changed(2, 2));
        assert_eq!(rev(&positions), Some(2));
        positions.note(topic, ROOM, Rev(3));
        assert_eq!(rev(&positions), Some(3));
    }

    #[test]
    fn floors_that_came_with_a_message_are_still_to_be_told() {
        let (mut positions, topic) = (Positions::default(), Topic::Room(ROOM));
        positions.admit(topic, &changed(5, 5));
        assert!(positions.admit(topic, &floors(5, 5)).is_news);
    }

    #[test]
    fn old_word_of_how_far_somebody_read_is_no_news() {
        let (mut positions, topic) = (Positions::default(), Topic::User(ADA));
        assert!(positions.admit(topic, &read(5)).is_news);
        assert!(!positions.admit(topic, &read(5)).is_news, "said twice");
        assert!(!positions.admit(topic, &read(4)).is_news, "said late");
        let marked = Event::RoomMarked {
            room: ROOM,
            user: ADA,
            seen_seq: Seq(2),
        };
        assert!(positions.admit(topic, &marked).is_news, "unread again");
        assert!(positions.admit(topic, &read(4)).is_news, "and read again");
    }

    #[test]
    fn floors_never_fall_for_the_listeners_of_a_topic() {
        let mut positions = Positions::default();
        let topic = Topic::Room(ROOM);
        assert!(positions.admit(topic, &floors(5, 3)).is_news);
        assert!(!positions.admit(topic, &floors(4, 3)).is_news);
        assert!(positions.admit(topic, &floors(5, 4)).is_news);
        assert!(
            positions.admit(Topic::User(ADA), &floors(4, 3)).is_news,
            "each topic has listeners of its own"
        );
    }
}
