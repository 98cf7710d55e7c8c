//! Facts about rooms, and the one query behind the lobby.

use std::sync::Arc;

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter,
};

use super::{Store, entity::room, failure, is_taken, message::audience, statement};
use crate::{
    clock::UnixMillis,
    error::{Error, Result},
    ids::{Rev, RoomId, Seq, UserId},
    records::{Floors, Message, Person, Room, RoomKind},
};

/// The most rooms and the most people that one lobby lists.
pub const LOBBY_LIMIT: u32 = 500;

/// A room as one person's lobby shows it.
#[derive(Debug, Clone)]
pub struct LobbyRoom {
    /// The room.
    pub room: Arc<Room>,
    /// Its end.
    pub last_seq: Seq,
    /// The last message that is not unread.
    pub seen_seq: Seq,
    /// Until when the person does not want to be told of it.
    pub muted_until: UnixMillis,
    /// When anything in it last changed.
    pub changed: UnixMillis,
    /// Its newest message, if it has any.
    pub last: Option<Message>,
    /// How far everybody has come, if the newest message is the person's own.
    pub floors: Floors,
}

/// What one person's lobby lists: rooms by last change, then people they have not written to, the newest first.
#[derive(Debug, Clone, Default)]
pub struct Lobby {
    /// Public rooms and the person's own direct rooms that have messages.
    pub rooms: Vec<LobbyRoom>,
    /// Everybody else, and since when they are here.
    pub people: Vec<(Person, UnixMillis)>,
    /// The newest stamp in it, with what nobody sees; 0 when it lists nothing.
    pub newest: UnixMillis,
}

#[derive(FromQueryResult)]
struct LobbyRow {
    room_id: Option<i64>,
    kind: Option<String>,
    name: Option<String>,
    low_user_id: Option<i64>,
    low_name: Option<String>,
    high_user_id: Option<i64>,
    high_name: Option<String>,
    last_seq: Option<i64>,
    seen_seq: Option<i64>,
    muted_until: Option<i64>,
    changed: i64,
    rev: Option<i64>,
    author_id: Option<i64>,
    author_name: Option<String>,
    body: Option<String>,
    created: Option<i64>,
    edited: Option<i64>,
    has_audience: Option<bool>,
    counts_reads: Option<bool>,
    delivered_floor: Option<i64>,
    read_floor: Option<i64>,
    person_id: Option<i64>,
    person_name: Option<String>,
}

/// Rooms with their last message by primary key, then people without a chat: nothing is counted, no history is read.
/// (PostgreSQL takes a bare NULL of a subquery for text, hence the casts.)
const LOBBY: &str = "\
SELECT * FROM (
  SELECT r.id AS room_id, r.kind, r.name, r.low_user_id, low.name AS low_name, r.high_user_id, high.name AS high_name,
    r.last_seq, COALESCE(ms.marked_seq, ms.read_seq) AS seen_seq, ms.muted_until, r.changed,
    m.rev, m.author_id, author.name AS author_name, m.body, m.created, m.edited, m.has_audience, m.counts_reads,
    CASE WHEN m.author_id = $1 THEN (SELECT MIN(f.delivered_seq) FROM memberships f WHERE f.room_id = r.id AND f.joined IS NOT NULL) END AS delivered_floor,
    r.read_floor,
    CAST(NULL AS BIGINT) AS person_id, CAST(NULL AS TEXT) AS person_name
  FROM rooms r
  LEFT JOIN memberships ms ON ms.room_id = r.id AND ms.user_id = $1
  LEFT JOIN messages m ON m.room_id = r.id AND m.seq = r.last_seq
  LEFT JOIN users author ON author.id = m.author_id
  LEFT JOIN users low ON low.id = r.low_user_id
  LEFT JOIN users high ON high.id = r.high_user_id
  WHERE (r.kind = 'public' OR (r.low_user_id = $1 AND r.last_seq > 0) OR (r.high_user_id = $1 AND r.last_seq > 0))
    AND (r.changed >= $2 OR ms.changed >= $2)
  ORDER BY r.changed DESC, r.id DESC LIMIT $3) AS listed
