//! The watermarks of a batch: who has read and received how far, and how far everybody has.
//!
//! They never fall and never pass the room's end. Who joins a room starts at its end: so the floors do not fall
//! when somebody joins, and nobody counts as having read what came before them. How far everybody has read is kept
//! with the room, because whoever begins to send read receipts may be behind.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::LazyLock,
};

use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult, Value};

use super::Committed;
use crate::{
    clock::UnixMillis,
    error::{Error, Result},
    ids::{RoomId, Seq, UserId},
    records::{Audience, Floors, Newest},
    store::{failure, message::audience, statement, trail},
};

/// How many rooms' floors are remembered, to tell whether they moved; then all are forgotten.
const REMEMBERED: usize = 10_000;
/// How many people one statement reaches at most.
const TOGETHER: usize = 500;

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
) -> Result<()> {
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
    marked_seq: Option<i64>,
}

/// Moves one person's watermark forward, at most to the room's end; `None` when it already stood there and nothing
/// was marked as unread. Whoever comes for the first time has everything before them behind them.
pub(super) async fn mark_read(
    tx: &DatabaseTransaction,
    room: RoomId,
    user: UserId,
    seq: Seq,
    now: UnixMillis,
) -> Result<Option<Seq>> {
    let sql = "SELECT r.last_seq, ms.joined, ms.read_seq, ms.marked_seq FROM rooms r \
        LEFT JOIN memberships ms ON ms.room_id = r.id AND ms.user_id = $2 WHERE r.id = $1";
    let wanted = statement(tx, sql, [room.0.into(), user.0.into()]);
    let before = Before::find_by_statement(wanted)
        .one(tx)
        .await
        .map_err(failure)?;
    let before = before.ok_or(Error::NotFound)?;
    let known = before.read_seq.unwrap_or(0);
    let read = match before.joined {
        Some(_) => seq.0.min(before.last_seq).max(known),
        None => before.last_seq,
    };
    if before.joined.is_some() && known == read && before.marked_seq.is_none() {
        return Ok(None);
    }
    let values = [
        room.0.into(),
        user.0.into(),
        now.0.into(),
        before.last_seq.into(),
        read.into(),
        trail::step(Seq(read), now).into(),
    ];
    let sql = format!("{INSERT} {} {}", values_at(1, 2, 3, 4, 5, 6), *UPSERT);
    tx.execute_raw(statement(tx, &sql, values))
        .await
        .map_err(failure)?;
    Ok(Some(Seq(read)))
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
) -> Result<Option<Seq>> {
    let sql = "UPDATE memberships SET changed = $4, \
        marked_seq = CASE WHEN COALESCE(marked_seq, read_seq) < $3 THEN COALESCE(marked_seq, read_seq) ELSE $3 END \
        WHERE room_id = $1 AND user_id = $2 RETURNING marked_seq";
    let values = [room.0.into(), user.0.into(), seq.0.into(), now.0.into()];
    let marked = Marked::find_by_statement(statement(tx, sql, values))
        .one(tx)
        .await
        .map_err(failure)?;
    Ok(marked.map(|marked| Seq(marked.marked_seq)))
}

/// Notes that clients of members have received messages. Who is no member is passed over.
/// Those who were reached at the same place share a statement: in a busy room that is everybody.
pub(super) async fn mark_delivered(
    tx: &DatabaseTransaction,
    delivered: &BTreeMap<(RoomId, UserId), Seq>,
    now: UnixMillis,
) -> Result<()> {
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
            tx.execute_raw(statement(tx, &sql, values))
                .await
                .map_err(failure)?;
        }
    }
    Ok(())
}

/// Members of a room, as many as it takes to tell what audience an author has.
#[derive(Debug, Default)]
pub(super) struct Members {
    any: Vec<UserId>,
    readers: Vec<UserId>,
}

