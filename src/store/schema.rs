//! Bringing the tables up to date when the program starts: once, also when several nodes start together, and never by
//! a program that is older than the database.

use std::time::Duration;

use migrations::{Migrator, MigratorTrait};
use sea_orm::{Database, DatabaseConnection, DbErr, FromQueryResult};
use sea_orm_migration::SchemaManager;
use tokio::time::{Instant, sleep};

use super::{postgres, statement};

/// The lock that nodes hold while they do this: `tertulia` in ASCII.
const LOCK: i64 = 0x7465_7274_756c_6961;
/// How long a node waits for another that is at it.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(FromQueryResult)]
struct Locked {
    is_ours: bool,
}

/// Does it on a PostgreSQL server, while no other node does.
///
/// # Errors
/// A sentence for the operator.
pub(super) async fn bring_up_to_date_together(url: &str) -> Result<(), String> {
    let db = Database::connect(postgres::plain(url, 1)).await;
    let db = db.map_err(super::not_opened)?;
    lock(&db).await?;
    let done = bring_up_to_date(&db).await;
    // The lock ends with its connection.
    if let Err(err) = db.close().await {
        tracing::warn!(error = %err, "a connection did not close cleanly");
    }
    done
}

/// Takes the lock, or waits for it. The server frees it with the connection, so it is not left behind by a node that dies.
pub(super) async fn lock(db: &DatabaseConnection) -> Result<(), String> {
    let begun = Instant::now();
    let mut is_first = true;
    loop {
        let wanted = statement(
            db,
            "SELECT pg_try_advisory_lock($1) AS is_ours",
            [LOCK.into()],
        );
        let locked = Locked::find_by_statement(wanted).one(db).await;
        if locked
            .map_err(super::not_opened)?
            .is_some_and(|it| it.is_ours)
        {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!(
                "another node has been bringing the database up to date for {} seconds: start this one again when it \
                 is done",
                PATIENCE.as_secs()
            ));
        }
        if std::mem::take(&mut is_first) {
            tracing::info!("waiting for another node that brings the database up to date");
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Takes the steps that this program knows and the database has not taken yet.
///
/// # Errors
/// A sentence for the operator.
pub(super) async fn bring_up_to_date(db: &DatabaseConnection) -> Result<(), String> {
    is_up_to_date(db).await?;
    Migrator::up(db, None).await.map_err(not_done)
}

/// Whether the database has taken all steps that this program knows.
///
/// # Errors
/// A sentence for the operator: it has taken others, or does not say.
pub(super) async fn is_up_to_date(db: &DatabaseConnection) -> Result<bool, String> {
    let known = Migrator::get_migration_files();
    let taken = taken(db).await.map_err(not_done)?;
    for step in &taken {
        if !known.iter().any(|it| it.name() == step) {
            return Err(format!(
                "this database belongs to a newer version of Tertulia (it has taken the step {step}): start that \
                 version, or restore a backup from before it"
            ));
        }
    }
    Ok(taken.len() == known.len())
}

fn not_done(err: DbErr) -> String {
    format!("cannot bring the database up to date: {err}")
}

#[derive(FromQueryResult)]
struct Step {
    version: String,
}

/// The steps that the database has taken.
async fn taken(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    if !SchemaManager::new(db).has_table("seaql_migrations").await? {
        return Ok(Vec::new());
    }
    let wanted = statement(
        db,
        "SELECT version FROM seaql_migrations ORDER BY version",
        [],
    );
    let steps = Step::find_by_statement(wanted).all(db).await?;
    Ok(steps.into_iter().map(|step| step.version).collect())
}
