//! The watermarks of a batch: who has read and received how far.
//!
//! They never fall and never pass the room's end. Who joins a room starts at its end: so the floors do not fall
//! when somebody joins, and nobody counts as having read what came before them. How far everybody has read is kept
//! with the room, because whoever begins to send read receipts may be behind.

use std::{collections::BTreeMap, sync::LazyLock};

use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult, Value};

use super::setback::Attempt;
use crate::{
    clock::UnixMillis,
    ids::{RoomId, Seq, UserId},
    store::{statement, trail},
};

/// How many people one statement reaches at most.
const TOGETHER: usize = 500;

/// Whether somebody sends read receipts is repeated here, for the index of those who do.
const INSERT: &str = "INSERT INTO memberships \
    (room_id, user_id, joined, joined_seq, delivered_seq, read_seq, delivered_trail, read_trail, changed, sends_receipts) VALUES";

/// One person's values for [`INSERT`], by the numbers of the parameters.
fn values_at(
    room: usize,
    user: usize,
    now: usize,
    joined: usize,
    read: usize,
    step: usize,
) -> String {
    format!(
        "(${room}, ${user}, ${now}, ${joined}, ${read}, ${read}, ${step}, ${step}, ${now}, \
         (SELECT u.sends_receipts FROM users u WHERE u.id = ${user}))"
    )
}

/// Whoever reads or writes has nothing marked as unread any more.
static UPSERT: LazyLock<String> = LazyLock::new(|| {
    let higher = |column: &str, then: &str| {
        format!("CASE WHEN excluded.{column} > memberships.{column} THEN {then} ELSE memberships.")
    };
    let [delivered, read] = [
        trail::delivered("excluded.delivered_trail"),
        trail::read("excluded.read_trail"),
    ];
    format!(
        "ON CONFLICT (room_id, user_id) DO UPDATE SET \
         joined_seq = CASE WHEN memberships.joined IS NULL THEN excluded.joined_seq ELSE memberships.joined_seq END, \
         joined = COALESCE(memberships.joined, excluded.joined), \
         delivered_trail = {}delivered_trail END, \
         read_trail = {}read_trail END, \
         delivered_seq = {}delivered_seq END, \
         read_seq = {}read_seq END, \
         sends_receipts = excluded.sends_receipts, marked_seq = NULL, changed = excluded.changed",
        higher("delivered_seq", &delivered),
        higher("read_seq", &read),
        higher("delivered_seq", "excluded.delivered_seq"),
        higher("read_seq", "excluded.read_seq"),
    )
});

