//! What a server that did not stop cleanly left beside its database: a write-ahead log, the `-wal`.
//!
//! SQLite takes it for the end of whatever file it lies beside. That is right after a kill, and ruins a backup that was
//! copied over the file, because nothing in the log says which file it belongs to. So both are read together first,
//! over a connection that cannot write.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sea_orm::{Database, DbErr};

use super::{Code, check, code, is_busy, server_lock, sqlite};

/// How long the check may take before it is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// After how many steps of SQLite's machine it looks at the time: a few milliseconds.
const STEPS: i32 = 100_000;
/// SQLite's "interrupted".
const INTERRUPTED: &str = "9";

/// Refuses a database and a `-wal` beside it that do not make a sound database together. Changes neither. While a server
/// runs the `-wal` is its own, and nothing is looked at.
///
/// # Errors
/// A sentence for the operator: what is wrong and what to do.
pub(super) async fn check(database: &Path, patience: Duration) -> Result<(), String> {
    let log = beside(database, "-wal");
    if !is_beside(database) || server_lock::is_held_by_another(database) {
        return Ok(());
    }
    if size(database) == 0 {
        return Err(format!(
            "{} is there, but {} is not, or is empty: the last messages of a database would be lost with it. Put the \
             two together again, or move the -wal away. Nothing was changed",
            log.display(),
            database.display()
        ));
    }
    let begun = Instant::now();
    match faults(database, patience).await {
        Ok(faults) if faults.is_empty() => {
            let took = begun.elapsed().as_millis();
            tracing::info!(
                "the last server did not stop cleanly; its database was checked in {took} ms and is sound"
            );
            Ok(())
        }
        Ok(faults) => Err(refusal(database, &faults)),
        Err(err) if is_interrupted(&err) => {
            tracing::warn!(
                "the last server did not stop cleanly, and checking its database takes longer than {} seconds: it is \
                 served without the check",
                patience.as_secs()
            );
            Ok(())
        }
        // The next who opens it for writing waits for the lock, or says what is wrong with the place.
        Err(err) if is_busy(&err) || is_not_opened(&err) => {
            tracing::warn!(error = %err, "the last server did not stop cleanly, and its database could not be checked");
            Ok(())
        }
        Err(err) => Err(refusal(database, &[err.to_string()])),
    }
}

fn refusal(database: &Path, faults: &[String]) -> String {
    format!(
        "{file} together with the {file}-wal beside it is not a sound database ({}). Nothing was changed, and nothing is \
         served. If a backup was copied over {file}: the -wal belongs to the file that was there before. Move {file}, \
         {file}-wal and {file}-shm out of the way and put the backup in with `tertulia restore --from BACKUP`. If \
         nothing was copied, the disk has done harm: restore the newest backup in the same way. Only who is sure that the two belong together folds them into one \
         for good: sqlite3 {file} 'PRAGMA wal_checkpoint(TRUNCATE)'",
        faults.join("; "),
        file = database.display(),
    )
}

/// Asks SQLite until the time is over, which ends its statement with an error.
async fn faults(database: &Path, patience: Duration) -> Result<Vec<String>, DbErr> {
    let end = Instant::now() + patience;
    let mut options = sqlite::options(database, 1, None);
    options.map_sqlx_sqlite_pool_opts(move |pool| {
        pool.after_connect(move |connection, _| {
            Box::pin(async move {
                let mut handle = connection.lock_handle().await?;
                handle.set_progress_handler(STEPS, move || Instant::now() < end);
                Ok(())
            })
        })
    });
    let db = Database::connect(options).await?;
    let found = check::faults_of_the_whole(&db).await;
    if let Err(err) = db.close().await {
        tracing::debug!(error = %err, "a connection did not close cleanly");
    }
    found
}

/// Whether SQLite cannot make or open what it needs beside the file (14), or may not write there (8).
fn is_not_opened(err: &DbErr) -> bool {
    let primary = |code: &str| code.parse::<u32>().map(|code| code & 0xff);
    matches!(code(err), Some(Code::Sqlite(code)) if matches!(primary(&code), Ok(8 | 14)))
}

fn is_interrupted(err: &DbErr) -> bool {
    matches!(code(err), Some(Code::Sqlite(code)) if code == INTERRUPTED)
}

/// Whether there is a `-wal` with something in it.
pub(super) fn is_beside(database: &Path) -> bool {
    size(&beside(database, "-wal")) > 0
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf());
    let mut path = file.into_os_string();
    path.push(ending);
    path.into()
}

/// Of a file that is not there, nothing.
fn size(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |it| it.len())
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait as _;

    use super::*;
    use crate::store::check::tests::sound;

    #[tokio::test]
    async fn a_check_that_takes_too_long_is_given_up_and_the_database_is_served() {
        let (_data, file) = sound(20_000).await;
        let open = sqlite::open(&file, Default::default()).await;
        let open = open.expect("it is there");
        let harm = "DELETE FROM messages WHERE seq = 3";
        open.execute_unprepared(harm).await.expect("it is there");
        assert!(size(&beside(&file, "-wal")) > 0);
        let said = check(&file, PATIENCE).await.expect_err("a message is lost");
        assert!(
            said.contains("have a hole") && said.contains("tertulia restore"),
            "{said}"
        );
        check(&file, Duration::ZERO)
            .await
            .expect("there was no time to find it");
        open.close().await.expect("it was open");
    }

    #[tokio::test]
    async fn what_cannot_even_be_checked_is_refused_and_left_alone() {
        let (_data, file) = sound(200).await;
        let open = sqlite::open(&file, Default::default()).await;
        let open = open.expect("it is there");
        let work = "UPDATE messages SET body = body || body";
        open.execute_unprepared(work).await.expect("it is there");
        let other = tempfile::TempDir::new().expect("a directory");
        let copy = other.path().join("tertulia.db");
        fs::copy(beside(&file, "-wal"), beside(&copy, "-wal")).expect("room");
        fs::write(&copy, "no database at all ".repeat(1_000)).expect("room");
        let before = (fs::read(&copy).ok(), fs::read(beside(&copy, "-wal")).ok());
        let said = check(&copy, PATIENCE).await.expect_err("it is no database");
        assert!(said.contains("tertulia restore"), "{said}");
        let after = (fs::read(&copy).ok(), fs::read(beside(&copy, "-wal")).ok());
        assert!(before == after, "something was changed");
        open.close().await.expect("it was open");
    }

    #[tokio::test]
    async fn the_end_of_a_database_that_is_not_there_is_not_thrown_away() {
        let data = tempfile::TempDir::new().expect("a directory");
        let file = data.path().join("tertulia.db");
        fs::write(beside(&file, "-wal"), "the last messages").expect("a file");
        for is_there in [false, true] {
            if is_there {
                fs::write(&file, "").expect("a file");
            }
            let said = check(&file, PATIENCE)
                .await
                .expect_err("there is no database");
            assert!(said.contains("would be lost"), "{said}");
        }
    }
}
