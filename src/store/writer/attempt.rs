//! From writes to a commit: attempts, until one is committed or it is clear that none will be.
//!
//! On PostgreSQL other nodes write to the same rooms. A transaction first locks every room that it concerns, in the
//! order of their ids, so that two never wait for each other, and each sees all that the ones before it did to the
//! room: its numbers, its floors, the keys in it. What can still collide (the same key in two rooms) is tried again.

use std::{collections::BTreeSet, time::Duration};

use sea_orm::{DatabaseTransaction, DbErr, FromQueryResult};
use tokio::time::timeout;

use super::{
    Write,
    batch::{Done, carry_out},
    floors,
    setback::{Attempt, Setback},
};
use crate::{
    clock::UnixMillis,
    error::Error,
    ids::RoomId,
    store::{Cause, Store, failure, is_refused, postgres::TIMELINE, stamp::on_server, statement},
};

/// How often a batch is tried in which other nodes get in the way.
const ATTEMPTS: u32 = 8;
/// How long all attempts may take together on a server; callers wait for 10 s.
const WHOLE: Duration = Duration::from_secs(6);
/// How long everything but the commit may take on a disk that hardly answers.
const ALONE: Duration = Duration::from_secs(15);
/// How long a server may take to commit.
const COMMIT: Duration = Duration::from_secs(3);

/// What became of a batch.
pub(super) enum Outcome {
    /// It is on the disk.
    Committed(Done),
    /// Nothing of it was stored.
    Nothing(Error),
    /// The answer to the commit was lost: the server knows what became of this transaction.
    Doubtful(Done, Option<Transaction>),
}

/// A transaction by which its server finds it again.
#[derive(Debug, Clone)]
pub(super) struct Transaction {
    /// Its number. Another server may give the same to another transaction.
    pub id: i64,
    /// The server's timeline, if it has such.
    pub timeline: Option<String>,
    /// The rooms that it holds, as a list in one text.
    pub rooms: String,
}

/// Commits `writes`, or finds out why not, and notes what that says of the database.
pub(super) async fn commit(store: &Store, known: &floors::Known, writes: &[Write]) -> Outcome {
    let (outcome, cause) = match store.is_shared() {
        true => commit_on_server(store, known, writes).await,
        false => commit_to_file(store, known, writes).await,
    };
    match (&outcome, cause) {
        (Outcome::Committed(_), _) => store.health.wrote(),
        (_, Some(cause)) => store.health.not_written(cause),
        (_, None) => {}
    }
    outcome
}

/// What became of a batch, and what a failure says of the database.
type Judged = (Outcome, Option<Cause>);

async fn commit_to_file(store: &Store, known: &floors::Known, writes: &[Write]) -> Judged {
    // What is written into a file that has no name any more, or another one, is not there after the next start.
    if store.is_in_place().is_err() {
        let err = Error::Unavailable("the database file was moved away or replaced".into());
        return (Outcome::Nothing(err), None);
    }
    match timeout(ALONE, attempt(store, known, writes)).await {
        Ok(Ok((tx, done, _))) => match tx.commit().await {
            Ok(()) => (Outcome::Committed(done), None),
            Err(err) => not_committed(err),
        },
        Ok(Err(Setback::Failed(err, cause))) => (Outcome::Nothing(err), cause),
        Ok(Err(Setback::Rival(words))) => (Outcome::Nothing(Error::Internal(words)), None),
        Err(_) => unanswered(),
    }
}

async fn commit_on_server(store: &Store, known: &floors::Known, writes: &[Write]) -> Judged {
    match timeout(WHOLE, attempts(store, known, writes)).await {
        Ok(Ok((tx, done, transaction))) => match timeout(COMMIT, tx.commit()).await {
            Ok(Ok(())) => (Outcome::Committed(done), None),
            Ok(Err(err)) if is_refused(&err) => not_committed(err),
            Ok(Err(err)) => (Outcome::Doubtful(done, transaction), Cause::of(&err)),
            Err(_) => (Outcome::Doubtful(done, transaction), Some(Cause::NoAnswer)),
        },
        Ok(Err((err, cause))) => (Outcome::Nothing(err), cause),
        Err(_) => unanswered(),
    }
}

