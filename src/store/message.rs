//! Facts about messages, as pages, permalinks and catch-up read them. Always in the order of their places.

use sea_orm::FromQueryResult;

use super::{Store, failure, statement};
use crate::{
    clock::UnixMillis,
    error::Result,
    ids::{Rev, RoomId, Seq, UserId},
    records::{Audience, Message, Person, Previous},
};

/// A message with its author's name, as the statements below select it.
#[derive(FromQueryResult)]
pub(super) struct MessageRow {
    room_id: i64,
    seq: i64,
    rev: i64,
    author_id: i64,
    author_name: String,
    body: Option<String>,
    created: i64,
    edited: Option<i64>,
    previous_author_id: Option<i64>,
    previous_created: Option<i64>,
    has_audience: bool,
    counts_reads: bool,
}

/// What every reading of messages begins with.
pub(super) const SELECT: &str = "\
SELECT m.room_id, m.seq, m.rev, m.author_id, u.name AS author_name, m.body, m.created, m.edited,
  m.previous_author_id, m.previous_created, m.has_audience, m.counts_reads
FROM messages m JOIN users u ON u.id = m.author_id
WHERE m.room_id = $1 ";

/// Two columns, because the second came later and holds nothing alone.
pub(super) fn audience(has_audience: bool, counts_reads: bool) -> Audience {
    match (has_audience, counts_reads) {
        (false, _) => Audience::Nobody,
        (true, false) => Audience::Silent,
        (true, true) => Audience::Readers,
    }
}

impl Store {
    /// The newest `limit` messages that stand before `before`.
    pub async fn messages_before(
        &self,
        room: RoomId,
        before: Seq,
        limit: u32,
    ) -> Result<Vec<Message>> {
        let mut found = self
            .messages(
                room,
                "AND m.seq < $2 ORDER BY m.seq DESC LIMIT $3",
                before.0,
                limit,
            )
            .await?;
        found.reverse();
        Ok(found)
    }

    /// The first `limit` messages from `from` on.
    pub async fn messages_from(&self, room: RoomId, from: Seq, limit: u32) -> Result<Vec<Message>> {
        self.messages(
            room,
            "AND m.seq >= $2 ORDER BY m.seq LIMIT $3",
            from.0,
            limit,
        )
        .await
    }

    /// At most `limit` messages that were written after the room's change `rev`, in their present state.
    pub async fn messages_changed_after(
        &self,
        room: RoomId,
        rev: Rev,
        limit: u32,
    ) -> Result<Vec<Message>> {
        let mut found = self
            .messages(room, "AND m.rev > $2 ORDER BY m.rev LIMIT $3", rev.0, limit)
            .await?;
        found.sort_by_key(|message| message.seq);
        Ok(found)
    }

    /// One message.
    pub async fn find_message(&self, room: RoomId, seq: Seq) -> Result<Option<Message>> {
        Ok(self
            .messages(room, "AND m.seq = $2 LIMIT $3", seq.0, 1)
            .await?
            .pop())
    }

    async fn messages(
        &self,
        room: RoomId,
        rest: &str,
        position: i64,
        limit: u32,
    ) -> Result<Vec<Message>> {
        let values = [room.0.into(), position.into(), i64::from(limit).into()];
        let wanted = statement(&self.read, &format!("{SELECT}{rest}"), values);
        let rows = MessageRow::find_by_statement(wanted)
            .all(&self.read)
            .await
            .map_err(failure)?;
        Ok(rows.into_iter().map(MessageRow::message).collect())
    }
}

impl MessageRow {
    pub(super) fn message(self) -> Message {
        let previous = self.previous_author_id.zip(self.previous_created);
        Message {
            room: RoomId(self.room_id),
            seq: Seq(self.seq),
            rev: Rev(self.rev),
            author: Person {
                id: UserId(self.author_id),
                name: self.author_name.into(),
            },
            body: self.body.map(Into::into),
            created: UnixMillis(self.created),
            edited: self.edited.map(UnixMillis),
            previous: previous.map(|(author, created)| Previous {
                author: UserId(author),
                created: UnixMillis(created),
            }),
            audience: audience(self.has_audience, self.counts_reads),
        }
    }
}
