//! Whether a database is sound: its structure, the numbers of each room, and rows that point at nothing.
//!
//! Only reads, so it works over a read-only connection, inside a transaction, and on the tables of every earlier
//! version. Each fault is a sentence for the operator, without an end mark. All counting is done by the database, over
//! indexes: 200,000 messages take about a second.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, Database, DbBackend, DbErr, FromQueryResult};

use super::{is_damage, not_opened, postgres, sqlite, statement};
use crate::config::DatabaseUrl;

/// How many faults of one kind are told; what is broken in one place is often broken in thousands.
const TOLD: usize = 5;

/// How a room ends, and what is stored of it.
#[derive(Debug, PartialEq, Eq, FromQueryResult)]
pub(super) struct RoomEnd {
    id: i64,
    last_seq: i64,
    last_rev: i64,
    messages: i64,
    places: i64,
    first: i64,
    last: i64,
    changes: i64,
    newest: i64,
}

#[derive(FromQueryResult)]
struct NameRow {
    name: String,
}

#[derive(FromQueryResult)]
struct IntegrityRow {
    integrity_check: String,
}

#[derive(FromQueryResult)]
struct CountRow {
    rows: i64,
}

/// Opens a database only to read it, and tells everything that is wrong with it; nothing when it is sound.
///
/// # Errors
/// A sentence for the operator: it cannot be opened or read at all.
pub async fn check_database(url: &DatabaseUrl) -> Result<Vec<String>, String> {
    let options = match url {
        DatabaseUrl::Sqlite(file) => sqlite::only_reading(file),
        DatabaseUrl::Postgres(url) => postgres::plain(url, 1),
    };
    let db = Database::connect(options).await.map_err(not_opened)?;
    let found = faults(&db).await;
    if let Err(err) = db.close().await {
        tracing::debug!(error = %err, "a connection did not close cleanly");
    }
    found.map_err(|err| format!("cannot read the database: {err}"))
}

/// Everything that is wrong: structure, numbers, rows that point at nothing. A broken structure is told alone, because
/// what is counted over it means nothing.
pub(super) async fn faults(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    match look(db).await {
        Err(err) if is_damage(&err) => Ok(vec![format!("the file is damaged: {err}")]),
        found => found,
    }
}

async fn look(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let broken = structure(db).await?;
    if !broken.is_empty() {
        return Ok(broken);
    }
    let mut found = numbers(db).await?;
    found.extend(watermarks(db).await?);
    found.extend(orphans(db).await?);
    Ok(found)
}

/// Structure and numbers alone: what cannot be right when parts of two databases lie together.
pub(super) async fn faults_of_the_whole(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    match look_at_the_whole(db).await {
        Err(err) if is_damage(&err) => Ok(vec![format!("the file is damaged: {err}")]),
        found => found,
    }
}

async fn look_at_the_whole(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let broken = structure(db).await?;
    match broken.is_empty() {
        true => numbers(db).await,
        false => Ok(broken),
    }
}

/// What the database says about its own structure. SQLite reads every page and compares indexes with their tables;
/// PostgreSQL tells of checksums that did not match and of indexes that it gave up.
pub(super) async fn structure(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let found: Vec<String> = match db.get_database_backend() {
        DbBackend::Postgres => {
            let rows = NameRow::find_by_statement(statement(db, POSTGRES_STRUCTURE, []));
            let rows = rows.all(db).await?;
            rows.into_iter().map(|row| row.name).collect()
        }
        _ => {
            let sql = format!("PRAGMA integrity_check({TOLD})");
            let rows = IntegrityRow::find_by_statement(statement(db, &sql, []));
            let rows = rows.all(db).await?;
            rows.into_iter().map(|row| row.integrity_check).collect()
        }
    };
    let faults = found.into_iter().filter(|words| words != "ok");
    // SQLite's words can have several lines.
    let line = |words: String| format!("the file is damaged: {}", words.replace('\n', ", "));
    Ok(faults.map(line).collect())
}

const POSTGRES_STRUCTURE: &str = "\
SELECT CAST('index ' || c.relname || ' is not valid' AS TEXT) AS name
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND n.nspname = current_schema()
UNION ALL
SELECT CAST(checksum_failures || ' pages did not match their checksum' AS TEXT) FROM pg_stat_database
WHERE datname = current_database() AND checksum_failures > 0";

/// Rooms whose numbers are not 1, 2, 3 … up to the end that the room's row names.
pub(super) async fn numbers(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let tables = tables(db).await?;
    if !["rooms", "messages"].iter().all(|it| tables.contains(*it)) {
        return Ok(Vec::new());
    }
    let rooms = rooms(db).await?;
    let wrong = rooms.iter().filter_map(RoomEnd::fault);
    Ok(wrong.take(TOLD).collect())
}

/// People who are further than a room goes.
async fn watermarks(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    if !tables(db).await?.contains("memberships") {
        return Ok(Vec::new());
    }
    Ok(match count(db, PAST_THE_END).await? {
        0 => Vec::new(),
        past => vec![format!(
            "{past} people have read or been reached past the end of a room"
        )],
    })
}