UNION ALL
SELECT * FROM (
  SELECT CAST(NULL AS BIGINT), CAST(NULL AS TEXT), CAST(NULL AS TEXT), CAST(NULL AS BIGINT), CAST(NULL AS TEXT),
    CAST(NULL AS BIGINT), CAST(NULL AS TEXT), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), u.created,
    CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS TEXT), CAST(NULL AS TEXT), CAST(NULL AS BIGINT),
    CAST(NULL AS BIGINT), CAST(NULL AS BOOLEAN), CAST(NULL AS BOOLEAN), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT),
    u.id AS person_id, u.name AS person_name
  FROM users u
  WHERE u.id <> $1 AND u.created >= $2 AND u.banned = FALSE
    AND u.id NOT IN (SELECT high_user_id FROM rooms WHERE low_user_id = $1 AND last_seq > 0)
    AND u.id NOT IN (SELECT low_user_id FROM rooms WHERE high_user_id = $1 AND last_seq > 0)
  ORDER BY u.created DESC, u.id DESC LIMIT $3) AS people";

const FIND: &str = "\
SELECT r.id AS room_id, r.kind, r.name, r.low_user_id, low.name AS low_name, r.high_user_id, high.name AS high_name
FROM rooms r
LEFT JOIN users low ON low.id = r.low_user_id
LEFT JOIN users high ON high.id = r.high_user_id
WHERE r.id = $1";

const BOTH: &str = "\
INSERT INTO memberships (room_id, user_id, joined, joined_seq, delivered_seq, read_seq, changed, sends_receipts)
SELECT $1, id, $4, 0, 0, 0, $4, sends_receipts FROM users WHERE id = $2 OR id = $3
ON CONFLICT (room_id, user_id) DO NOTHING";

#[derive(FromQueryResult)]
struct RoomRow {
    room_id: i64,
    kind: String,
    name: Option<String>,
    low_user_id: Option<i64>,
    low_name: Option<String>,
    high_user_id: Option<i64>,
    high_name: Option<String>,
}

#[derive(FromQueryResult)]
struct End {
    last_seq: i64,
    last_rev: i64,
}

impl Store {
    /// What `user`'s lobby lists, as far as it changed at or after `since` (all of it from 0 on).
    pub async fn lobby(&self, user: UserId, since: UnixMillis) -> Result<Lobby> {
        let values = [user.0.into(), since.0.into(), i64::from(LOBBY_LIMIT).into()];
        let rows = LobbyRow::find_by_statement(statement(&self.read, LOBBY, values))
            .all(&self.read)
            .await;
        let mut lobby = Lobby::default();
        for row in rows.map_err(failure)? {
            lobby.newest = lobby.newest.max(UnixMillis(row.changed));
            match (row.person_id, row.person_name.as_deref()) {
                (Some(id), Some(name)) => {
                    lobby.people.push((
                        Person {
                            id: UserId(id),
                            name: name.into(),
                        },
                        UnixMillis(row.changed),
                    ));
                }
                _ => lobby.rooms.push(lobby_room(row)?),
            }
        }
        Ok(lobby)
    }

    /// The room with this id.
    pub async fn find_room(&self, id: RoomId) -> Result<Option<Room>> {
        let found = RoomRow::find_by_statement(statement(&self.read, FIND, [id.0.into()]))
            .one(&self.read)
            .await;
        found.map_err(failure)?.map(|row| row.room()).transpose()
    }

    /// Where the room ends: its last message and its last change.
    pub async fn find_end(&self, id: RoomId) -> Result<(Seq, Rev)> {
        let sql = "SELECT last_seq, last_rev FROM rooms WHERE id = $1";
        let found = End::find_by_statement(statement(&self.read, sql, [id.0.into()]))
            .one(&self.read)
            .await;
        let end = found.map_err(failure)?.ok_or(Error::NotFound)?;
        Ok((Seq(end.last_seq), Rev(end.last_rev)))
    }

    /// Stores a public room, or finds the one whose name folds to the same; says when it was made if it is new.
    pub async fn insert_public(
        &self,
        name: &str,
        folded: &str,
    ) -> Result<(RoomId, Option<UnixMillis>)> {
        let now = self.stamp(&self.write).await.map_err(failure)?;
        let row = room::ActiveModel {
            kind: Set("public".into()),
            name: Set(Some(name.into())),
            name_folded: Set(Some(folded.into())),
            ..fresh(now)
        };
        let (id, is_new) = self
            .insert_or_find(row, room::Column::NameFolded, folded)
            .await?;
        Ok((id, is_new.then_some(now)))
    }

