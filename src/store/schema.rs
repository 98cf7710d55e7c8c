//! Bringing the tables up to date when the program starts: once, also when several nodes start together, and never by
//! a program that is older than the database.

use std::{path::Path, time::Duration};

use migrations::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbErr, FromQueryResult,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::IntoSchemaManagerConnection;
use tokio::time::{Instant, sleep};
use tracing::{instrument::WithSubscriber as _, subscriber::NoSubscriber};

use super::{
    backup::{CopyFirst, copy_before_step},
    check, is_busy, is_full, postgres,
    progress::{Progress, Report, Unit, watched},
    server_lock, statement,
};

mod halves;

/// Under which target the migrations log each step, and that there was none.
pub const MIGRATIONS_LOG: &str = "sea_orm_migration";

/// The lock that nodes hold while they do this: `tertulia` in ASCII.
const LOCK: i64 = 0x7465_7274_756c_6961;
/// How long a node waits for another that is at it.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(FromQueryResult)]
struct Locked {
    is_ours: bool,
}

/// Does it to a file of SQLite's, after a copy of it if wanted, unless a server has it that could not do with other
/// tables.
///
/// # Errors
/// A sentence for the operator.
pub(super) async fn bring_file_up_to_date(
    db: &DatabaseConnection,
    file: &Path,
    copy_first: CopyFirst,
    report: Report<'_>,
) -> Result<(), String> {
    if server_lock::is_held_by_another(file) && !is_up_to_date(db).await? {
        return Err(format!(
            "{} is served by an older version of Tertulia: stop that server and start this version, which brings the \
             database up to date. Nothing was changed",
            file.display()
        ));
    }
    if copy_first == CopyFirst::Yes {
        copy_before_step(db, file, report).await?;
    }
    bring_up_to_date(db, report).await
}

/// Does it on a PostgreSQL server, while no other node does.
///
/// # Errors
/// A sentence for the operator.
pub(super) async fn bring_up_to_date_together(url: &str, report: Report<'_>) -> Result<(), String> {
    let db = Database::connect(postgres::plain(url, 1)).await;
    let db = db.map_err(super::not_opened)?;
    lock(&db).await?;
    let done = match warn_before_steps(&db).await {
        Ok(()) => bring_up_to_date(&db, report).await,
        Err(words) => Err(words),
    };
    // The lock ends with its connection.
    if let Err(err) = db.close().await {
        tracing::warn!(error = %err, "a connection did not close cleanly");
    }
    done
}

/// Takes the lock, or waits for it. The server frees it with the connection, so it is not left behind by a node that dies.
pub(super) async fn lock(db: &DatabaseConnection) -> Result<(), String> {
    let mut seen_at_work = Instant::now();
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
        // However long it takes, as long as the other one is at it.
        if is_at_work(db).await.map_err(super::not_opened)? {
            seen_at_work = Instant::now();
        }
        if seen_at_work.elapsed() > PATIENCE {
            return Err(format!(
                "another node holds the lock for bringing the database up to date, but has done nothing for {} \
                 seconds: end that node, then start this one again. The database is as it was",
                PATIENCE.as_secs()
            ));
        }
        if std::mem::take(&mut is_first) {
            tracing::info!("waiting for another node that brings the database up to date");
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Whether the node that has the lock runs a statement, or did so within the last moments. A server that does not tell
/// (another role's sessions are hidden) counts as yes.
async fn is_at_work(db: &DatabaseConnection) -> Result<bool, DbErr> {
    let wanted = statement(
        db,
        "SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
         AND l.classid::bigint = $1::bigint >> 32 AND l.objid::bigint = $1::bigint & 4294967295 \
         AND coalesce(a.state = 'active' OR a.state_change > clock_timestamp() - interval '10 seconds', true)) \
         AS is_ours",
        [LOCK.into()],
    );
    let found = Locked::find_by_statement(wanted).one(db).await?;
    Ok(found.is_some_and(|it| it.is_ours))
}

/// Takes the steps that this program knows and the database has not taken yet: all of them and their rows in the log in
/// one transaction, so whatever ends it early leaves the tables as they were.
///
/// # Errors
/// A sentence for the operator.
pub(super) async fn bring_up_to_date(
    db: &DatabaseConnection,
    report: Report<'_>,
) -> Result<(), String> {
    let steps = missing(db).await?;
    let Some(last) = steps.last() else {
        return Ok(());
    };
    let begun = Instant::now();
    let tx = begin(db).await?;
    let mended = halves::undo(&tx).await?;
    if mended > 0 {
        tracing::info!(
            "an earlier version was interrupted while it made its tables: {mended} of them were half made, and are made anew"
        );
    }
    let mut state = Progress {
        what: "bringing the database up to date".into(),
        done: 0,
        of: steps.len() as u64,
        unit: Unit::Steps,
    };
    for _ in &steps {
        state.done += 1;
        let step = take_steps(&tx, Some(1));
        watched(step, || report(&state)).await.map_err(not_done)?;
    }
    tx.commit().await.map_err(not_done)?;
    let (count, took) = (steps.len(), begun.elapsed().as_millis());
    tracing::info!(
        "the database was brought up to date in {count} steps, up to {last}, in {took} ms"
    );
    Ok(())
}

/// Takes so many of the missing steps, or all, without the library's own lines in the log.
async fn take_steps<'c>(
    db: impl IntoSchemaManagerConnection<'c>,
    steps: Option<u32>,
) -> Result<(), DbErr> {
    let taking = Migrator::up(db, steps);
    taking.with_subscriber(NoSubscriber::default()).await
}

