//! Posting, editing, deleting, and reading what was posted.

use std::sync::Arc;

use super::{Chat, body::MessageBody};
use crate::{
    error::{Error, Result},
    ids::{Rev, Seq, UserId},
    realtime::Shared,
    records::{Floors, Message, Person, Room},
    store::{NewMessage, Write, Written},
};

/// How many messages a page of a room's history has.
pub const PAGE: u32 = 50;
/// How many unread messages a room opens with at most, so that it can open where the reader left off.
const MOST_UNREAD: i64 = 200;
/// Where a reader stands who knows another past: no room has come so far.
pub const OTHER_PAST: Rev = Rev(i64::MAX);
/// How many changes a reader can be behind and still be brought up to date one by one.
pub const MOST_BEHIND: u32 = 500;

/// How large one page or one catch-up becomes at most as HTML, in bytes, apart from its frame; what is older is a page
/// of its own. It is also the most that a reader has in its buffer.
const MOST_HTML: usize = 1024 * 1024;
/// What stands around a message's text: its bubble, its ticks, its menu.
const AROUND: usize = 1_800;

/// A message's key: made by the client, once per message, so that a retry is the same message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// Reads a key: 16 to 64 letters, digits, `-` or `_`.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (16..=64).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.into()))
        } else {
            Err(Error::invalid(
                "key",
                "This form is damaged. Reload the page and try again.",
            ))
        }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A stretch of a room's history, oldest first.
#[derive(Debug)]
pub struct History {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether there are older ones.
    pub older: bool,
    /// Whether there are newer ones.
    pub newer: bool,
    /// The room's change number that this stretch is at least as new as.
    pub rev: Rev,
}

/// What a reader who is behind gets.
#[derive(Debug)]
pub enum CatchUp {
    /// The messages that changed since, in their present state.
    Changes(Vec<Message>),
    /// Too much changed: the newest page afresh.
    Afresh(History),
    /// The reader knows a past that is not this room's: the newest page instead of all that they know.
    Other(History),
}

/// What readers who are equally far behind get, and what they make of it.
#[derive(Debug)]
pub struct Missed {
    /// The changes.
    pub found: CatchUp,
    /// How far everybody in the room had come just before.
    pub floors: Floors,
    /// What readers make of it.
    pub shared: Shared,
}

impl Chat {
    /// Stores a message; the same key is the same message, however often it comes.
    ///
    /// # Errors
    /// `Conflict` when the key belongs to another message; `Unavailable`, `Unknown` as [`crate::store::Writer::write`].
    pub async fn post(
        &self,
        room: Arc<Room>,
        author: Person,
        body: MessageBody,
        key: Key,
    ) -> Result<Arc<Message>> {
        let new = NewMessage {
            room,
            author,
            body: body.as_str().into(),
            key: key.0,
        };
        self.write(Write::Post(new)).await
    }

    /// Gives the author's own message another text.
    ///
    /// # Errors
    /// `NotFound` when it is not theirs, deleted or not there.
    pub async fn edit(
        &self,
        room: Arc<Room>,
        author: UserId,
        seq: Seq,
        body: MessageBody,
    ) -> Result<Arc<Message>> {
        self.write(Write::Edit {
            room,
            seq,
            author,
            body: body.as_str().into(),
        })
        .await
    }

    /// Deletes the author's own message for everyone: its place remains, its text is gone.
    ///
    /// # Errors
    /// `NotFound` when it is not theirs or not there.
    pub async fn delete(&self, room: Arc<Room>, author: UserId, seq: Seq) -> Result<Arc<Message>> {
        self.write(Write::Delete { room, seq, author }).await
    }

    /// One message.
    ///
    /// # Errors
    /// `NotFound` when it is not there.
    pub async fn message(&self, room: &Room, seq: Seq) -> Result<Message> {
        self.store
            .find_message(room.id, seq)
            .await?
            .ok_or(Error::NotFound)
    }

    /// The author's own message, as far as it can still be changed.
    ///
    /// # Errors
    /// `NotFound` when it is not theirs, deleted or not there.
    pub async fn own_message(&self, room: &Room, author: UserId, seq: Seq) -> Result<Message> {
        let message = self.message(room, seq).await?;
        if message.author.id == author && message.body.is_some() {
            Ok(message)
        } else {
            Err(Error::NotFound)
        }
    }

    /// The room's newest page: 50 messages, or all unread ones if they are up to 200 and a few before them.
    pub async fn newest(&self, room: &Room, read: Seq) -> Result<History> {
        // The position is read first: what is posted in between is in the page, and caught up harmlessly once more.
        let (last_seq, rev) = self.store.find_end(room.id).await?;
        let unread = (last_seq.0 - read.0).clamp(0, MOST_UNREAD);
        let limit = PAGE.max(u32::try_from(unread).unwrap_or(PAGE) + 10);
        let messages = self
            .store
            .messages_before(room.id, Seq(i64::MAX), limit)
            .await?;
        let messages = fitting(messages);
        Ok(History {
            older: has_older(&messages),
            newer: false,
            rev,
            messages,
        })
    }

