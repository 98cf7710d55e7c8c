//! One transaction of the writer: plan what each write comes to, number what is new, store it, commit.
//!
//! Numbers come from the room's own row (`UPDATE … RETURNING`), so they are without holes and in commit order on
//! both databases: whoever holds the row commits before anyone else can take the next number.
//!
//! What each write comes to is found out by [`plan`](super::plan). Knows nothing of who waits for the answer.

use std::{collections::BTreeMap, sync::Arc};

use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait,
    FromQueryResult, SqliteTransactionMode, TransactionOptions, TransactionTrait, Value,
};

use super::{
    Change, Committed, NewMessage, Write, Written,
    plan::{Plan, plan},
};
use crate::{
    clock::UnixMillis,
    error::{Error, Result},
    ids::{Rev, RoomId, Seq, UserId},
    records::{Message, Previous, Room},
    store::{Store, entity::message, failure, statement},
};

/// A room's end before this batch, moved along while its writes are numbered.
struct End {
    seq: i64,
    rev: i64,
    previous: Option<Previous>,
}

/// Commits `writes`; returns what each came to and the changes in order.
///
/// # Errors
/// Nothing was stored.
pub(super) async fn commit(
    store: &Store,
    now: UnixMillis,
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
    let mut results: Vec<Result<Written>> = Vec::with_capacity(plans.len());
    let mut committed = Vec::new();
    let mut inserts = Vec::new();
    let mut read = BTreeMap::new();
    for plan in plans {
        let result = match plan {
            Plan::Settled(result) => result,
            Plan::Same(first) => match &results[first] {
                Ok(written) => Ok(written.clone()),
                Err(_) => Err(Error::Unavailable("its first copy was not stored".into())),
            },
            Plan::Post(new, digest) => {
                let end = ends.get_mut(&new.room.id).ok_or(Error::NotFound)?;
                let message = numbered(end, &new, now);
                read.insert((new.room.id, new.author.id), message.seq);
                inserts.push(row(&message, new.key, digest));
                Ok(change(&mut committed, new.room, message, Change::Posted))
            }
            Plan::Edit(room, message, body) => {
                let end = ends.get_mut(&room.id).ok_or(Error::NotFound)?;
                let message = rewrite(&tx, end, message, Some(body), now).await?;
                Ok(change(&mut committed, room, message, Change::Edited))
            }
            Plan::Delete(room, message) => {
                let end = ends.get_mut(&room.id).ok_or(Error::NotFound)?;
                let message = rewrite(&tx, end, message, None, now).await?;
                Ok(change(&mut committed, room, message, Change::Deleted))
            }
            Plan::Read(room, user, seq) => {
                let read_seq = mark_read(&tx, &room, user, seq, now).await?;
                committed.extend(read_seq.map(|read_seq| Committed {
                    room,
                    change: Change::Read { user, read_seq },
                }));
                Ok(Written::Read)
            }
        };
        results.push(result);
    }
    if !inserts.is_empty() {
        message::Entity::insert_many(inserts)
            .exec_without_returning(&tx)
            .await
            .map_err(failure)?;
        move_authors(&tx, read, now).await?;
    }
    tx.commit().await.map_err(failure)?;
    Ok((results, committed))
}

fn change(
    committed: &mut Vec<Committed>,
    room: Arc<Room>,
    message: Message,
    kind: fn(Arc<Message>) -> Change,
) -> Written {
    let message = Arc::new(message);
    committed.push(Committed {
        room,
        change: kind(message.clone()),
    });
    Written::Message(message)
}

#[derive(FromQueryResult)]
struct Taken {
    last_seq: i64,
    last_rev: i64,
}

#[derive(FromQueryResult)]
struct Last {
    author_id: i64,
    created: i64,
}

