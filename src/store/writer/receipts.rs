//! The watermarks of a batch: who has read and received how far, and how far everybody has.
//!
//! They never fall and never pass the room's end. Who joins a room starts at its end: so the floors do not fall
//! when somebody joins, and nobody counts as having read what came before them.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult, Value};

use super::Committed;
use crate::{
    clock::UnixMillis,
    error::{Error, Result},
    ids::{RoomId, Seq, UserId},
    records::{Floors, Newest},
    store::{failure, statement},
};

/// How many rooms' floors are remembered, to tell whether they moved; then all are forgotten.
const REMEMBERED: usize = 10_000;

/// The floors that were last made known, by room.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<RoomId, Floors>);

impl Known {
    /// Whether these floors are news.
    pub fn differs(&self, room: RoomId, floors: Floors) -> bool {
        self.0.get(&room) != Some(&floors)
    }

    /// Remembers what was committed and is about to be told.
    pub fn remember(&mut self, committed: &[Committed]) {
        for committed in committed {
            if let Committed::FloorsMoved { room, floors, .. } = committed {
                if self.0.len() >= REMEMBERED {
                    self.0.clear();
                }
                self.0.insert(*room, *floors);
            }
        }
    }
}

const INSERT: &str = "INSERT INTO memberships \
    (room_id, user_id, joined, joined_seq, delivered_seq, read_seq, changed) VALUES";

const UPSERT: &str = "\
ON CONFLICT (room_id, user_id) DO UPDATE SET
  joined_seq = CASE WHEN memberships.joined IS NULL THEN excluded.joined_seq ELSE memberships.joined_seq END,
  joined = COALESCE(memberships.joined, excluded.joined),
  delivered_seq = CASE WHEN excluded.delivered_seq > memberships.delivered_seq THEN excluded.delivered_seq ELSE memberships.delivered_seq END,
  read_seq = CASE WHEN excluded.read_seq > memberships.read_seq THEN excluded.read_seq ELSE memberships.read_seq END,
  changed = excluded.changed";

/// Who writes at a room's end has read it: from the first to the last of their messages in this batch.
pub(super) async fn move_authors(
    tx: &DatabaseTransaction,
    wrote: BTreeMap<(RoomId, UserId), (Seq, Seq)>,
    now: UnixMillis,
) -> Result<()> {
    let mut values: Vec<Value> = vec![now.0.into()];
    let mut tuples = Vec::with_capacity(wrote.len());
    for ((room, user), (first, last)) in wrote {
        let n = values.len();
        let [room_at, user_at, joined_at, last_at] = [n + 1, n + 2, n + 3, n + 4];
        tuples.push(format!(
            "(${room_at}, ${user_at}, $1, ${joined_at}, ${last_at}, ${last_at}, $1)"
        ));
        values.extend([
            room.0.into(),
            user.0.into(),
            (first.0 - 1).into(),
            last.0.into(),
        ]);
    }
    let sql = format!("{INSERT} {} {UPSERT}", tuples.join(", "));
    tx.execute_raw(statement(tx, &sql, values))
        .await
        .map_err(failure)?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Before {
    last_seq: i64,
    joined: Option<i64>,
    read_seq: Option<i64>,
}

/// Moves one person's watermark forward, at most to the room's end; `None` when it already stood there.
/// Whoever comes for the first time has everything before them behind them.
pub(super) async fn mark_read(
    tx: &DatabaseTransaction,
    room: RoomId,
    user: UserId,
    seq: Seq,
    now: UnixMillis,
) -> Result<Option<Seq>> {
    let sql = "SELECT r.last_seq, ms.joined, ms.read_seq FROM rooms r \
        LEFT JOIN memberships ms ON ms.room_id = r.id AND ms.user_id = $2 WHERE r.id = $1";
    let wanted = statement(tx, sql, [room.0.into(), user.0.into()]);
    let before = Before::find_by_statement(wanted)
        .one(tx)
        .await
        .map_err(failure)?;
    let before = before.ok_or(Error::NotFound)?;
    let read = match before.joined {
        Some(_) => seq.0.min(before.last_seq),
        None => before.last_seq,
    };
    if before.joined.is_some() && before.read_seq.is_some_and(|known| known >= read) {
        return Ok(None);
    }
    let values = [
        room.0.into(),
        user.0.into(),
        now.0.into(),
        before.last_seq.into(),
        read.into(),
    ];
    let sql = format!("{INSERT} ($1, $2, $3, $4, $5, $5, $3) {UPSERT}");
    tx.execute_raw(statement(tx, &sql, values))
        .await
        .map_err(failure)?;
    Ok(Some(Seq(read)))
}

/// Notes that clients of members have received messages. Who is no member is passed over.
pub(super) async fn mark_delivered(
    tx: &DatabaseTransaction,
    delivered: &BTreeMap<(RoomId, UserId), Seq>,
) -> Result<()> {
    let sql = "UPDATE memberships SET delivered_seq = $3 \
        WHERE room_id = $1 AND user_id = $2 AND joined IS NOT NULL AND delivered_seq < $3";
    for ((room, user), seq) in delivered {
        let values = [room.0.into(), user.0.into(), seq.0.into()];
        tx.execute_raw(statement(tx, sql, values))
            .await
            .map_err(failure)?;
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct MemberRow {
    user_id: i64,
}

/// Two members of a room, if it has as many: enough to tell whether an author has an audience.
pub(super) async fn two_members(tx: &DatabaseTransaction, room: RoomId) -> Result<Vec<UserId>> {
    let sql = "SELECT user_id FROM memberships WHERE room_id = $1 AND joined IS NOT NULL LIMIT 2";
    let rows = MemberRow::find_by_statement(statement(tx, sql, [room.0.into()]))
        .all(tx)
        .await
        .map_err(failure)?;
    Ok(rows.into_iter().map(|row| UserId(row.user_id)).collect())
}

#[derive(FromQueryResult)]
struct NewestRow {
    author_id: i64,
    seq: i64,
    has_audience: bool,
}

/// The room's newest message, if it has any.
pub(super) async fn newest(tx: &DatabaseTransaction, room: RoomId) -> Result<Option<Newest>> {
    let sql = "SELECT m.author_id, m.seq, m.has_audience FROM rooms r \
        JOIN messages m ON m.room_id = r.id AND m.seq = r.last_seq WHERE r.id = $1 AND m.deleted IS NULL";
    let found = NewestRow::find_by_statement(statement(tx, sql, [room.0.into()]))
        .one(tx)
        .await
        .map_err(failure)?;
    Ok(found.map(|row| Newest {
        author: UserId(row.author_id),
        seq: Seq(row.seq),
        has_audience: row.has_audience,
    }))
}

/// Notes that something in the room changed which its own numbers do not tell: pages that come back ask for it by time.
pub(super) async fn touch(tx: &DatabaseTransaction, room: RoomId, now: UnixMillis) -> Result<()> {
    let sql = "UPDATE rooms SET changed = $2 WHERE id = $1";
    tx.execute_raw(statement(tx, sql, [room.0.into(), now.0.into()]))
        .await
        .map_err(failure)?;
    Ok(())
}
