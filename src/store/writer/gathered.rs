//! What a batch stores together: gathered while its plans are carried out, then written, with the floors it moves.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sea_orm::{ActiveValue::Set, DatabaseTransaction, EntityTrait};

use super::{Change, Committed, NewMessage, Written, floors, receipts, setback::Attempt};
use crate::{
    clock::UnixMillis,
    ids::{RoomId, Seq, UserId},
    records::{Audience, Floors, Message, Room},
    store::entity::message,
};

/// New messages, who wrote them, which rooms' floors may move, and what there is to tell.
#[derive(Default)]
pub(super) struct Gathered {
    inserts: Vec<message::ActiveModel>,
    wrote: BTreeMap<(RoomId, UserId), (Seq, Seq)>,
    touched: BTreeSet<RoomId>,
    committed: Vec<Committed>,
}

impl Gathered {
    /// A new message.
    pub fn post(&mut self, new: &NewMessage, message: Message, digest: String) -> Written {
        let span = self
            .wrote
            .entry((new.room.id, new.author.id))
            .or_insert((message.seq, message.seq));
        span.1 = message.seq;
        self.inserts.push(row(&message, new.key.clone(), digest));
        self.message(new.room.clone(), message, Change::Posted)
    }

    /// A message in its new state.
    pub fn message(&mut self, room: Arc<Room>, message: Message, change: Change) -> Written {
        let message = Arc::new(message);
        self.touched.insert(room.id);
        self.committed.push(Committed::Message {
            room,
            message: message.clone(),
            change,
            floors: Floors::default(),
        });
        Written::Message(message)
    }

    /// People who have read further.
    pub fn read(&mut self, room: RoomId, moved: BTreeMap<UserId, Seq>) {
        if !moved.is_empty() {
            self.touched.insert(room);
        }
        let moved = moved.into_iter().map(|(user, read_seq)| Committed::Read {
            room,
            user,
            read_seq,
        });
        self.committed.extend(moved);
    }

    /// Somebody who has marked messages as unread, if there was anything to mark.
    pub fn marked(&mut self, room: RoomId, user: UserId, seen_seq: Option<Seq>) {
        let marked = seen_seq.map(|seen_seq| Committed::Marked {
            room,
            user,
            seen_seq,
        });
        self.committed.extend(marked);
    }

    /// Rooms whose floors may have moved.
    pub fn touch(&mut self, rooms: impl Iterator<Item = RoomId>) {
        self.touched.extend(rooms);
    }

    /// Stores what was gathered; then the floors of every room it touched are known, and told where they moved.
    pub async fn store(
        mut self,
        tx: &DatabaseTransaction,
        known: &floors::Known,
        now: UnixMillis,
    ) -> Attempt<Vec<Committed>> {
        if !self.inserts.is_empty() {
            message::Entity::insert_many(self.inserts)
                .exec_without_returning(tx)
                .await?;
            receipts::move_authors(tx, self.wrote, now).await?;
        }
        for touched in self.touched {
            let now_at = floors::floors(tx, touched).await?;
            for committed in &mut self.committed {
                if let Committed::Message { room, floors, .. } = committed
                    && room.id == touched
                {
                    *floors = now_at;
                }
            }
            if known.differs(touched, now_at) {
                floors::keep_floor(tx, touched, now_at, now).await?;
                self.committed.push(Committed::FloorsMoved {
                    room: touched,
                    floors: now_at,
                    newest: floors::newest(tx, touched).await?,
                });
            }
        }
        Ok(self.committed)
    }
}

fn row(message: &Message, key: String, digest: String) -> message::ActiveModel {
    message::ActiveModel {
        room_id: Set(message.room.0),
        seq: Set(message.seq.0),
        rev: Set(message.rev.0),
        author_id: Set(message.author.id.0),
        body: Set(message.body.as_deref().map(Into::into)),
        key: Set(key),
        digest: Set(digest),
        has_audience: Set(message.audience > Audience::Nobody),
        counts_reads: Set(message.audience == Audience::Readers),
        created: Set(message.created.0),
        edited: Set(None),
        deleted: Set(None),
        previous_author_id: Set(message.previous.map(|previous| previous.author.0)),
        previous_created: Set(message.previous.map(|previous| previous.created.0)),
    }
}
