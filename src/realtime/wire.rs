//! How what nodes tell each other is written down: as JSON with a version, on a channel per topic.
//!
//! A node that does not know a version reads from the database instead, so versions can be mixed while they change.
//! Nothing large goes twice over the wire: who sees a room's line alone needs no more of a text than its preview.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Event, Topic};
use crate::{
    ids::{RoomId, UserId},
    records::Message,
};

/// The version of what is written here. To be raised when an older node would misread it.
const VERSION: u32 = 1;
/// How many characters of a text go to those who only see its preview; a preview has 120.
const PREVIEW: usize = 500;

/// Which process of several speaks: a name that is made at its start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub Arc<str>);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where nodes listen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Channel {
    /// What the listeners of a topic are told.
    Topic(Topic),
    /// What nodes tell all others of themselves.
    Nodes,
    /// What a node tells itself, to know that it is heard.
    Own(NodeId),
}

impl Channel {
    /// Its name on a server that other houses may use, too.
    pub fn name(&self, house: &str) -> String {
        match self {
            Self::Topic(Topic::Room(id)) => format!("tertulia:{house}:room:{id}"),
            Self::Topic(Topic::User(id)) => format!("tertulia:{house}:user:{id}"),
            Self::Topic(Topic::Lobby) => format!("tertulia:{house}:lobby"),
            Self::Nodes => format!("tertulia:{house}:nodes"),
            Self::Own(node) => format!("tertulia:{house}:node:{node}"),
        }
    }

    /// The channel of this name, if it is one of this house.
    pub fn parse(name: &str, house: &str) -> Option<Self> {
        let rest = name
            .strip_prefix("tertulia:")?
            .strip_prefix(house)?
            .strip_prefix(':')?;
        let (kind, id) = rest.split_once(':').unwrap_or((rest, ""));
        match kind {
            "room" => Some(Self::Topic(Topic::Room(RoomId::parse(id).ok()?))),
            "user" => Some(Self::Topic(Topic::User(UserId::parse(id).ok()?))),
            "lobby" => Some(Self::Topic(Topic::Lobby)),
            "nodes" => Some(Self::Nodes),
            "node" => Some(Self::Own(NodeId(id.into()))),
            _ => None,
        }
    }
}

/// What one node says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Word {
    /// Something happened.
    Event(Event),
    /// Something about the node itself.
    Node(NodeWord),
}

/// What a node says about itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum NodeWord {
    /// It has started, and would like to know who is where.
    Hello,
    /// It lives, and these people are there, all of them.
    Here(Arc<[UserId]>),
    /// It lives, and these people have come to it, or gone from it.
    Moved(Arc<[(UserId, bool)]>),
    /// It stops; its people go elsewhere.
    Leaving,
    /// Some of its words were lost: the others should look into the database.
    Lost,
    /// It would like to know who is connected where, for an administrator who looks.
    WhoIsThere,
    /// It was told that a connection has received what it was asked about, and has no such connection.
    Received {
        /// Who told it.
        user: UserId,
        /// The connection's number.
        connection: u64,
        /// The number of the question.
        number: u32,
    },
    /// Who is connected to it, as it tells its administrator.
    Connected(Arc<RawValue>),
    /// It lives; with the number of the beat. A node says so to itself, to know that it is heard, and to the others.
    Beat(u64),
}

#[derive(Serialize)]
struct Written<'a> {
    v: u32,
    from: &'a NodeId,
    word: &'a Word,
}

#[derive(Deserialize)]
struct Read<'a> {
    v: u32,
    from: NodeId,
    #[serde(borrow)]
    word: &'a RawValue,
}

/// A word of another version, or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a word of this version")]
pub struct Unknown;

/// Writes down what `from` says on `channel`.
pub fn write(from: &NodeId, channel: &Channel, word: &Word) -> Vec<u8> {
    let shortened = match (channel, word) {
        (Channel::Topic(Topic::Lobby | Topic::User(_)), Word::Event(event)) => {
            shorten(event).map(Word::Event)
        }
        _ => None,
    };
    let word = shortened.as_ref().unwrap_or(word);
    let written = Written {
        v: VERSION,
        from,
        word,
    };
    serde_json::to_vec(&written).expect("words are made of numbers, texts and lists")
}