impl Members {
    /// Who is there besides `author`.
    pub fn audience(&self, author: UserId) -> Audience {
        let has_other = |members: &[UserId]| members.iter().any(|member| *member != author);
        match (has_other(&self.any), has_other(&self.readers)) {
            (false, _) => Audience::Nobody,
            (true, false) => Audience::Silent,
            (true, true) => Audience::Readers,
        }
    }

    /// Who posts is in the room.
    pub fn add(&mut self, author: UserId, sends_receipts: bool) {
        for (list, fits) in [(&mut self.any, true), (&mut self.readers, sends_receipts)] {
            if fits && !list.contains(&author) {
                list.push(author);
            }
        }
    }
}

#[derive(FromQueryResult)]
struct MemberRow {
    user_id: i64,
    sends_receipts: bool,
}

/// Two members of a room and two who send read receipts, if it has as many.
pub(super) async fn some_members(tx: &DatabaseTransaction, room: RoomId) -> Result<Members> {
    let sql = "\
SELECT * FROM (SELECT user_id, sends_receipts FROM memberships
  WHERE room_id = $1 AND joined IS NOT NULL LIMIT 2) AS two
UNION ALL
SELECT * FROM (SELECT user_id, sends_receipts FROM memberships
  WHERE room_id = $1 AND joined IS NOT NULL AND sends_receipts = TRUE LIMIT 2) AS readers";
    let rows = MemberRow::find_by_statement(statement(tx, sql, [room.0.into()]))
        .all(tx)
        .await
        .map_err(failure)?;
    let mut members = Members::default();
    for row in rows {
        members.add(UserId(row.user_id), row.sends_receipts);
    }
    Ok(members)
}

#[derive(FromQueryResult)]
struct SilentRow {
    id: i64,
}

/// Those of `users` who send no read receipts.
pub(super) async fn silent(
    tx: &DatabaseTransaction,
    users: BTreeSet<UserId>,
) -> Result<HashSet<UserId>> {
    if users.is_empty() {
        return Ok(HashSet::new());
    }
    let places: Vec<String> = (1..=users.len()).map(|i| format!("${i}")).collect();
    let sql = format!(
        "SELECT id FROM users WHERE sends_receipts = FALSE AND id IN ({})",
        places.join(", ")
    );
    let values = users.into_iter().map(|user| Value::from(user.0));
    let rows = SilentRow::find_by_statement(statement(tx, &sql, values))
        .all(tx)
        .await
        .map_err(failure)?;
    Ok(rows.into_iter().map(|row| UserId(row.id)).collect())
}

#[derive(FromQueryResult)]
struct NewestRow {
    author_id: i64,
    seq: i64,
    has_audience: bool,
    counts_reads: bool,
}

/// The room's newest message, if it has any.
pub(super) async fn newest(tx: &DatabaseTransaction, room: RoomId) -> Result<Option<Newest>> {
    let sql = "SELECT m.author_id, m.seq, m.has_audience, m.counts_reads FROM rooms r \
        JOIN messages m ON m.room_id = r.id AND m.seq = r.last_seq WHERE r.id = $1 AND m.deleted IS NULL";
    let found = NewestRow::find_by_statement(statement(tx, sql, [room.0.into()]))
        .one(tx)
        .await
        .map_err(failure)?;
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
) -> Result<()> {
    let sql = "UPDATE rooms SET changed = $2, read_floor = $3 WHERE id = $1";
    let values = [room.0.into(), now.0.into(), floors.read.0.into()];
    tx.execute_raw(statement(tx, sql, values))
        .await
        .map_err(failure)?;
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
pub(super) async fn floors(tx: &DatabaseTransaction, room: RoomId) -> Result<Floors> {
    let found = FloorsRow::find_by_statement(statement(tx, FLOORS, [room.0.into()]))
        .one(tx)
        .await
        .map_err(failure)?;
    let row = found.ok_or(Error::NotFound)?;
    let read = row.read.filter(|_| row.readers > 1).unwrap_or(0);
    Ok(Floors {
        delivered: Seq(row.delivered.unwrap_or(0)),
        read: Seq(read.max(row.kept)),
    })
}
