//! Facts about who is in a room: how far they were reached and have read, what they muted.

use sea_orm::{ConnectionTrait, FromQueryResult};

use super::{
    Store, failure, statement,
    trail::{self, DELIVERED_STEPS, READ_STEPS},
};
use crate::{
    clock::UnixMillis,
    error::Result,
    ids::{RoomId, Seq, UserId},
    records::{Floors, Person},
};

/// The most people that the receipts of one message list by name.
pub const LISTED: u32 = 200;

/// Where a room ends, and how far one person has seen it.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    /// The room.
    pub room: RoomId,
    /// Its last message.
    pub last_seq: Seq,
    /// The last one that is not unread: the last that they have read, or an earlier one when they marked some unread.
    pub seen_seq: Seq,
    /// The last one that a client of theirs has received.
    pub delivered_seq: Seq,
    /// Whether they are in the room: in a public one since they first opened it.
    pub is_member: bool,
    /// Until when they do not want to be told of it.
    pub muted_until: UnixMillis,
}

impl Position {
    /// Before the first message of a room.
    pub fn start_of(room: RoomId) -> Self {
        Self {
            room,
            last_seq: Seq(0),
            seen_seq: Seq(0),
            delivered_seq: Seq(0),
            is_member: false,
            muted_until: UnixMillis(0),
        }
    }

    /// How many messages are unread.
    pub fn unread(&self) -> i64 {
        (self.last_seq.0 - self.seen_seq.0).max(0)
    }

    /// Whether they do not want to be told of it now.
    pub fn is_muted(&self, now: UnixMillis) -> bool {
        self.muted_until > now
    }
}

/// How far one member of a room has come with one message.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Who.
    pub person: Person,
    /// Whether a client of theirs has received it, and when if that is known.
    pub delivered: Option<Option<When>>,
    /// Whether they have read it and let others know, and when if that is known.
    pub read: Option<Option<When>>,
}

/// Who has received and read one message: the first [`LISTED`] by name of those furthest, and how many there are.
#[derive(Debug, Clone, Default)]
pub struct Receipts {
    /// Those who read it, then those who received it, then the others; each by name.
    pub listed: Vec<Receipt>,
    /// How many have read it and let others know.
    pub read: i64,
    /// How many more have received it.
    pub delivered: i64,
    /// How many it waits for.
    pub waiting: i64,
}

pub use super::trail::When;

#[derive(FromQueryResult)]
struct SeenRow {
    seen_seq: i64,
    muted_until: Option<i64>,
}

#[derive(FromQueryResult)]
struct PositionRow {
    id: i64,
    last_seq: i64,
    seen_seq: Option<i64>,
    delivered_seq: Option<i64>,
    joined: Option<i64>,
    muted_until: Option<i64>,
}

const POSITIONS: &str = "\
SELECT r.id, r.last_seq, COALESCE(ms.marked_seq, ms.read_seq) AS seen_seq, ms.delivered_seq, ms.joined, ms.muted_until
FROM rooms r
LEFT JOIN memberships ms ON ms.room_id = r.id AND ms.user_id = $1
WHERE r.kind = 'public' OR r.low_user_id = $1 OR r.high_user_id = $1
ORDER BY r.id";

#[derive(FromQueryResult)]
struct FloorsRow {
    delivered: Option<i64>,
    read: i64,
}

/// The lowest delivery is the first entry of its index; the other floor is kept.
const FLOORS: &str = "\
SELECT (SELECT MIN(delivered_seq) FROM memberships WHERE room_id = $1 AND joined IS NOT NULL) AS delivered,
  r.read_floor AS read FROM rooms r WHERE r.id = $1";

#[derive(FromQueryResult)]
struct ReceiptRow {
    user_id: i64,
    name: String,
    has_read: bool,
    has_received: bool,
    read_trail: String,
    delivered_trail: String,
}

/// Members who were in the room ($1) when the message ($2) was posted, apart from its author ($3).
const AUDIENCE: &str = "\
FROM memberships ms JOIN users u ON u.id = ms.user_id
WHERE ms.room_id = $1 AND ms.joined IS NOT NULL AND ms.joined_seq < $2 AND ms.user_id <> $3";

const HAS_READ: &str = "(ms.read_seq >= $2 AND ms.sends_receipts = TRUE)";

#[derive(FromQueryResult)]
struct CountsRow {
    everybody: i64,
    received: Option<i64>,
    read: Option<i64>,
}

const MUTE: &str = "\
INSERT INTO memberships (room_id, user_id, joined, delivered_seq, read_seq, muted_until, changed)
VALUES ($1, $2, NULL, 0, 0, $3, $4)
ON CONFLICT (room_id, user_id) DO UPDATE SET muted_until = excluded.muted_until, changed = excluded.changed";

impl Store {
    /// How far `user` has seen the room (0 if they never were there), and until when they muted it.
    pub async fn find_seen(&self, room: RoomId, user: UserId) -> Result<(Seq, UnixMillis)> {
        let sql = "SELECT COALESCE(marked_seq, read_seq) AS seen_seq, muted_until FROM memberships \
            WHERE room_id = $1 AND user_id = $2";
        let wanted = statement(&self.read, sql, [room.0.into(), user.0.into()]);
        let found = SeenRow::find_by_statement(wanted)
            .one(&self.read)
            .await
            .map_err(failure)?;
        Ok(found.map_or_else(Default::default, |row| {
            (Seq(row.seen_seq), UnixMillis(row.muted_until.unwrap_or(0)))
        }))
    }