    /// The page of messages before `before`.
    pub async fn before(&self, room: &Room, before: Seq) -> Result<History> {
        let (last_seq, rev) = self.store.find_end(room.id).await?;
        let messages = self.store.messages_before(room.id, before, PAGE).await?;
        let messages = fitting(messages);
        let newer = messages.last().is_none_or(|last| last.seq < last_seq);
        Ok(History {
            older: has_older(&messages),
            newer,
            rev,
            messages,
        })
    }

    /// The page around the message `at`.
    ///
    /// # Errors
    /// `NotFound` when it is not there.
    pub async fn around(&self, room: &Room, at: Seq) -> Result<History> {
        let (last_seq, rev) = self.store.find_end(room.id).await?;
        if at > last_seq {
            return Err(Error::NotFound);
        }
        let mut messages = self.store.messages_before(room.id, at, PAGE / 2).await?;
        messages.extend(self.store.messages_from(room.id, at, PAGE / 2).await?);
        let newer = messages.last().is_some_and(|last| last.seq < last_seq);
        Ok(History {
            older: has_older(&messages),
            newer,
            rev,
            messages,
        })
    }

    /// What changed in the room after `rev`: up to 500 messages, or the newest page afresh
    /// (also for a `rev` that the room has not reached: the reader knows another past).
    /// Readers who ask the same while it waits for its turn get the same.
    pub async fn catch_up(&self, room: &Arc<Room>, rev: Rev) -> Result<Arc<Missed>> {
        let (chat, room, question) = (self.clone(), room.clone(), (room.id, rev));
        let find = async move {
            let floors = chat.floors(&room).await?;
            let found = chat.changes(&room, rev).await?;
            let shared = Shared::default();
            Ok(Arc::new(Missed {
                found,
                floors,
                shared,
            }))
        };
        self.missed.ask(question, find).await
    }

    async fn changes(&self, room: &Room, rev: Rev) -> Result<CatchUp> {
        let (_, end) = self.store.find_end(room.id).await?;
        if rev == end {
            return Ok(CatchUp::Changes(Vec::new()));
        }
        if rev > end {
            return Ok(CatchUp::Other(self.newest(room, Seq(i64::MAX)).await?));
        }
        let changed = self
            .store
            .messages_changed_after(room.id, rev, MOST_BEHIND + 1)
            .await?;
        let is_much = changed.len() > MOST_BEHIND as usize || size_of(&changed) > MOST_HTML;
        if is_much {
            return Ok(CatchUp::Afresh(self.newest(room, Seq(i64::MAX)).await?));
        }
        Ok(CatchUp::Changes(changed))
    }

    async fn write(&self, write: Write) -> Result<Arc<Message>> {
        match self.writer.write(write).await? {
            Written::Message(message) => Ok(message),
            Written::Receipts => Err(Error::Internal("a message came back as a receipt".into())),
        }
    }
}

fn size_of(messages: &[Message]) -> usize {
    messages.iter().map(size).sum()
}

/// What a message comes to as HTML, at most: a link stands there twice with its tag around it, signs of markup are
/// spelled out.
fn size(message: &Message) -> usize {
    let text = message.body.as_deref().unwrap_or_default();
    let signs = text.bytes().filter(|byte| b"<>&\"'/*_~`".contains(byte));
    AROUND + 2 * text.len() + 16 * signs.count() + 100 * text.matches("://").count()
}

/// The newest of `messages` that fit into one page; at least one.
fn fitting(mut messages: Vec<Message>) -> Vec<Message> {
    let mut room = MOST_HTML;
    let fits = messages.iter().rev().take_while(|message| {
        let size = size(message);
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    });
    let kept = fits.count().max(1).min(messages.len());
    messages.split_off(messages.len() - kept)
}

/// Places have no holes: there is something older exactly when the first shown is not the first.
fn has_older(messages: &[Message]) -> bool {
    messages.first().is_some_and(|first| first.seq > Seq(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::UnixMillis, ids::RoomId, records::Audience};

    fn message(body: &str) -> Message {
        Message {
            room: RoomId(1),
            seq: Seq(1),
            rev: Rev(1),
            author: Person {
                id: UserId(1),
                name: "ada".into(),
            },
            body: Some(body.into()),
            created: UnixMillis(0),
            edited: None,
            previous: None,
            audience: Audience::Nobody,
        }
    }

    #[test]
    fn a_page_holds_what_fits_as_html_and_at_least_one_message() {
        let short = vec![message("hello"); 500];
        assert!(
            size_of(&short) < MOST_HTML,
            "a whole catch-up of small talk"
        );
        for heavy in [
            "<".repeat(10_000),
            "http://a ".repeat(1_100),
            "é".repeat(10_000),
        ] {
            let kept = fitting(vec![message(&heavy); 200]);
            assert!(!kept.is_empty() && size_of(&kept) <= MOST_HTML && kept.len() < 200);
        }
    }
}