/// Who writes at a room's end has read it: from the first to the last of their messages in this batch.
pub(super) async fn move_authors(
    tx: &DatabaseTransaction,
    wrote: BTreeMap<(RoomId, UserId), (Seq, Seq)>,
    now: UnixMillis,
) -> Attempt<()> {
    let mut values: Vec<Value> = vec![now.0.into()];
    let mut tuples = Vec::with_capacity(wrote.len());
    for ((room, user), (first, last)) in wrote {
        let n = values.len();
        tuples.push(values_at(n + 1, n + 2, 1, n + 3, n + 4, n + 5));
        values.extend([
            room.0.into(),
            user.0.into(),
            (first.0 - 1).into(),
            last.0.into(),
            trail::step(last, now).into(),
        ]);
    }
    let sql = format!("{INSERT} {} {}", tuples.join(", "), *UPSERT);
    tx.execute_raw(statement(tx, &sql, values)).await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Before {
    user_id: i64,
    last_seq: i64,
    joined: Option<i64>,
    read_seq: Option<i64>,
    marked_seq: Option<i64>,
}

impl Before {
    /// How far the person has read once they have read up to `seq`; `None` when that is no news.
    /// Whoever comes for the first time has everything before them behind them.
    fn after(&self, seq: Seq) -> Option<i64> {
        let known = self.read_seq.unwrap_or(0);
        let read = match self.joined {
            Some(_) => seq.0.min(self.last_seq).max(known),
            None => self.last_seq,
        };
        let is_known = self.joined.is_some() && known == read && self.marked_seq.is_none();
        (!is_known).then_some(read)
    }
}

/// Moves people's watermarks forward in one room, at most to its end; returns those that moved, or where something
/// was marked as unread. Who reads together shares the statements.
pub(super) async fn mark_read(
    tx: &DatabaseTransaction,
    room: RoomId,
    readers: &BTreeMap<UserId, Seq>,
    now: UnixMillis,
) -> Attempt<BTreeMap<UserId, Seq>> {
    let places: Vec<String> = (0..readers.len()).map(|i| format!("${}", i + 2)).collect();
    let sql = format!(
        "SELECT u.id AS user_id, r.last_seq, ms.joined, ms.read_seq, ms.marked_seq FROM rooms r \
         JOIN users u ON u.id IN ({}) \
         LEFT JOIN memberships ms ON ms.room_id = r.id AND ms.user_id = u.id WHERE r.id = $1",
        places.join(", ")
    );
    let who = readers.keys().map(|user| Value::from(user.0));
    let values = [room.0.into()].into_iter().chain(who);
    let before = Before::find_by_statement(statement(tx, &sql, values))
        .all(tx)
        .await?;
    let (mut moved, mut tuples) = (BTreeMap::new(), Vec::new());
    let mut values: Vec<Value> = vec![room.0.into(), now.0.into()];
    for before in before {
        let user = UserId(before.user_id);
        let Some(read) = readers.get(&user).and_then(|seq| before.after(*seq)) else {
            continue;
        };
        let n = values.len();
        tuples.push(values_at(1, n + 1, 2, n + 2, n + 3, n + 4));
        values.extend([
            user.0.into(),
            before.last_seq.into(),
            read.into(),
            trail::step(Seq(read), now).into(),
        ]);
        moved.insert(user, Seq(read));
    }
    if !tuples.is_empty() {
        let sql = format!("{INSERT} {} {}", tuples.join(", "), *UPSERT);
        tx.execute_raw(statement(tx, &sql, values)).await?;
    }
    Ok(moved)
}

#[derive(FromQueryResult)]
struct Marked {
    marked_seq: i64,
}

/// Marks what is behind `seq` as unread for this person alone: receipts stay as they are. What is unread anyway stays
/// so. `None` for whoever has nothing to mark, never having been in the room.
pub(super) async fn mark_unread(
    tx: &DatabaseTransaction,
    room: RoomId,
    user: UserId,
    seq: Seq,
    now: UnixMillis,
) -> Attempt<Option<Seq>> {
    let sql = "UPDATE memberships SET changed = $4, \
        marked_seq = CASE WHEN COALESCE(marked_seq, read_seq) < $3 THEN COALESCE(marked_seq, read_seq) ELSE $3 END \
        WHERE room_id = $1 AND user_id = $2 RETURNING marked_seq";
    let values = [room.0.into(), user.0.into(), seq.0.into(), now.0.into()];
    let marked = Marked::find_by_statement(statement(tx, sql, values))
        .one(tx)
        .await?;
    Ok(marked.map(|marked| Seq(marked.marked_seq)))
}

/// Notes that clients of members have received messages. Who is no member is passed over.
/// Those who were reached at the same place share a statement: in a busy room that is everybody.
pub(super) async fn mark_delivered(
    tx: &DatabaseTransaction,
    delivered: &BTreeMap<(RoomId, UserId), Seq>,
    now: UnixMillis,
) -> Attempt<()> {
    let mut reached: BTreeMap<(RoomId, Seq), Vec<UserId>> = BTreeMap::new();
    for ((room, user), seq) in delivered {
        reached.entry((*room, *seq)).or_default().push(*user);
    }
    let trail = trail::delivered("$3");
    for ((room, seq), users) in &reached {
        for users in users.chunks(TOGETHER) {
            let places: Vec<String> = (0..users.len()).map(|i| format!("${}", i + 4)).collect();
            let sql = format!(
                "UPDATE memberships SET delivered_seq = $2, delivered_trail = {trail} \
                 WHERE room_id = $1 AND user_id IN ({}) AND joined IS NOT NULL AND delivered_seq < $2",
                places.join(", ")
            );
            let mut values: Vec<Value> =
                vec![room.0.into(), seq.0.into(), trail::step(*seq, now).into()];
            values.extend(users.iter().map(|user| Value::from(user.0)));
            tx.execute_raw(statement(tx, &sql, values)).await?;
        }
    }
    Ok(())
}