/// On a server no copy is made: whoever operates it has other ways, and `tertulia backup` of the new version reads the
/// old schema.
async fn warn_before_steps(db: &DatabaseConnection) -> Result<(), String> {
    let steps = steps(db).await?;
    if let (Some(_), Some(next)) = (steps.last, steps.next) {
        tracing::warn!(
            "this database is brought up to date now, beginning with the step {next}; there is no way back but a \
             backup made before. Next time stop all nodes and run tertulia backup with the new version first"
        );
    }
    Ok(())
}

/// A transaction that nobody else can be inside of: on SQLite it waits for other processes, on PostgreSQL the caller
/// holds the lock.
async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, String> {
    let begun = Instant::now();
    loop {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        match db.begin_with_options(options).await {
            Err(err) if is_busy(&err) && begun.elapsed() < PATIENCE => {
                tracing::info!("waiting for another process that writes to the database");
            }
            begun => return begun.map_err(not_done),
        }
    }
}

/// The steps that this program knows and the database has not taken, oldest first.
///
/// # Errors
/// A sentence for the operator: it has taken others, or does not say.
async fn missing(db: &impl ConnectionTrait) -> Result<Vec<String>, String> {
    let known = Migrator::get_migration_files();
    let mut known: Vec<_> = known.iter().map(|it| it.name().to_owned()).collect();
    for step in taken(db).await.map_err(not_done)? {
        let Some(at) = known.iter().position(|it| *it == step) else {
            return Err(format!(
                "this database belongs to a newer version of Tertulia (it has taken the step {step}): start that \
                 version, or restore a backup from before it"
            ));
        };
        known.remove(at);
    }
    Ok(known)
}

/// How far a schema is.
#[derive(Debug)]
pub(super) struct Steps {
    /// How many steps it has taken.
    pub count: u32,
    /// The last of them.
    pub last: Option<String>,
    /// The one that is taken next.
    pub next: Option<String>,
}

/// How many of the steps that this program knows the database has taken.
///
/// # Errors
/// A sentence for the operator: it has taken others, or does not say.
pub(super) async fn steps(db: &impl ConnectionTrait) -> Result<Steps, String> {
    let missing = missing(db).await?;
    let taken = taken(db).await.map_err(not_done)?;
    Ok(Steps {
        count: u32::try_from(taken.len()).unwrap_or(u32::MAX),
        next: missing.into_iter().next(),
        last: taken.into_iter().next_back(),
    })
}

/// Whether the database has taken all steps that this program knows.
///
/// # Errors
/// As [`steps`].
pub(super) async fn is_up_to_date(db: &impl ConnectionTrait) -> Result<bool, String> {
    Ok(missing(db).await?.is_empty())
}

/// Makes the tables of an empty database as they are after so many steps.
///
/// # Errors
/// A sentence for the operator.
pub(super) async fn make_tables(db: &DatabaseConnection, count: u32) -> Result<(), String> {
    let taken = steps(db).await?.count;
    let done = match taken <= count {
        true => take_steps(db, Some(count - taken)).await,
        false => Migrator::down(db, Some(taken - count)).await,
    };
    done.map_err(not_done)
}

fn not_done(err: DbErr) -> String {
    let remedy = match is_full(&err) {
        true => ". The disk is full: make room and start again",
        false => "",
    };
    format!("cannot bring the database up to date: {err}. Nothing was changed in it{remedy}")
}

#[derive(FromQueryResult)]
struct Step {
    version: String,
}

/// The steps that the database has taken.
async fn taken(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    if !check::tables(db).await?.contains("seaql_migrations") {
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