/// Reads what was written down, and who said it.
///
/// # Errors
/// `Unknown`: the database knows what is meant.
pub fn read(bytes: &[u8]) -> Result<(NodeId, Word), Unknown> {
    let read: Read<'_> = serde_json::from_slice(bytes).map_err(|_| Unknown)?;
    if read.v != VERSION {
        return Err(Unknown);
    }
    let word = serde_json::from_str(read.word.get()).map_err(|_| Unknown)?;
    Ok((read.from, word))
}

/// The event with no more of its text than a preview needs, if it has more.
fn shorten(event: &Event) -> Option<Event> {
    let (_, message, _) = event.message()?;
    let body = message.body.as_deref()?;
    let (end, _) = body.char_indices().nth(PREVIEW)?;
    let mut event = event.clone();
    if let Event::MessagePosted { message, .. }
    | Event::MessageEdited { message, .. }
    | Event::MessageDeleted { message, .. } = &mut event
    {
        *message = Arc::new(Message {
            body: Some(body[..end].into()),
            ..message.as_ref().clone()
        });
    }
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::UnixMillis,
        ids::{Rev, Seq},
        records::{Audience, Floors, Person, Room, RoomKind},
    };

    fn posted(body: &str) -> Word {
        let author = Person {
            id: UserId(1),
            name: "ada".into(),
        };
        Word::Event(Event::MessagePosted {
            room: Arc::new(Room {
                id: RoomId(7),
                kind: RoomKind::Public {
                    name: "General".into(),
                },
            }),
            message: Arc::new(Message {
                room: RoomId(7),
                seq: Seq(3),
                rev: Rev(4),
                author,
                body: Some(body.into()),
                created: UnixMillis(5),
                edited: None,
                previous: None,
                audience: Audience::Readers,
            }),
            floors: Floors::default(),
        })
    }

    fn body(word: &Word) -> &str {
        let Word::Event(event) = word else { return "" };
        event
            .message()
            .and_then(|(_, message, _)| message.body.as_deref())
            .unwrap_or_default()
    }

    #[test]
    fn what_is_written_is_read_and_only_the_room_gets_all_of_it() {
        let (from, long) = (NodeId("a1".into()), "é".repeat(10_000));
        let topics = [
            (Topic::Room(RoomId(7)), 10_000),
            (Topic::Lobby, PREVIEW),
            (Topic::User(UserId(1)), PREVIEW),
        ];
        for (topic, length) in topics {
            let bytes = write(&from, &Channel::Topic(topic), &posted(&long));
            let (who, word) = read(&bytes).expect("it was written by us");
            assert_eq!((who, body(&word).chars().count()), (from.clone(), length));
        }
    }

    #[test]
    fn another_version_is_unknown_whatever_it_says() {
        for text in [
            r#"{"v":2,"from":"b","word":{"Event":{"Telepathy":{}}}}"#,
            r#"{"v":1,"from":"b","word":{"Event":{"Telepathy":{}}}}"#,
            r#"{"v":2}"#,
            "",
            "<p>",
        ] {
            assert_eq!(read(text.as_bytes()).err(), Some(Unknown), "{text}");
        }
    }

    #[test]
    fn a_channel_is_found_by_its_name_in_its_own_house_alone() {
        let channels = [
            Channel::Topic(Topic::Room(RoomId(7))),
            Channel::Topic(Topic::User(UserId(3))),
            Channel::Topic(Topic::Lobby),
            Channel::Nodes,
            Channel::Own(NodeId("a1".into())),
        ];
        for channel in channels {
            let name = channel.name("house");
            assert_eq!(Channel::parse(&name, "house"), Some(channel));
            assert_eq!(Channel::parse(&name, "other"), None);
        }
    }
}
