//! What a database says of its tables and of the time, asked once over a connection that only reads.

use std::time::Duration;

use migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, Database, DbBackend, DbErr, FromQueryResult};

use super::{check, not_opened, postgres, schema, sqlite, statement};
use crate::{clock::UnixMillis, config::DatabaseUrl};

/// What it says.
#[derive(Debug)]
pub struct Moments {
    /// When anything last changed in any room; 1970 where there is none.
    pub newest: UnixMillis,
    /// What its server has for the present; SQLite has none.
    pub server: Option<UnixMillis>,
    /// Why its tables are not those of this version, if they are not.
    pub behind: Option<String>,
}

#[derive(FromQueryResult)]
struct TimeRow {
    millis: i64,
}

/// The newest step that this version knows, as the start line and `doctor` name it.
pub fn newest_step() -> String {
    let steps = Migrator::migrations();
    steps
        .last()
        .map_or(String::new(), |step| step.name().into())
}

/// Asks the database.
///
/// # Errors
/// A sentence for the operator: it cannot be opened or read.
pub async fn read(url: &DatabaseUrl) -> Result<Moments, String> {
    let options = match url {
        DatabaseUrl::Sqlite(file) => sqlite::options(file, 1, None),
        DatabaseUrl::Postgres(url) => {
            postgres::reach(url, Duration::ZERO).await?;
            postgres::plain(url, 1)
        }
    };
    let db = Database::connect(options).await.map_err(not_opened)?;
    let read = moments(&db).await;
    if let Err(err) = db.close().await {
        tracing::debug!(error = %err, "a connection did not close cleanly");
    }
    read.map_err(|err| format!("cannot read the database: {err}"))
}

async fn moments(db: &impl ConnectionTrait) -> Result<Moments, DbErr> {
    let behind = match schema::is_up_to_date(db).await {
        Ok(true) => None,
        Ok(false) => Some("the tables are those of an older version".into()),
        Err(words) => Some(words),
    };
    let newest = match check::tables(db).await?.contains("rooms") {
        true => time(db, NEWEST).await?,
        false => UnixMillis::default(),
    };
    let server = match db.get_database_backend() {
        DbBackend::Postgres => Some(time(db, NOW).await?),
        _ => None,
    };
    Ok(Moments {
        newest,
        server,
        behind,
    })
}

const NEWEST: &str = "SELECT COALESCE(MAX(changed), 0) AS millis FROM rooms";
const NOW: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS millis";

async fn time(db: &impl ConnectionTrait, sql: &str) -> Result<UnixMillis, DbErr> {
    let row = TimeRow::find_by_statement(statement(db, sql, []))
        .one(db)
        .await?;
    Ok(UnixMillis(row.map_or(0, |row| row.millis)))
}