const PAST_THE_END: &str = "\
SELECT COUNT(*) AS rows FROM memberships p JOIN rooms r ON r.id = p.room_id
WHERE p.read_seq > r.last_seq OR p.delivered_seq > r.last_seq";

impl RoomEnd {
    fn fault(&self) -> Option<String> {
        let (id, end) = (self.id, self.last_seq);
        if (self.messages, self.places, self.last, self.first) != (end, end, end, 1.min(end)) {
            return Some(format!(
                "the numbers of room {id} have a hole: it ends at {end} and has {} messages, from {} to {}",
                self.messages, self.first, self.last
            ));
        }
        if self.changes != self.messages || self.newest > self.last_rev {
            return Some(format!(
                "the change numbers of room {id} are wrong: {} of {} messages have one of their own, the newest is {} and \
                 the room's {}",
                self.changes, self.messages, self.newest, self.last_rev
            ));
        }
        None
    }
}

/// How each room ends, by its id. Both counts run over an index that has all they need.
pub(super) async fn rooms(db: &impl ConnectionTrait) -> Result<Vec<RoomEnd>, DbErr> {
    RoomEnd::find_by_statement(statement(db, ROOMS, []))
        .all(db)
        .await
}

const ROOMS: &str = "\
SELECT r.id, r.last_seq, r.last_rev, COALESCE(p.messages, 0) AS messages, COALESCE(p.places, 0) AS places,
  COALESCE(p.first, 0) AS first, COALESCE(p.last, 0) AS last, COALESCE(c.changes, 0) AS changes,
  COALESCE(c.newest, 0) AS newest
FROM rooms r
LEFT JOIN (SELECT room_id, COUNT(*) AS messages, COUNT(DISTINCT seq) AS places, MIN(seq) AS first, MAX(seq) AS last
  FROM messages GROUP BY room_id) p ON p.room_id = r.id
LEFT JOIN (SELECT room_id, COUNT(DISTINCT rev) AS changes, MAX(rev) AS newest
  FROM messages GROUP BY room_id) c ON c.room_id = r.id
ORDER BY r.id";

/// Rows whose room or person is not there: the old tables declare no foreign keys, and SQLite can be told to forget those
/// of the newer ones.
pub(super) async fn orphans(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let tables = tables(db).await?;
    let mut found = Vec::new();
    if db.get_database_backend() == DbBackend::Sqlite {
        let rows = count(db, "SELECT COUNT(*) AS rows FROM pragma_foreign_key_check").await?;
        if rows > 0 {
            found.push(format!("{rows} rows point at something that is not there"));
        }
    }
    for (table, column, of, what) in REFERENCES {
        if !tables.contains(table) || !tables.contains(of) {
            continue;
        }
        // First the few that are pointed at, then how often: a message's author is looked up once, not per message.
        let sql = format!(
            "SELECT CAST(COALESCE(SUM(t.times), 0) AS BIGINT) AS rows FROM (SELECT \"{column}\" AS target, COUNT(*) AS times \
             FROM \"{table}\" WHERE \"{column}\" IS NOT NULL GROUP BY \"{column}\") t \
             WHERE NOT EXISTS (SELECT 1 FROM \"{of}\" o WHERE o.id = t.target)"
        );
        let rows = count(db, &sql).await?;
        if rows > 0 {
            found.push(format!("{rows} {what} that is not there"));
        }
    }
    Ok(found)
}

/// Table, column, the table that it points into, and what to call it.
const REFERENCES: [(&str, &str, &str, &str); 7] = [
    ("messages", "room_id", "rooms", "messages are in a room"),
    ("messages", "author_id", "users", "messages are by a person"),
    (
        "memberships",
        "room_id",
        "rooms",
        "memberships are of a room",
    ),
    (
        "memberships",
        "user_id",
        "users",
        "memberships are of a person",
    ),
    ("sessions", "user_id", "users", "sessions are of a person"),
    (
        "rooms",
        "low_user_id",
        "users",
        "chats of two are with a person",
    ),
    (
        "rooms",
        "high_user_id",
        "users",
        "chats of two are with a person",
    ),
];

async fn count(db: &impl ConnectionTrait, sql: &str) -> Result<i64, DbErr> {
    let counted = CountRow::find_by_statement(statement(db, sql, []));
    Ok(counted.one(db).await?.map_or(0, |row| row.rows))
}

/// The names of all tables.
pub(super) async fn tables(db: &impl ConnectionTrait) -> Result<BTreeSet<String>, DbErr> {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT CAST(tablename AS TEXT) AS name FROM pg_tables WHERE schemaname = current_schema()"
        }
        _ => "SELECT name FROM sqlite_master WHERE type = 'table'",
    };
    let rows = NameRow::find_by_statement(statement(db, sql, []))
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}

#[cfg(test)]
pub(super) mod tests;
