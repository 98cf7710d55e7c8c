//! What changed lately, whoever changed it: for a node that others may not have reached, and for a server whose file
//! of SQLite's a command wrote to.

use std::sync::{Arc, atomic::Ordering};

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};

use super::{Store, failure, message::audience, statement};
use crate::{
    clock::UnixMillis,
    error::Result,
    ids::{Rev, RoomId, Seq, UserId},
    records::{Floors, Newest, Person, Privacy},
};

/// Where a room stands.
#[derive(Debug, Clone, Copy)]
pub struct RoomNow {
    /// Which.
    pub id: RoomId,
    /// Its last message.
    pub seq: Seq,
    /// Its last change.
    pub rev: Rev,
    /// How far everybody in it has come.
    pub floors: Floors,
    /// Its newest message, if it has one that was not deleted.
    pub newest: Option<Newest>,
    /// When anything in it last changed.
    pub changed: UnixMillis,
}

/// Where somebody stands in a room.
#[derive(Debug, Clone, Copy)]
pub struct MembershipNow {
    /// Who.
    pub user: UserId,
    /// Where.
    pub room: RoomId,
    /// The last message that is not unread.
    pub seen_seq: Seq,
    /// Whether they marked what is behind it as unread.
    pub is_marked: bool,
    /// Until when they do not want to be told of it.
    pub muted_until: UnixMillis,
}

/// What holds for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Who.
    pub user: UserId,
    /// What they let others see.
    pub privacy: Privacy,
    /// Their sessions, as the store names them, in order.
    pub sessions: Arc<[Arc<str>]>,
}

#[derive(FromQueryResult)]
struct RoomRow {
    id: i64,
    last_seq: i64,
    last_rev: i64,
    read_floor: i64,
    changed: i64,
    delivered: Option<i64>,
    author_id: Option<i64>,
    has_audience: Option<bool>,
    counts_reads: Option<bool>,
}

const ROOMS: &str = "\
SELECT r.id, r.last_seq, r.last_rev, r.read_floor, r.changed,
  (SELECT MIN(delivered_seq) FROM memberships WHERE room_id = r.id AND joined IS NOT NULL) AS delivered,
  m.author_id, m.has_audience, m.counts_reads
FROM rooms r LEFT JOIN messages m ON m.room_id = r.id AND m.seq = r.last_seq AND m.deleted IS NULL
WHERE r.changed >= $1 ORDER BY r.changed DESC, r.id DESC LIMIT $2";

#[derive(FromQueryResult)]
struct MembershipRow {
    user_id: i64,
    room_id: i64,
    read_seq: i64,
    marked_seq: Option<i64>,
    muted_until: i64,
}

const MEMBERSHIPS: &str = "\
SELECT user_id, room_id, read_seq, marked_seq, COALESCE(muted_until, 0) AS muted_until FROM memberships
WHERE user_id IN PEOPLE AND changed >= $2 ORDER BY changed DESC, room_id DESC LIMIT $3";

#[derive(FromQueryResult)]
struct VersionRow {
    data_version: i64,
}

#[derive(FromQueryResult)]
struct PersonRow {
    id: i64,
    name: String,
    created: i64,
}

#[derive(FromQueryResult)]
struct StandingRow {
    id: i64,
    sends_receipts: bool,
    shows_presence: bool,
    session: Option<String>,
}

const STANDINGS: &str = "\
SELECT u.id, u.sends_receipts, u.shows_presence, s.id AS session
FROM users u LEFT JOIN sessions s ON s.user_id = u.id AND s.expires > $2 AND u.banned = FALSE
WHERE u.id IN PEOPLE ORDER BY u.id, s.id";

impl Store {
    /// A number that is another one after somebody else than this process committed to the file of SQLite's, or after
    /// the connection that can tell was opened anew.
    pub async fn writes_of_others(&self) -> Result<(u64, i64)> {
        let asked = statement(&self.write, "PRAGMA data_version", []);
        let row = VersionRow::find_by_statement(asked).one(&self.write).await;
        let version = row.map_err(failure)?.map_or(0, |row| row.data_version);
        Ok((self.reopened.load(Ordering::Relaxed), version))
    }

