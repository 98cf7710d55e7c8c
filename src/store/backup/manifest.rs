//! What a backup says of itself: a table of its own in the file, and a mark in the file's header.

use std::{collections::BTreeMap, fs::File, io::Read as _, path::Path};

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use serde::{Deserialize, Serialize};

use crate::{
    clock::UnixMillis,
    store::{connect, sqlite, statement},
};

/// The mark: SQLite keeps four bytes for it ("TBak").
const APPLICATION_ID: u32 = 0x5442_616b;
/// How the file is laid out; a later version may lay it out otherwise.
const FORMAT: u32 = 1;
/// The table that is in backups only.
pub(in crate::store) const TABLE: &str = "backup";

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// How the file is laid out.
    format: u32,
    /// The version of Tertulia that made it.
    pub version: String,
    /// The last step that the schema has taken.
    pub step: String,
    /// When it was begun: everything that was answered before is in it.
    pub made: UnixMillis,
    /// How many rows each table has.
    pub rows: BTreeMap<String, u64>,
}

#[derive(FromQueryResult)]
struct ManifestRow {
    digest: String,
    manifest: String,
}

#[derive(FromQueryResult)]
struct MessagesRow {
    messages: i64,
}

impl Manifest {
    /// What is said of a backup that is made now.
    pub(super) fn new(made: UnixMillis, step: String, rows: BTreeMap<String, u64>) -> Self {
        Self {
            format: FORMAT,
            version: crate::version::VERSION.as_str().to_owned(),
            step,
            made,
            rows,
        }
    }

    /// Writes it and the mark into the file; `digest` keeps the place of the one that is known at the end.
    pub(super) async fn write(&self, db: &impl ConnectionTrait, digest: &str) -> Result<(), DbErr> {
        let text = serde_json::to_string(self).map_err(|err| DbErr::Custom(err.to_string()))?;
        // The digest comes first, so that it lies in one piece in its page.
        for sql in [
            format!("CREATE TABLE {TABLE} (digest TEXT NOT NULL, manifest TEXT NOT NULL)"),
            format!("PRAGMA application_id = {APPLICATION_ID}"),
        ] {
            db.execute_unprepared(&sql).await?;
        }
        let sql = format!("INSERT INTO {TABLE} (digest, manifest) VALUES ($1, $2)");
        let row = statement(db, &sql, [digest.into(), text.into()]);
        db.execute_raw(row).await?;
        Ok(())
    }

    /// Reads it, and the digest, from a file that bears the mark.
    ///
    /// # Errors
    /// A sentence for the operator, without a subject: "has no …".
    pub(super) async fn read(db: &impl ConnectionTrait) -> Result<(Self, String), String> {
        let sql = format!("SELECT digest, manifest FROM {TABLE}");
        let row = ManifestRow::find_by_statement(statement(db, &sql, []));
        let row = row.one(db).await;
        let row = row.map_err(|err| format!("cannot be read: {err}"))?;
        let row = row.ok_or("has no manifest")?;
        let manifest: Option<Self> = serde_json::from_str(&row.manifest).ok();
        match manifest {
            Some(manifest) if manifest.format == FORMAT => Ok((manifest, row.digest)),
            _ => Err("was made by a newer version of Tertulia, which is needed to read it".into()),
        }
    }

    /// How many rows a table has in it.
    pub fn count(&self, table: &str) -> u64 {
        self.rows.get(table).copied().unwrap_or(0)
    }
}

/// How many messages a file holds, a backup or one that is about to be.
///
/// # Errors
/// A sentence for the operator.
pub(super) async fn messages_in(file: &Path) -> Result<u64, String> {
    let db = connect(sqlite::options(file, 1, None)).await?;
    let counted = MessagesRow::find_by_statement(statement(
        &db,
        "SELECT COUNT(*) AS messages FROM messages",
        [],
    ));
    let counted = counted.one(&db).await;
    if let Err(err) = db.close().await {
        tracing::debug!(error = %err, "a connection did not close cleanly");
    }
    let counted = counted.map_err(|err| format!("{} cannot be read: {err}", file.display()))?;
    Ok(counted.map_or(0, |row| row.messages.unsigned_abs()))
}

/// Whether a file bears the mark.
pub(in crate::store) fn is_backup(file: &Path) -> bool {
    let mut head = [0; 72];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok()
        && head.starts_with(b"SQLite format 3\0")
        && head[68..] == APPLICATION_ID.to_be_bytes()
}

/// How long the file should be, by its own header; none when it is no file of SQLite's.
pub(super) fn length_in_header(file: &Path) -> Option<u64> {
    let mut head = [0; 100];
    File::open(file).ok()?.read_exact(&mut head).ok()?;
    if !head.starts_with(b"SQLite format 3\0") {
        return None;
    }
    // 65,536 does not fit into its two bytes, and is written as 1.
    let page = match u16::from_be_bytes([head[16], head[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    let pages = u32::from_be_bytes([head[28], head[29], head[30], head[31]]);
    Some(page * u64::from(pages))
}
