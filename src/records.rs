//! The plain records that pass between the layers: who, where, what. No rules, no storage, no transport.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

mod replication;

pub use replication::Replication;

use crate::{
    clock::UnixMillis,
    ids::{Rev, RoomId, Seq, UserId},
};

/// What a person may do beyond chatting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Chats.
    Member,
    /// Also looks after the house; the first account is one.
    Administrator,
}

impl Role {
    /// As it is stored, and as the operator writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Administrator => "administrator",
        }
    }
}

/// Somebody, as far as others see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Who.
    pub id: UserId,
    /// The name they chose.
    pub name: Arc<str>,
}

/// A person with an account.
#[derive(Debug, Clone)]
pub struct User {
    /// Who, and their name.
    pub person: Person,
    /// What they may do.
    pub role: Role,
    /// When they signed up.
    pub created: UnixMillis,
    /// What they let others see, and so see of others.
    pub privacy: Privacy,
    /// Whether the administrator has shut them out.
    pub is_banned: bool,
}

/// What a person lets others see. It is mutual: who hides something does not see it of others either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privacy {
    /// How far they have read.
    pub receipts: bool,
    /// Whether they are here, and when they last were.
    pub presence: bool,
}

impl Default for Privacy {
    /// Nothing is hidden.
    fn default() -> Self {
        Self {
            receipts: true,
            presence: true,
        }
    }
}

/// Where messages are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Room {
    /// Which.
    pub id: RoomId,
    /// Of what kind, with what that kind has.
    pub kind: RoomKind,
}

/// The kinds of rooms.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum RoomKind {
    /// Open to everyone with an account.
    Public {
        /// Its name, as it was written.
        name: Arc<str>,
    },
    /// Between two people; nobody else can tell that it exists.
    Direct {
        /// The two, the lower id first.
        people: [Person; 2],
    },
}

impl Room {
    /// Whether `user` may be in this room.
    pub fn admits(&self, user: UserId) -> bool {
        match &self.kind {
            RoomKind::Public { .. } => true,
            RoomKind::Direct { people } => people.iter().any(|person| person.id == user),
        }
    }

    /// The other one of a direct room, seen by `user`; `None` in a public room.
    pub fn peer(&self, user: UserId) -> Option<&Person> {
        match &self.kind {
            RoomKind::Public { .. } => None,
            RoomKind::Direct { people } => people.iter().find(|person| person.id != user),
        }
    }
}

/// Author and time of the message before: whether a message begins a day or a group never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Who wrote it.
    pub author: UserId,
    /// When.
    pub created: UnixMillis,
}

/// A post, in its present state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    /// Where.
    pub room: RoomId,
    /// Its place in the room.
    pub seq: Seq,
    /// The room's change number when it was last written.
    pub rev: Rev,
    /// Who wrote it.
    pub author: Person,
    /// The text; `None` once deleted.
    pub body: Option<Arc<str>>,
    /// When it was stored.
    pub created: UnixMillis,
    /// When its text was last changed.
    pub edited: Option<UnixMillis>,
    /// The message before it in the room.
    pub previous: Option<Previous>,
    /// Who else was in the room when it was posted.
    pub audience: Audience,
}

/// Who else was in a room when a message was posted: how far its ticks can come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Audience {
    /// Nobody: it stays merely sent.
    Nobody,
    /// Others, of whom none sends read receipts: it can be delivered.
    Silent,
    /// Others, of whom some send read receipts: those count.
    Readers,
}

impl Audience {
    /// The last thing that the ticks can say, if they can say more than "sent".
    pub fn most(self) -> Option<Ticks> {
        match self {
            Self::Nobody => None,
            Self::Silent => Some(Ticks::Delivered),
            Self::Readers => Some(Ticks::Read),
        }
    }
}

/// How far everybody in a room was reached, and everybody who sends read receipts has read: the lowest watermarks of
/// its members. They never fall.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floors {
    /// Every member has received everything up to here.
    pub delivered: Seq,
    /// Every member who sends read receipts has read everything up to here.
    pub read: Seq,
}

impl Floors {
    /// As they are shown to somebody who sees who has read, or does not.
    pub fn seen_by(self, sees_reads: bool) -> Self {
        match sees_reads {
            true => self,
            false => Self {
                read: Seq(0),
                ..self
            },
        }
    }

    /// The higher of each: floors never fall, whichever word of them comes first.
    pub fn max(self, other: Self) -> Self {
        Self {
            delivered: self.delivered.max(other.delivered),
            read: self.read.max(other.read),
        }
    }
}

/// A room's newest message, as far as its ticks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// Who wrote it.
    pub author: UserId,
    /// Its place.
    pub seq: Seq,
    /// Whose receipts count for it.
    pub audience: Audience,
}

/// What the ticks of a message say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ticks {
    /// It is stored.
    Sent,
    /// Everybody who was in the room when it was posted has received it.
    Delivered,
    /// Everybody who was in the room when it was posted, and sends read receipts, has read it.
    Read,
}

impl Ticks {
    /// What the floors of its room say of the message `seq`. Its author's own watermarks stand at or behind it,
    /// and who joined later started behind it, so the floors of all are those of the others.
    pub fn of(seq: Seq, audience: Audience, floors: Floors) -> Self {
        match audience {
            Audience::Readers if seq <= floors.read => Self::Read,
            Audience::Readers | Audience::Silent if seq <= floors.delivered => Self::Delivered,
            _ => Self::Sent,
        }
    }

    /// As templates and CSS spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }
}