/// Takes all numbers that the plans need, room by room in the order of their ids (so two nodes cannot deadlock).
async fn take_numbers(
    tx: &DatabaseTransaction,
    now: UnixMillis,
    plans: &[Plan],
) -> Result<BTreeMap<RoomId, End>> {
    let mut needs: BTreeMap<RoomId, (i64, i64)> = BTreeMap::new();
    for plan in plans {
        match plan {
            Plan::Post(new, _) => {
                let need = needs.entry(new.room.id).or_default();
                (need.0, need.1) = (need.0 + 1, need.1 + 1);
            }
            Plan::Edit(room, ..) | Plan::Delete(room, _) => {
                needs.entry(room.id).or_default().1 += 1
            }
            Plan::Settled(_) | Plan::Same(_) | Plan::Read(..) => {}
        }
    }
    let mut ends = BTreeMap::new();
    for (room, (posts, changes)) in needs {
        let sql = "UPDATE rooms SET last_seq = last_seq + $1, last_rev = last_rev + $2, changed = $3 WHERE id = $4 RETURNING last_seq, last_rev";
        let values = [posts.into(), changes.into(), now.0.into(), room.0.into()];
        let taken = Taken::find_by_statement(statement(tx, sql, values))
            .one(tx)
            .await
            .map_err(failure)?;
        let taken = taken.ok_or_else(|| Error::Internal(format!("room {room} has no row")))?;
        let seq = taken.last_seq - posts;
        let mut last = None;
        if posts > 0 && seq > 0 {
            let sql = "SELECT author_id, created FROM messages WHERE room_id = $1 AND seq = $2";
            let wanted = statement(tx, sql, [room.0.into(), seq.into()]);
            last = Last::find_by_statement(wanted)
                .one(tx)
                .await
                .map_err(failure)?;
        }
        let previous = last.map(|last| Previous {
            author: UserId(last.author_id),
            created: UnixMillis(last.created),
        });
        ends.insert(
            room,
            End {
                seq,
                rev: taken.last_rev - changes,
                previous,
            },
        );
    }
    Ok(ends)
}

fn numbered(end: &mut End, new: &NewMessage, now: UnixMillis) -> Message {
    (end.seq, end.rev) = (end.seq + 1, end.rev + 1);
    let previous = end.previous.replace(Previous {
        author: new.author.id,
        created: now,
    });
    Message {
        room: new.room.id,
        seq: Seq(end.seq),
        rev: Rev(end.rev),
        author: new.author.clone(),
        body: Some(new.body.as_str().into()),
        created: now,
        edited: None,
        previous,
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

const UPSERT: &str = "\
ON CONFLICT (room_id, user_id) DO UPDATE SET
  joined = COALESCE(memberships.joined, excluded.joined),
  delivered_seq = CASE WHEN excluded.delivered_seq > memberships.delivered_seq THEN excluded.delivered_seq ELSE memberships.delivered_seq END,
  read_seq = CASE WHEN excluded.read_seq > memberships.read_seq THEN excluded.read_seq ELSE memberships.read_seq END,
  changed = excluded.changed";

/// Who writes at a room's end has read it.
async fn move_authors(
    tx: &DatabaseTransaction,
    read: BTreeMap<(RoomId, UserId), Seq>,
    now: UnixMillis,
) -> Result<()> {
    let mut values: Vec<Value> = vec![now.0.into()];
    let mut tuples = Vec::with_capacity(read.len());
    for ((room, user), seq) in read {
        let n = values.len();
        tuples.push(format!(
            "(${}, ${}, $1, ${}, ${}, $1)",
            n + 1,
            n + 2,
            n + 3,
            n + 3
        ));
        values.extend([room.0.into(), user.0.into(), seq.0.into()]);
    }
    let sql = format!(
        "INSERT INTO memberships (room_id, user_id, joined, delivered_seq, read_seq, changed) VALUES {} {UPSERT}",
        tuples.join(", ")
    );
    tx.execute_raw(statement(tx, &sql, values))
        .await
        .map_err(failure)?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Moved {
    read_seq: i64,
}

/// Moves one watermark forward, at most to the room's end; `None` when it already stood there.
async fn mark_read(
    tx: &DatabaseTransaction,
    room: &Room,
    user: UserId,
    seq: Seq,
    now: UnixMillis,
) -> Result<Option<Seq>> {
    let sql = format!(
        "INSERT INTO memberships (room_id, user_id, joined, delivered_seq, read_seq, changed)
         SELECT id, $2, $4, CASE WHEN $3 > last_seq THEN last_seq ELSE $3 END, CASE WHEN $3 > last_seq THEN last_seq ELSE $3 END, $4
         FROM rooms WHERE id = $1
         {UPSERT} WHERE excluded.read_seq > memberships.read_seq OR memberships.joined IS NULL
         RETURNING read_seq"
    );
    let values = [room.id.0.into(), user.0.into(), seq.0.into(), now.0.into()];
    let moved = Moved::find_by_statement(statement(tx, &sql, values))
        .one(tx)
        .await
        .map_err(failure)?;
    Ok(moved.map(|row| Seq(row.read_seq)))
}
