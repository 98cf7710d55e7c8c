//! Facts about who has read how far.

use sea_orm::{ConnectionTrait, FromQueryResult};

use super::{Store, failure, statement};
use crate::{
    error::Result,
    ids::{RoomId, Seq, UserId},
    records::Floors,
};

/// Where a room ends, and how far one person has read it.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    /// The room.
    pub room: RoomId,
    /// Its last message.
    pub last_seq: Seq,
    /// The last one that the person has read.
    pub read_seq: Seq,
    /// The last one that a client of theirs has received.
    pub delivered_seq: Seq,
    /// Whether they are in the room: in a public one since they first opened it.
    pub is_member: bool,
}

impl Position {
    /// Before the first message of a room.
    pub fn start_of(room: RoomId) -> Self {
        Self {
            room,
            last_seq: Seq(0),
            read_seq: Seq(0),
            delivered_seq: Seq(0),
            is_member: false,
        }
    }

    /// How many messages are unread.
    pub fn unread(&self) -> i64 {
        (self.last_seq.0 - self.read_seq.0).max(0)
    }
}

#[derive(FromQueryResult)]
struct Watermark {
    read_seq: i64,
}

#[derive(FromQueryResult)]
struct PositionRow {
    id: i64,
    last_seq: i64,
    read_seq: Option<i64>,
    delivered_seq: Option<i64>,
    joined: Option<i64>,
}

const POSITIONS: &str = "\
SELECT r.id, r.last_seq, ms.read_seq, ms.delivered_seq, ms.joined FROM rooms r
LEFT JOIN memberships ms ON ms.room_id = r.id AND ms.user_id = $1
WHERE r.kind = 'public' OR r.low_user_id = $1 OR r.high_user_id = $1
ORDER BY r.id";

#[derive(FromQueryResult)]
struct FloorsRow {
    delivered: Option<i64>,
    read: Option<i64>,
}

/// Each lowest watermark is the first entry of its index.
const FLOORS: &str = "\
SELECT (SELECT MIN(delivered_seq) FROM memberships WHERE room_id = $1 AND joined IS NOT NULL) AS delivered,
  (SELECT MIN(read_seq) FROM memberships WHERE room_id = $1 AND joined IS NOT NULL) AS read";

/// How far everybody in the room has come, inside a transaction or outside.
pub(super) async fn floors(db: &impl ConnectionTrait, room: RoomId) -> Result<Floors> {
    let found = FloorsRow::find_by_statement(statement(db, FLOORS, [room.0.into()]))
        .one(db)
        .await
        .map_err(failure)?;
    let seq = |floor: Option<i64>| Seq(floor.unwrap_or(0));
    Ok(found.map_or_else(Floors::default, |row| Floors {
        delivered: seq(row.delivered),
        read: seq(row.read),
    }))
}

impl Store {
    /// How far `user` has read in the room; 0 if they never were there.
    pub async fn find_read_seq(&self, room: RoomId, user: UserId) -> Result<Seq> {
        let sql = "SELECT read_seq FROM memberships WHERE room_id = $1 AND user_id = $2";
        let wanted = statement(&self.read, sql, [room.0.into(), user.0.into()]);
        let found = Watermark::find_by_statement(wanted)
            .one(&self.read)
            .await
            .map_err(failure)?;
        Ok(Seq(found.map_or(0, |row| row.read_seq)))
    }

    /// How far everybody in the room was reached and has read.
    pub async fn find_floors(&self, room: RoomId) -> Result<Floors> {
        floors(&self.read, room).await
    }

    /// Where all rooms that `user` may be in end, and how far they have read each; in the order of the rooms' ids.
    pub async fn positions(&self, user: UserId) -> Result<Vec<Position>> {
        let wanted = statement(&self.read, POSITIONS, [user.0.into()]);
        let rows = PositionRow::find_by_statement(wanted)
            .all(&self.read)
            .await
            .map_err(failure)?;
        let position = |row: PositionRow| Position {
            room: RoomId(row.id),
            last_seq: Seq(row.last_seq),
            read_seq: Seq(row.read_seq.unwrap_or(0)),
            delivered_seq: Seq(row.delivered_seq.unwrap_or(0)),
            is_member: row.joined.is_some(),
        };
        Ok(rows.into_iter().map(position).collect())
    }
}