fn unanswered() -> Judged {
    let err = Error::Unavailable("the database does not answer".into());
    (Outcome::Nothing(err), Some(Cause::NoAnswer))
}

fn not_committed(err: DbErr) -> Judged {
    let cause = Cause::of(&err);
    (Outcome::Nothing(failure(err)), cause)
}

/// A transaction in which everything is done, and how it is found again.
type Prepared = (DatabaseTransaction, Done, Option<Transaction>);

async fn attempts(
    store: &Store,
    known: &floors::Known,
    writes: &[Write],
) -> Result<Prepared, (Error, Option<Cause>)> {
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        match attempt(store, known, writes).await {
            Ok(prepared) => return Ok(prepared),
            Err(Setback::Failed(err, cause)) => return Err((err, cause)),
            Err(Setback::Rival(words)) => {
                tracing::debug!(error = words, "another node was faster");
                last = words;
            }
        }
    }
    Err((Error::Unavailable(last), None))
}

async fn attempt(store: &Store, known: &floors::Known, writes: &[Write]) -> Attempt<Prepared> {
    let tx = store.write.begin_plain().await?;
    let locked = match store.is_shared() {
        true => lock_rooms(store, &tx, writes).await?,
        false => None,
    };
    // On SQLite nobody else can commit before this does.
    let (now, transaction) = match locked {
        Some((now, transaction)) => (now, Some(transaction)),
        None => (store.stamp(&tx).await?, None),
    };
    let done = carry_out(&tx, now, known, writes).await?;
    Ok((tx, done, transaction))
}

#[derive(FromQueryResult)]
struct LockedRow {
    transaction_id: i64,
    timeline: Option<String>,
    at: i64,
}

/// Locks every room that the writes concern; returns its stamp, and how the transaction is found again. Because rows are locked it
/// writes to the server's log, also when nothing else is stored, so that its commit waits for a synchronous standby: a
/// message that is already there is acknowledged again only when it is there, too.
async fn lock_rooms(
    store: &Store,
    tx: &DatabaseTransaction,
    writes: &[Write],
) -> Attempt<Option<(UnixMillis, Transaction)>> {
    let rooms: BTreeSet<RoomId> = writes.iter().flat_map(rooms).collect();
    let rooms: Vec<_> = rooms.iter().map(RoomId::to_string).collect();
    let rooms = rooms.join(",");
    let timeline = if store.has_timelines() {
        TIMELINE
    } else {
        "NULL"
    };
    let stamp = on_server();
    // A list in one text, so that batches of all sizes share one prepared statement.
    let sql = format!(
        "SELECT txid_current() AS transaction_id, CAST({timeline} AS TEXT) AS timeline, {stamp} AS at FROM rooms \
        WHERE id = ANY (CAST(string_to_array($2, ',') AS BIGINT[])) ORDER BY id FOR UPDATE"
    );
    let wanted = statement(tx, &sql, [store.stamps.fixed(), rooms.as_str().into()]);
    let locked = LockedRow::find_by_statement(wanted).all(tx).await?;
    let last = locked.into_iter().max_by_key(|row| row.at);
    Ok(last.map(|row| {
        let transaction = Transaction {
            id: row.transaction_id,
            timeline: row.timeline,
            rooms,
        };
        (UnixMillis(row.at), transaction)
    }))
}

/// The rooms that a write concerns.
fn rooms(write: &Write) -> Vec<RoomId> {
    match write {
        Write::Post(new) => vec![new.room.id],
        Write::Edit { room, .. } | Write::Delete { room, .. } => vec![room.id],
        Write::Read { room, .. } | Write::Mark { room, .. } => vec![*room],
        Write::Delivered(delivered) => delivered.keys().map(|(room, _)| *room).collect(),
    }
}
