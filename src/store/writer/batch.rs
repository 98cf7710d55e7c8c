//! One transaction of the writer: plan what each write comes to, number what is new, store it, commit.
//!
//! The numbers are taken by [`numbers`](super::numbers). What each write comes to is found out by [`plan`](super::plan). Knows nothing of who waits for the answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sea_orm::{
    ActiveValue::Set, DatabaseTransaction, DbBackend, EntityTrait, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};

use super::{
    Change, Committed, NewMessage, Write, Written, floors, members,
    numbers::{End, numbered, take_numbers},
    plan::{Plan, plan},
    receipts,
};
use crate::{
    clock::UnixMillis,
    error::{Error, Result},
    ids::{Rev, RoomId, Seq, UserId},
    records::{Audience, Floors, Message, Room},
    store::{Store, entity::message, failure},
};

/// Commits `writes`; returns what each came to and the changes in order.
///
/// # Errors
/// Nothing was stored.
pub(super) async fn commit(
    store: &Store,
    now: UnixMillis,
    known: &mut floors::Known,
    writes: Vec<Write>,
) -> Result<(Vec<Result<Written>>, Vec<Committed>)> {
    let immediate = match store.write.get_database_backend() {
        DbBackend::Sqlite => Some(SqliteTransactionMode::Immediate),
        _ => None,
    };
    let options = TransactionOptions {
        sqlite_transaction_mode: immediate,
        ..Default::default()
    };
    let tx = store
        .write
        .begin_with_options(options)
        .await
        .map_err(failure)?;
    let plans = plan(&tx, writes).await?;
    let mut ends = take_numbers(&tx, now, &plans).await?;
    let marked = marked_rooms(&plans);
    let mut reads = reads_together(&plans, &marked);
    let silent = members::silent(&tx, authors(&plans)).await?;
    let mut results: Vec<Result<Written>> = Vec::with_capacity(plans.len());
    let mut batch = Batch::default();
    for plan in plans {
        let result = match plan {
            Plan::Settled(result) => result,
            Plan::Same(first) => match &results[first] {
                Ok(written) => Ok(written.clone()),
                Err(_) => Err(Error::Unavailable("its first copy was not stored".into())),
            },
            Plan::Post(new, digest) => {
                let end = ends.get_mut(&new.room.id).ok_or(Error::NotFound)?;
                let message = numbered(end, &new, !silent.contains(&new.author.id), now);
                Ok(batch.post(new, message, digest))
            }
            Plan::Edit(room, message, body) => {
                let end = ends.get_mut(&room.id).ok_or(Error::NotFound)?;
                let message = rewrite(&tx, end, message, Some(body), now).await?;
                Ok(batch.message(room, message, Change::Edited))
            }
            Plan::Delete(room, message) => {
                let end = ends.get_mut(&room.id).ok_or(Error::NotFound)?;
                let message = rewrite(&tx, end, message, None, now).await?;
                Ok(batch.message(room, message, Change::Deleted))
            }
            Plan::Read(room, user, seq) => {
                let readers = match reads.remove(&room) {
                    Some(together) => together,
                    None if marked.contains(&room) => BTreeMap::from([(user, seq)]),
                    None => BTreeMap::new(),
                };
                if !readers.is_empty() {
                    let moved = receipts::mark_read(&tx, room, &readers, now).await?;
                    batch.read(room, moved);
                }
                Ok(Written::Receipts)
            }
            Plan::Mark(room, user, seq) => {
                let seen_seq = receipts::mark_unread(&tx, room, user, seq, now).await?;
                let marked = seen_seq.map(|seen_seq| Committed::Marked {
                    room,
                    user,
                    seen_seq,
                });
                batch.committed.extend(marked);
                Ok(Written::Receipts)
            }
            Plan::Delivered(delivered) => {
                receipts::mark_delivered(&tx, &delivered, now).await?;
                batch
                    .touched
                    .extend(delivered.keys().map(|(room, _)| *room));
                Ok(Written::Receipts)
            }
        };
        results.push(result);
    }
    let committed = batch.finish(&tx, known, now).await?;
    tx.commit().await.map_err(failure)?;
    known.remember(&committed);
    Ok((results, committed))
}

/// What a batch writes besides the numbers: gathered while its plans are carried out.
#[derive(Default)]
struct Batch {
    inserts: Vec<message::ActiveModel>,
    wrote: BTreeMap<(RoomId, UserId), (Seq, Seq)>,
    touched: BTreeSet<RoomId>,
    committed: Vec<Committed>,
}

impl Batch {
    fn post(&mut self, new: NewMessage, message: Message, digest: String) -> Written {
        let span = self
            .wrote
            .entry((new.room.id, new.author.id))
            .or_insert((message.seq, message.seq));
        span.1 = message.seq;
        self.inserts.push(row(&message, new.key, digest));
        self.message(new.room, message, Change::Posted)
    }

    fn message(&mut self, room: Arc<Room>, message: Message, change: Change) -> Written {
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

    fn read(&mut self, room: RoomId, moved: BTreeMap<UserId, Seq>) {
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

    /// Stores what was gathered; then the floors of every room it touched are known, and told where they moved.
    async fn finish(
        mut self,
        tx: &DatabaseTransaction,
        known: &floors::Known,
        now: UnixMillis,
    ) -> Result<Vec<Committed>> {
        if !self.inserts.is_empty() {
            message::Entity::insert_many(self.inserts)
                .exec_without_returning(tx)
                .await
                .map_err(failure)?;
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

/// Who posts in this batch.
fn authors(plans: &[Plan]) -> BTreeSet<UserId> {
    let posts = plans.iter().filter_map(|plan| match plan {
        Plan::Post(new, _) => Some(new.author.id),
        _ => None,
    });
    posts.collect()
}

/// Rooms in which somebody marks messages as unread: there the order of things counts.
fn marked_rooms(plans: &[Plan]) -> BTreeSet<RoomId> {
    let marks = plans.iter().filter_map(|plan| match plan {
        Plan::Mark(room, ..) => Some(*room),
        _ => None,
    });
    marks.collect()
}

/// How far people read in the other rooms, each as far as they come in this batch.
fn reads_together(
    plans: &[Plan],
    marked: &BTreeSet<RoomId>,
) -> BTreeMap<RoomId, BTreeMap<UserId, Seq>> {
    let mut reads: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for plan in plans {
        if let Plan::Read(room, user, seq) = plan
            && !marked.contains(room)
        {
            let read: &mut Seq = reads.entry(*room).or_default().entry(*user).or_default();
            *read = (*read).max(*seq);
        }
    }
    reads
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

/// Gives a stored message its next state: another text, or none, with everything that could tell the text.
async fn rewrite(
    tx: &DatabaseTransaction,
    end: &mut End,
    message: Message,
    body: Option<String>,
    now: UnixMillis,
) -> Result<Message> {
    end.rev += 1;
    let edited = body.is_some().then_some(now);
    let mut row = message::ActiveModel {
        room_id: Set(message.room.0),
        seq: Set(message.seq.0),
        rev: Set(end.rev),
        body: Set(body.clone()),
        edited: Set(edited.map(|edited| edited.0)),
        ..Default::default()
    };
    if body.is_none() {
        (row.deleted, row.digest) = (Set(Some(now.0)), Set(String::new()));
    }
    message::Entity::update(row)
        .exec(tx)
        .await
        .map_err(failure)?;
    Ok(Message {
        rev: Rev(end.rev),
        body: body.map(Into::into),
        edited,
        ..message
    })
}
