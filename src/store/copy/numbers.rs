//! Whether each room counts 1, 2, 3 … without holes, and as it did before.

use sea_orm::{ConnectionTrait, FromQueryResult};

use super::unreadable;
use crate::store::statement;

#[derive(Debug, PartialEq, Eq, FromQueryResult)]
struct RoomRow {
    id: i64,
    last_seq: i64,
    last_rev: i64,
    messages: i64,
    first: i64,
    last: i64,
    newest_rev: i64,
}

const ROOMS: &str = "\
SELECT r.id, r.last_seq, r.last_rev, COUNT(m.seq) AS messages, COALESCE(MIN(m.seq), 1) AS first,
  COALESCE(MAX(m.seq), 0) AS last, COALESCE(MAX(m.rev), 0) AS newest_rev
FROM rooms r LEFT JOIN messages m ON m.room_id = r.id
GROUP BY r.id, r.last_seq, r.last_rev ORDER BY r.id";

async fn rooms(db: &impl ConnectionTrait) -> Result<Vec<RoomRow>, String> {
    let rooms = RoomRow::find_by_statement(statement(db, ROOMS, [])).all(db);
    rooms.await.map_err(unreadable)
}

/// Refuses a database, called `which`, in which a room's numbers have a hole.
pub(super) async fn must_be_right(db: &impl ConnectionTrait, which: &str) -> Result<(), String> {
    let rooms = rooms(db).await?;
    // Places are unique in a room: as many as the last one says, from the first on, have no hole.
    let is_right = |room: &RoomRow| {
        (room.messages, room.last, room.first) == (room.last_seq, room.last_seq, 1)
            && room.newest_rev <= room.last_rev
    };
    match rooms.iter().find(|room| !is_right(room)) {
        Some(room) => Err(format!(
            "the numbers of room {} have a hole in {which}: {} messages up to {}. Nothing was kept",
            room.id, room.messages, room.last_seq
        )),
        None => Ok(()),
    }
}

/// Refuses two databases whose rooms do not end alike.
pub(super) async fn must_agree(
    old: &impl ConnectionTrait,
    new: &impl ConnectionTrait,
) -> Result<(), String> {
    match rooms(old).await? == rooms(new).await? {
        true => Ok(()),
        false => Err("the rooms of the two databases do not end alike. Nothing was kept".into()),
    }
}