    /// How far everybody in the room was reached and has read.
    pub async fn find_floors(&self, room: RoomId) -> Result<Floors> {
        let found = FloorsRow::find_by_statement(statement(&self.read, FLOORS, [room.0.into()]))
            .one(&self.read)
            .await
            .map_err(failure)?;
        Ok(found.map_or_else(Floors::default, |row| Floors {
            delivered: Seq(row.delivered.unwrap_or(0)),
            read: Seq(row.read),
        }))
    }

    /// Where all rooms that `user` may be in end, and how far they have seen each; in the order of the rooms' ids.
    pub async fn positions(&self, user: UserId) -> Result<Vec<Position>> {
        let wanted = statement(&self.read, POSITIONS, [user.0.into()]);
        let rows = PositionRow::find_by_statement(wanted)
            .all(&self.read)
            .await
            .map_err(failure)?;
        let position = |row: PositionRow| Position {
            room: RoomId(row.id),
            last_seq: Seq(row.last_seq),
            seen_seq: Seq(row.seen_seq.unwrap_or(0)),
            delivered_seq: Seq(row.delivered_seq.unwrap_or(0)),
            is_member: row.joined.is_some(),
            muted_until: UnixMillis(row.muted_until.unwrap_or(0)),
        };
        Ok(rows.into_iter().map(position).collect())
    }

    /// Who was in the room when `author`'s message `seq` was posted, and how far they have come with it.
    pub async fn find_receipts(&self, room: RoomId, seq: Seq, author: UserId) -> Result<Receipts> {
        let values = || [room.0.into(), seq.0.into(), author.0.into()];
        let sql = format!(
            "SELECT ms.user_id, u.name, {HAS_READ} AS has_read, ms.delivered_seq >= $2 AS has_received, \
             ms.read_trail, ms.delivered_trail {AUDIENCE} \
             ORDER BY {HAS_READ} DESC, ms.delivered_seq >= $2 DESC, u.name_folded LIMIT {LISTED}"
        );
        let rows = ReceiptRow::find_by_statement(statement(&self.read, &sql, values()))
            .all(&self.read)
            .await
            .map_err(failure)?;
        let sql = format!(
            "SELECT COUNT(*) AS everybody, SUM(CASE WHEN {HAS_READ} THEN 1 ELSE 0 END) AS read, \
             SUM(CASE WHEN ms.delivered_seq >= $2 THEN 1 ELSE 0 END) AS received {AUDIENCE}"
        );
        let counts = CountsRow::find_by_statement(statement(&self.read, &sql, values()))
            .one(&self.read)
            .await
            .map_err(failure)?;
        let (everybody, received, read) = counts.map_or((0, 0, 0), |row| {
            (
                row.everybody,
                row.received.unwrap_or(0),
                row.read.unwrap_or(0),
            )
        });
        let listed = rows.into_iter().map(|row| row.receipt(seq)).collect();
        Ok(Receipts {
            listed,
            read,
            delivered: received - read,
            waiting: everybody - received,
        })
    }

    /// The newest message in the room that is somebody else's, among its last `among`.
    pub async fn find_last_of_others(
        &self,
        room: RoomId,
        user: UserId,
        among: i64,
    ) -> Result<Option<Seq>> {
        let sql = "SELECT m.seq FROM messages m JOIN rooms r ON r.id = m.room_id \
            WHERE m.room_id = $1 AND m.author_id <> $2 AND m.seq > r.last_seq - $3 ORDER BY m.seq DESC LIMIT 1";
        let values = [room.0.into(), user.0.into(), among.into()];
        let found = SeqRow::find_by_statement(statement(&self.read, sql, values))
            .one(&self.read)
            .await
            .map_err(failure)?;
        Ok(found.map(|row| Seq(row.seq)))
    }

    /// Until when `user` does not want to be told of the room; the past means that they do.
    pub async fn mute(&self, room: RoomId, user: UserId, until: UnixMillis) -> Result<()> {
        let now = self.stamp(&self.write).await.map_err(failure)?;
        let values = [room.0.into(), user.0.into(), until.0.into(), now.0.into()];
        self.write
            .execute_raw(statement(&self.write, MUTE, values))
            .await
            .map_err(failure)?;
        Ok(())
    }
}

#[derive(FromQueryResult)]
struct SeqRow {
    seq: i64,
}

impl ReceiptRow {
    fn receipt(self, seq: Seq) -> Receipt {
        let when = |has: bool, trail: &str, kept| has.then(|| trail::when(trail, kept, seq));
        Receipt {
            read: when(self.has_read, &self.read_trail, READ_STEPS),
            delivered: when(self.has_received, &self.delivered_trail, DELIVERED_STEPS),
            person: Person {
                id: UserId(self.user_id),
                name: self.name.into(),
            },
        }
    }
}
