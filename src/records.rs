//! The plain records that pass between the layers: who, where, what. No rules, no storage, no transport.

use std::sync::Arc;

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

/// Somebody, as far as others see them.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// Where messages are.
#[derive(Debug, Clone)]
pub struct Room {
    /// Which.
    pub id: RoomId,
    /// Of what kind, with what that kind has.
    pub kind: RoomKind,
}

/// The kinds of rooms.
#[derive(Debug, Clone)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Previous {
    /// Who wrote it.
    pub author: UserId,
    /// When.
    pub created: UnixMillis,
}

/// A post, in its present state.
#[derive(Debug, Clone)]
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
}