    /// The rooms that changed at or after `since`, the latest first.
    pub async fn rooms_changed(&self, since: UnixMillis, limit: u32) -> Result<Vec<RoomNow>> {
        let values = [since.0.into(), i64::from(limit).into()];
        let rows = RoomRow::find_by_statement(statement(&self.read, ROOMS, values))
            .all(&self.read)
            .await
            .map_err(failure)?;
        Ok(rows.into_iter().map(RoomRow::room).collect())
    }

    /// Where these people stand in the rooms in which that changed at or after `since`, the latest first.
    pub async fn memberships_changed(
        &self,
        people: &[UserId],
        since: UnixMillis,
        limit: u32,
    ) -> Result<Vec<MembershipNow>> {
        let values = [list(people).into(), since.0.into(), i64::from(limit).into()];
        let rows = MembershipRow::find_by_statement(self.of_people(MEMBERSHIPS, values))
            .all(&self.read)
            .await
            .map_err(failure)?;
        let membership = |row: MembershipRow| MembershipNow {
            user: UserId(row.user_id),
            room: RoomId(row.room_id),
            seen_seq: Seq(row.marked_seq.unwrap_or(row.read_seq)),
            is_marked: row.marked_seq.is_some(),
            muted_until: UnixMillis(row.muted_until),
        };
        Ok(rows.into_iter().map(membership).collect())
    }

    /// Who signed up at or after `since`, and when.
    pub async fn people_since(
        &self,
        since: UnixMillis,
        limit: u32,
    ) -> Result<Vec<(Person, UnixMillis)>> {
        let sql = "SELECT id, name, created FROM users WHERE created >= $1 AND banned = FALSE ORDER BY created, id LIMIT $2";
        let values = [since.0.into(), i64::from(limit).into()];
        let rows = PersonRow::find_by_statement(statement(&self.read, sql, values))
            .all(&self.read)
            .await
            .map_err(failure)?;
        let person = |row: PersonRow| {
            let (id, name) = (UserId(row.id), row.name.into());
            (Person { id, name }, UnixMillis(row.created))
        };
        Ok(rows.into_iter().map(person).collect())
    }

    /// What holds for these people at `now`, in the order of their ids.
    pub async fn standings(&self, people: &[UserId], now: UnixMillis) -> Result<Vec<Standing>> {
        let values = [list(people).into(), now.0.into()];
        let rows = StandingRow::find_by_statement(self.of_people(STANDINGS, values))
            .all(&self.read)
            .await
            .map_err(failure)?;
        let same = |one: &StandingRow, other: &StandingRow| one.id == other.id;
        Ok(rows.chunk_by(same).map(standing).collect())
    }

    /// A statement about the people whose ids are listed in `$1`: one text, so that all lists share one statement.
    fn of_people<const N: usize>(&self, sql: &str, values: [Value; N]) -> Statement {
        let people = match self.read.get_database_backend() {
            DbBackend::Postgres => "(SELECT unnest(CAST(string_to_array($1, ',') AS BIGINT[])))",
            _ => "(SELECT value FROM json_each('[' || $1 || ']'))",
        };
        statement(&self.read, &sql.replace("PEOPLE", people), values)
    }
}

fn list(people: &[UserId]) -> String {
    let ids: Vec<_> = people.iter().map(UserId::to_string).collect();
    ids.join(",")
}

fn standing(rows: &[StandingRow]) -> Standing {
    let sessions = rows.iter().filter_map(|row| row.session.as_deref());
    Standing {
        user: UserId(rows[0].id),
        privacy: Privacy {
            receipts: rows[0].sends_receipts,
            presence: rows[0].shows_presence,
        },
        sessions: sessions.map(Arc::from).collect(),
    }
}

impl RoomRow {
    fn room(self) -> RoomNow {
        let seq = Seq(self.last_seq);
        let audience = audience(
            self.has_audience.unwrap_or(false),
            self.counts_reads.unwrap_or(false),
        );
        RoomNow {
            id: RoomId(self.id),
            seq,
            rev: Rev(self.last_rev),
            floors: Floors {
                delivered: Seq(self.delivered.unwrap_or(0)),
                read: Seq(self.read_floor),
            },
            newest: self.author_id.map(|author| Newest {
                author: UserId(author),
                seq,
                audience,
            }),
            changed: UnixMillis(self.changed),
        }
    }
}
