//! What each write of a batch comes to, found out before anything is written: it is new, it repeats
//! another, or it is refused. It only reads, and knows no numbers.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use sea_orm::{DatabaseTransaction, FromQueryResult, Value};
use sha2::{Digest, Sha256};

use super::{NewMessage, Write, Written, setback::Attempt};
use crate::{
    error::{Error, Result},
    ids::{RoomId, Seq, UserId},
    records::{Message, Room},
    store::{
        message::{MessageRow, SELECT},
        session::hex,
        statement,
    },
};

/// What a write will come to, known before anything is written.
pub(super) enum Plan<'a> {
    /// It changes nothing: the answer is already known.
    Settled(Result<Written>),
    /// It repeats the post at this index of the same batch.
    Same(usize),
    Post(&'a NewMessage, String),
    Edit(&'a Arc<Room>, Message, &'a str),
    Delete(&'a Arc<Room>, Message),
    Read(RoomId, UserId, Seq),
    Mark(RoomId, UserId, Seq),
    Delivered(&'a BTreeMap<(RoomId, UserId), Seq>),
}

/// What each of `writes` will come to, in their order; a post that stands twice among them is written once.
///
/// # Errors
/// The database could not be asked.
pub(super) async fn plan<'a>(
    tx: &DatabaseTransaction,
    writes: &'a [Write],
) -> Attempt<Vec<Plan<'a>>> {
    let known = known_keys(tx, writes).await?;
    let mut firsts: HashMap<(UserId, &str), (usize, RoomId, String)> = HashMap::new();
    let mut deleted = HashSet::new();
    let mut plans = Vec::with_capacity(writes.len());
    for (index, write) in writes.iter().enumerate() {
        plans.push(match write {
            Write::Post(new) => {
                let digest = digest(&new.body);
                let key = (new.author.id, new.key.as_str());
                if let Some(stored) = known.get(&(key.0, key.1.to_owned())) {
                    Plan::Settled(repeated(tx, stored, new, &digest).await?)
                } else if let Some((first, room, same)) = firsts.get(&key) {
                    match *room == new.room.id && *same == digest {
                        true => Plan::Same(*first),
                        false => Plan::Settled(Err(OTHER_MESSAGE)),
                    }
                } else {
                    firsts.insert(key, (index, new.room.id, digest.clone()));
                    Plan::Post(new, digest)
                }
            }
            Write::Edit {
                room,
                seq,
                author,
                body,
            } => match find(tx, room.id, *seq).await? {
                Some(message) if message.author.id != *author || message.body.is_none() => {
                    Plan::Settled(Err(Error::NotFound))
                }
                Some(_) if deleted.contains(&(room.id, *seq)) => {
                    Plan::Settled(Err(Error::NotFound))
                }
                Some(message) if message.body.as_deref() == Some(body.as_str()) => {
                    Plan::Settled(Ok(Written::Message(Arc::new(message))))
                }
                Some(message) => Plan::Edit(room, message, body),
                None => Plan::Settled(Err(Error::NotFound)),
            },
            Write::Delete { room, seq, author } => match find(tx, room.id, *seq).await? {
                Some(message) if message.author.id != *author => {
                    Plan::Settled(Err(Error::NotFound))
                }
                Some(message) if message.body.is_none() || !deleted.insert((room.id, *seq)) => {
                    Plan::Settled(Ok(Written::Message(Arc::new(message))))
                }
                Some(message) => Plan::Delete(room, message),
                None => Plan::Settled(Err(Error::NotFound)),
            },
            Write::Read { room, user, seq } => Plan::Read(*room, *user, *seq),
            Write::Mark { room, user, seq } => Plan::Mark(*room, *user, *seq),
            Write::Delivered(delivered) => Plan::Delivered(delivered),
        });
    }
    Ok(plans)
}

const OTHER_MESSAGE: Error = Error::Conflict {
    words: "This key already belongs to another message.",
};

/// A stored post, as far as telling a retry from a mistake needs it.
#[derive(FromQueryResult)]
struct Known {
    author_id: i64,
    key: String,
    room_id: i64,
    seq: i64,
    digest: String,
}

/// The stored posts whose keys the posts among `writes` bear.
async fn known_keys(
    tx: &DatabaseTransaction,
    writes: &[Write],
) -> Attempt<HashMap<(UserId, String), Known>> {
    let mut values: Vec<Value> = Vec::new();
    for write in writes {
        if let Write::Post(new) = write {
            values.extend([new.author.id.0.into(), new.key.clone().into()]);
        }
    }
    if values.is_empty() {
        return Ok(HashMap::new());
    }
    let pairs: Vec<String> = (0..values.len() / 2)
        .map(|i| format!("(${}, ${})", 2 * i + 1, 2 * i + 2))
        .collect();
    let sql = format!(
        "SELECT author_id, key, room_id, seq, digest FROM messages WHERE (author_id, key) IN (VALUES {})",
        pairs.join(", ")
    );
    let rows = Known::find_by_statement(statement(tx, &sql, values))
        .all(tx)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| ((UserId(row.author_id), row.key.clone()), row))
        .collect())
}

/// A post whose key is stored already: the same message again, or a mistake of the client's.
async fn repeated(
    tx: &DatabaseTransaction,
    stored: &Known,
    new: &NewMessage,
    digest: &str,
) -> Attempt<Result<Written>> {
    // A deleted message keeps no digest of its text, so any retry of its key is taken for the same one.
    let same =
        stored.room_id == new.room.id.0 && (stored.digest == digest || stored.digest.is_empty());
    if !same {
        return Ok(Err(OTHER_MESSAGE));
    }
    let message = find(tx, new.room.id, Seq(stored.seq))
        .await?
        .ok_or(Error::NotFound)?;
    Ok(Ok(Written::Message(Arc::new(message))))
}

async fn find(tx: &DatabaseTransaction, room: RoomId, seq: Seq) -> Attempt<Option<Message>> {
    let wanted = statement(
        tx,
        &format!("{SELECT} AND m.seq = $2"),
        [room.0.into(), seq.0.into()],
    );
    Ok(MessageRow::find_by_statement(wanted)
        .one(tx)
        .await?
        .map(MessageRow::message))
}

fn digest(body: &str) -> String {
    hex(&Sha256::digest(body.as_bytes())[..16])
}
