//! How far everybody in a room has come: read off the watermarks of its members, kept, and told when it moved.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult};

use super::{Committed, setback::Attempt};
use crate::{
    clock::UnixMillis,
    error::Error,
    ids::{RoomId, Seq, UserId},
    records::{Floors, Newest},
    store::{message::audience, statement},
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

#[derive(FromQueryResult)]
struct NewestRow {
    author_id: i64,
    seq: i64,
    has_audience: bool,
    counts_reads: bool,
}

/// The room's newest message, if it has any.
pub(super) async fn newest(tx: &DatabaseTransaction, room: RoomId) -> Attempt<Option<Newest>> {
    let sql = "SELECT m.author_id, m.seq, m.has_audience, m.counts_reads FROM rooms r \
        JOIN messages m ON m.room_id = r.id AND m.seq = r.last_seq WHERE r.id = $1 AND m.deleted IS NULL";
    let found = NewestRow::find_by_statement(statement(tx, sql, [room.0.into()]))
        .one(tx)
        .await?;
    Ok(found.map(|row| Newest {
        author: UserId(row.author_id),
        seq: Seq(row.seq),
        audience: audience(row.has_audience, row.counts_reads),
    }))
}

/// Keeps how far everybody has read, and notes that something in the room changed which its own numbers do not tell:
/// pages that come back ask for it by time.
pub(super) async fn keep_floor(
    tx: &DatabaseTransaction,
    room: RoomId,
    floors: Floors,
    now: UnixMillis,
) -> Attempt<()> {
    let sql = "UPDATE rooms SET changed = CASE WHEN changed < $2 THEN $2 ELSE changed END, read_floor = $3 WHERE id = $1";
    let values = [room.0.into(), now.0.into(), floors.read.0.into()];
    tx.execute_raw(statement(tx, sql, values)).await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct FloorsRow {
    kept: i64,
    delivered: Option<i64>,
    read: Option<i64>,
    readers: i64,
}

/// Each lowest watermark is the first entry of its index. One who sends read receipts alone has nobody to read for.
const FLOORS: &str = "\
SELECT r.read_floor AS kept,
  (SELECT MIN(delivered_seq) FROM memberships WHERE room_id = $1 AND joined IS NOT NULL) AS delivered,
  (SELECT MIN(read_seq) FROM memberships WHERE room_id = $1 AND joined IS NOT NULL AND sends_receipts = TRUE) AS read,
  (SELECT COUNT(*) FROM (SELECT 1 FROM memberships
    WHERE room_id = $1 AND joined IS NOT NULL AND sends_receipts = TRUE LIMIT 2) AS two) AS readers
FROM rooms r WHERE r.id = $1";

/// How far everybody in the room has come: never less than was kept.
pub(super) async fn floors(tx: &DatabaseTransaction, room: RoomId) -> Attempt<Floors> {
    let found = FloorsRow::find_by_statement(statement(tx, FLOORS, [room.0.into()]))
        .one(tx)
        .await?;
    let row = found.ok_or(Error::NotFound)?;
    let read = row.read.filter(|_| row.readers > 1).unwrap_or(0);
    Ok(Floors {
        delivered: Seq(row.delivered.unwrap_or(0)),
        read: Seq(read.max(row.kept)),
    })
}
