//! One transaction of the writer: lock the rooms, plan what each write comes to, number what is new, store it.
//!
//! The numbers are taken by [`numbers`](super::numbers). What each write comes to is found out by [`plan`](super::plan),
//! and kept for its rooms by [`gathered`](super::gathered). Knows nothing of who waits for the answer, and does not
//! commit: that is [`attempt`](super::attempt)'s.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ActiveValue::Set, DatabaseTransaction, EntityTrait};

use super::{
    Change, Committed, Write, Written, floors,
    gathered::Gathered,
    members,
    numbers::{End, numbered, take_numbers},
    plan::{Plan, plan},
    receipts,
    setback::Attempt,
};
use crate::{
    clock::UnixMillis,
    error::{Error, Result},
    ids::{Rev, RoomId, Seq, UserId},
    records::Message,
    store::entity::message,
};

/// What each write came to, and the changes in order; true once the transaction is committed.
#[derive(Debug)]
pub(super) struct Done {
    pub results: Vec<Result<Written>>,
    pub committed: Vec<Committed>,
}

/// Carries out `writes`, whose rooms nobody else can change until this transaction ends.
pub(super) async fn carry_out(
    tx: &DatabaseTransaction,
    now: UnixMillis,
    known: &floors::Known,
    writes: &[Write],
) -> Attempt<Done> {
    let plans = plan(tx, writes).await?;
    let mut ends = take_numbers(tx, now, &plans).await?;
    let marked = marked_rooms(&plans);
    let mut reads = reads_together(&plans, &marked);
    let silent = members::silent(tx, authors(&plans)).await?;
    let mut results: Vec<Result<Written>> = Vec::with_capacity(plans.len());
    let mut gathered = Gathered::default();
    for plan in plans {
        let result = match plan {
            Plan::Settled(result) => result,
            Plan::Same(first) => match &results[first] {
                Ok(written) => Ok(written.clone()),
                Err(_) => Err(Error::Unavailable("its first copy was not stored".into())),
            },
            Plan::Post(new, digest) => {
                let end = ends.get_mut(&new.room.id).ok_or(Error::NotFound)?;
                let message = numbered(end, new, !silent.contains(&new.author.id));
                Ok(gathered.post(new, message, digest))
            }
            Plan::Edit(room, message, body) => {
                let end = ends.get_mut(&room.id).ok_or(Error::NotFound)?;
                let message = rewrite(tx, end, message, Some(body.to_owned())).await?;
                Ok(gathered.message(room.clone(), message, Change::Edited))
            }
            Plan::Delete(room, message) => {
                let end = ends.get_mut(&room.id).ok_or(Error::NotFound)?;
                let message = rewrite(tx, end, message, None).await?;
                Ok(gathered.message(room.clone(), message, Change::Deleted))
            }
            Plan::Read(room, user, seq) => {
                let readers = match reads.remove(&room) {
                    Some(together) => together,
                    None if marked.contains(&room) => BTreeMap::from([(user, seq)]),
                    None => BTreeMap::new(),
                };
                if !readers.is_empty() {
                    let moved = receipts::mark_read(tx, room, &readers, now).await?;
                    gathered.read(room, moved);
                }
                Ok(Written::Receipts)
            }
            Plan::Mark(room, user, seq) => {
                let seen_seq = receipts::mark_unread(tx, room, user, seq, now).await?;
                gathered.marked(room, user, seen_seq);
                Ok(Written::Receipts)
            }
            Plan::Delivered(delivered) => {
                receipts::mark_delivered(tx, delivered, now).await?;
                gathered.touch(delivered.keys().map(|(room, _)| *room));
                Ok(Written::Receipts)
            }
        };
        results.push(result);
    }
    let committed = gathered.store(tx, known, now).await?;
    Ok(Done { results, committed })
}

/// Who posts in this batch.
fn authors(plans: &[Plan<'_>]) -> BTreeSet<UserId> {
    let posts = plans.iter().filter_map(|plan| match plan {
        Plan::Post(new, _) => Some(new.author.id),
        _ => None,
    });
    posts.collect()
}

/// Rooms in which somebody marks messages as unread: there the order of things counts.
fn marked_rooms(plans: &[Plan<'_>]) -> BTreeSet<RoomId> {
    let marks = plans.iter().filter_map(|plan| match plan {
        Plan::Mark(room, ..) => Some(*room),
        _ => None,
    });
    marks.collect()
}

/// How far people read in the other rooms, each as far as they come in this batch.
fn reads_together(
    plans: &[Plan<'_>],
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

/// Gives a stored message its next state: another text, or none, with everything that could tell the text.
async fn rewrite(
    tx: &DatabaseTransaction,
    end: &mut End,
    message: Message,
    body: Option<String>,
) -> Attempt<Message> {
    end.rev += 1;
    let edited = body.is_some().then_some(end.at);
    let mut row = message::ActiveModel {
        room_id: Set(message.room.0),
        seq: Set(message.seq.0),
        rev: Set(end.rev),
        body: Set(body.clone()),
        edited: Set(edited.map(|edited| edited.0)),
        ..Default::default()
    };
    if body.is_none() {
        (row.deleted, row.digest) = (Set(Some(end.at.0)), Set(String::new()));
    }
    message::Entity::update(row).exec(tx).await?;
    Ok(Message {
        rev: Rev(end.rev),
        body: body.map(Into::into),
        edited,
        ..message
    })
}