    /// Stores the direct room of two people, or finds it; says whether it is new.
    pub async fn insert_direct(&self, one: UserId, other: UserId) -> Result<(RoomId, bool)> {
        let now = self.stamp(&self.write).await.map_err(failure)?;
        let (low, high) = (one.min(other), one.max(other));
        let key = format!("{low}:{high}");
        let row = room::ActiveModel {
            kind: Set("direct".into()),
            direct_key: Set(Some(key.clone())),
            low_user_id: Set(Some(low.0)),
            high_user_id: Set(Some(high.0)),
            ..fresh(now)
        };
        let (id, is_new) = self
            .insert_or_find(row, room::Column::DirectKey, &key)
            .await?;
        // Both are in it from the start. Said again for a room that was found, in case this was cut short last time.
        let values = [id.0.into(), low.0.into(), high.0.into(), now.0.into()];
        self.write
            .execute_raw(statement(&self.write, BOTH, values))
            .await
            .map_err(failure)?;
        Ok((id, is_new))
    }

    async fn insert_or_find(
        &self,
        row: room::ActiveModel,
        unique: room::Column,
        key: &str,
    ) -> Result<(RoomId, bool)> {
        match room::Entity::insert(row).exec(&self.write).await {
            Ok(inserted) => Ok((RoomId(inserted.last_insert_id), true)),
            Err(err) if is_taken(&err) => {
                let found = room::Entity::find()
                    .filter(unique.eq(key))
                    .one(&self.write)
                    .await
                    .map_err(failure)?;
                found
                    .map(|row| (RoomId(row.id), false))
                    .ok_or(Error::NotFound)
            }
            Err(err) => Err(failure(err)),
        }
    }
}

fn fresh(now: UnixMillis) -> room::ActiveModel {
    room::ActiveModel {
        last_seq: Set(0),
        last_rev: Set(0),
        read_floor: Set(0),
        created: Set(now.0),
        changed: Set(now.0),
        ..Default::default()
    }
}

fn lobby_room(row: LobbyRow) -> Result<LobbyRoom> {
    let torn = || Error::Internal("a lobby row has no room".into());
    let room = RoomRow {
        room_id: row.room_id.ok_or_else(torn)?,
        kind: row.kind.ok_or_else(torn)?,
        name: row.name,
        low_user_id: row.low_user_id,
        low_name: row.low_name,
        high_user_id: row.high_user_id,
        high_name: row.high_name,
    }
    .room()?;
    let last_seq = Seq(row.last_seq.unwrap_or(0));
    let author = row.author_id.zip(row.author_name);
    let last =
        author
            .zip(row.rev.zip(row.created))
            .map(|((author_id, author_name), (rev, created))| Message {
                room: room.id,
                seq: last_seq,
                rev: Rev(rev),
                author: Person {
                    id: UserId(author_id),
                    name: author_name.into(),
                },
                body: row.body.map(Into::into),
                created: UnixMillis(created),
                edited: row.edited.map(UnixMillis),
                previous: None,
                audience: audience(
                    row.has_audience.unwrap_or(false),
                    row.counts_reads.unwrap_or(false),
                ),
            });
    Ok(LobbyRoom {
        room: Arc::new(room),
        last_seq,
        seen_seq: Seq(row.seen_seq.unwrap_or(0)),
        muted_until: UnixMillis(row.muted_until.unwrap_or(0)),
        changed: UnixMillis(row.changed),
        last,
        floors: Floors {
            delivered: Seq(row.delivered_floor.unwrap_or(0)),
            read: Seq(row.read_floor.unwrap_or(0)),
        },
    })
}

impl RoomRow {
    fn room(self) -> Result<Room> {
        let torn = || Error::Internal(format!("room {} is incomplete", self.room_id));
        let kind = if self.kind == "direct" {
            let person = |id: Option<i64>, name: &Option<String>| {
                let (id, name) = id.zip(name.as_deref()).ok_or_else(torn)?;
                Ok::<_, Error>(Person {
                    id: UserId(id),
                    name: name.into(),
                })
            };
            let people = [
                person(self.low_user_id, &self.low_name)?,
                person(self.high_user_id, &self.high_name)?,
            ];
            RoomKind::Direct { people }
        } else {
            RoomKind::Public {
                name: self.name.as_deref().ok_or_else(torn)?.into(),
            }
        };
        Ok(Room {
            id: RoomId(self.room_id),
            kind,
        })
    }
}
