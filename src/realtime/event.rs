//! What happened, in the past tense, with all that whoever shows it needs: nothing downstream asks the database.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    clock::UnixMillis,
    ids::{RoomId, Seq, UserId},
    records::{Floors, Message, Newest, Person, Privacy, Room, RoomKind},
};

/// Where is listened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// What happens in one room; only who may be there listens.
    Room(RoomId),
    /// What concerns one person, on all their pages.
    User(UserId),
    /// What concerns everyone: public rooms and new people.
    Lobby,
}

/// Something that happened and is on the disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event {
    /// A message came.
    MessagePosted {
        /// Where.
        room: Arc<Room>,
        /// The message.
        message: Arc<Message>,
        /// How far everybody in the room has come.
        floors: Floors,
    },
    /// A message has another text.
    MessageEdited {
        /// Where.
        room: Arc<Room>,
        /// Its present state.
        message: Arc<Message>,
        /// How far everybody in the room has come.
        floors: Floors,
    },
    /// A message lost its text.
    MessageDeleted {
        /// Where.
        room: Arc<Room>,
        /// Its present state.
        message: Arc<Message>,
        /// How far everybody in the room has come.
        floors: Floors,
    },
    /// Somebody has read further.
    RoomRead {
        /// Where.
        room: RoomId,
        /// Who.
        user: UserId,
        /// Up to where.
        read_seq: Seq,
    },
    /// Somebody has marked messages as unread, for themselves.
    RoomMarked {
        /// Where.
        room: RoomId,
        /// Who.
        user: UserId,
        /// The last message that is not unread.
        seen_seq: Seq,
    },
    /// Somebody does not want to be told of a room for a while, or does again.
    RoomMuted {
        /// Where.
        room: RoomId,
        /// Who.
        user: UserId,
        /// Until when.
        until: UnixMillis,
    },
    /// Everybody in a room has come further.
    FloorsMoved {
        /// Where.
        room: RoomId,
        /// Up to where.
        floors: Floors,
        /// The room's newest message: its author's lobby shows its ticks.
        newest: Option<Newest>,
    },
    /// Somebody has signed out in one of their browsers.
    SessionEnded {
        /// Who.
        user: UserId,
        /// Which of their sessions, as the store names it.
        session: Arc<str>,
    },
    /// Somebody's sessions have all ended, but for one perhaps: their password was changed, or they were shut out.
    SessionsEnded {
        /// Who.
        user: UserId,
        /// Which of their sessions goes on, as the store names it.
        except: Option<Arc<str>>,
    },
    /// Which of somebody's sessions there still are, as the database has it: some may have ended elsewhere.
    SessionsCounted {
        /// Who.
        user: UserId,
        /// Those that there are, as the store names them.
        sessions: Arc<[Arc<str>]>,
    },
    /// Somebody is typing: true for a few seconds, never stored.
    TypingStarted {
        /// Where.
        room: Arc<Room>,
        /// Who.
        person: Person,
    },
    /// Somebody who was typing is so no longer: their page is gone.
    TypingStopped {
        /// Where.
        room: Arc<Room>,
        /// Who.
        user: UserId,
    },
    /// People who show it have come or gone.
    PresenceChanged {
        /// Who, and whether they are here now.
        people: Arc<[(UserId, bool)]>,
    },
    /// Somebody has changed what they let others see, and so what they see of others.
    PrivacyChanged {
        /// Who.
        user: UserId,
        /// From now on.
        privacy: Privacy,
    },
    /// The administrator has switched read receipts on or off for everyone.
    ReceiptsSwitched {
        /// From now on.
        on: bool,
    },
    /// There is a new public room.
    RoomCreated {
        /// The room.
        room: Arc<Room>,
        /// When.
        #[serde(default)]
        created: UnixMillis,
    },
    /// The database has another past than a moment ago: what pages know by numbers is no longer so.
    PastChanged,
    /// Somebody has signed up.
    PersonJoined {
        /// Who.
        person: Person,
        /// When.
        joined: UnixMillis,
    },
}

impl Event {
    /// The room in which it happened, if it concerns those who look at that room.
    pub fn room(&self) -> Option<RoomId> {
        match self {
            Self::FloorsMoved { room, .. } => Some(*room),
            Self::TypingStarted { room, .. } | Self::TypingStopped { room, .. } => Some(room.id),
            _ => self.message().map(|(room, ..)| room.id),
        }
    }

    /// The message that changed, its room, and how far everybody there has come.
    pub fn message(&self) -> Option<(&Arc<Room>, &Arc<Message>, Floors)> {
        match self {
            Self::MessagePosted {
                room,
                message,
                floors,
            }
            | Self::MessageEdited {
                room,
                message,
                floors,
            }
            | Self::MessageDeleted {
                room,
                message,
                floors,
            } => Some((room, message, *floors)),
            _ => None,
        }
    }

    /// Whether a reader who gets this has no use for `older`, which waits before it: both say how something stands.
    pub fn supersedes(&self, older: &Self) -> bool {
        match (self, older) {
            (Self::FloorsMoved { room, .. }, Self::FloorsMoved { room: before, .. }) => {
                room == before
            }
            (
                Self::RoomRead { room, user, .. },
                Self::RoomRead {
                    room: before,
                    user: who,
                    ..
                },
            ) => (room, user) == (before, who),
            (
                Self::TypingStarted { room, person },
                Self::TypingStarted {
                    room: before,
                    person: who,
                },
            ) => (room.id, person.id) == (before.id, who.id),
            _ => false,
        }
    }

    /// Whether a reader who never hears of it misses nothing.
    pub fn is_dispensable(&self) -> bool {
        matches!(self, Self::TypingStarted { .. })
    }

    /// Where it is heard. What happens in a direct room never reaches a topic that others listen to.
    pub fn topics(&self) -> Vec<Topic> {
        match self {
            Self::RoomRead { user, .. }
            | Self::RoomMarked { user, .. }
            | Self::RoomMuted { user, .. }
            | Self::PrivacyChanged { user, .. }
            | Self::SessionEnded { user, .. }
            | Self::SessionsEnded { user, .. }
            | Self::SessionsCounted { user, .. } => vec![Topic::User(*user)],
            Self::FloorsMoved { room, newest, .. } => {
                let author = newest.map(|newest| Topic::User(newest.author));
                [Topic::Room(*room)].into_iter().chain(author).collect()
            }
            Self::PresenceChanged { .. }
            | Self::ReceiptsSwitched { .. }
            | Self::PastChanged
            | Self::RoomCreated { .. }
            | Self::PersonJoined { .. } => vec![Topic::Lobby],
            Self::MessagePosted { room, .. }
            | Self::MessageEdited { room, .. }
            | Self::MessageDeleted { room, .. }
            | Self::TypingStarted { room, .. }
            | Self::TypingStopped { room, .. } => topics_of(room),
        }
    }
}

/// Where it is heard what happens in a room.
pub fn topics_of(room: &Room) -> Vec<Topic> {
    match &room.kind {
        RoomKind::Public { .. } => vec![Topic::Room(room.id), Topic::Lobby],
        RoomKind::Direct {
            people: [low, high],
        } => vec![
            Topic::Room(room.id),
            Topic::User(low.id),
            Topic::User(high.id),
        ],
    }
}
