//! What happened, in the past tense, with all that whoever shows it needs: nothing downstream asks the database.

use std::sync::Arc;

use crate::{
    clock::UnixMillis,
    ids::{Rev, RoomId, Seq, UserId},
    records::{Message, Person, Room, RoomKind},
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
#[derive(Debug, Clone)]
pub enum Event {
    /// A message came.
    MessagePosted {
        /// Where.
        room: Arc<Room>,
        /// The message.
        message: Arc<Message>,
    },
    /// A message has another text.
    MessageEdited {
        /// Where.
        room: Arc<Room>,
        /// Its present state.
        message: Arc<Message>,
    },
    /// A message lost its text.
    MessageDeleted {
        /// Where.
        room: Arc<Room>,
        /// Its present state.
        message: Arc<Message>,
    },
    /// Somebody has read further.
    RoomRead {
        /// Where.
        room: Arc<Room>,
        /// Who.
        user: UserId,
        /// Up to where.
        read_seq: Seq,
    },
    /// There is a new public room.
    RoomCreated {
        /// The room.
        room: Arc<Room>,
    },
    /// Somebody has signed up.
    PersonJoined {
        /// Who.
        person: Person,
        /// When.
        joined: UnixMillis,
    },
}

impl Event {
    /// The room in which it happened and its change number there, if it changed a message.
    pub fn place(&self) -> Option<(RoomId, Rev)> {
        self.message().map(|(room, message)| (room.id, message.rev))
    }

    /// The message that changed, and its room.
    pub fn message(&self) -> Option<(&Arc<Room>, &Arc<Message>)> {
        match self {
            Self::MessagePosted { room, message }
            | Self::MessageEdited { room, message }
            | Self::MessageDeleted { room, message } => Some((room, message)),
            Self::RoomRead { .. } | Self::RoomCreated { .. } | Self::PersonJoined { .. } => None,
        }
    }

    /// Where it is heard. What happens in a direct room never reaches a topic that others listen to.
    pub fn topics(&self) -> Vec<Topic> {
        match self {
            Self::RoomRead { user, .. } => vec![Topic::User(*user)],
            Self::RoomCreated { .. } | Self::PersonJoined { .. } => vec![Topic::Lobby],
            Self::MessagePosted { room, .. }
            | Self::MessageEdited { room, .. }
            | Self::MessageDeleted { room, .. } => match &room.kind {
                RoomKind::Public { .. } => vec![Topic::Room(room.id), Topic::Lobby],
                RoomKind::Direct {
                    people: [low, high],
                } => {
                    vec![
                        Topic::Room(room.id),
                        Topic::User(low.id),
                        Topic::User(high.id),
                    ]
                }
            },
        }
    }
}
