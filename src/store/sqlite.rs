//! SQLite: one connection that writes, several that only read, and what its errors mean.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::{
    fs::{Access, access},
    io::Errno,
};
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbErr,
    sqlx::{Connection as _, sqlite::SqliteJournalMode, sqlite::SqliteSynchronous},
};

use super::{
    health::Cause, is_busy as is_locked, is_full as has_no_room, leftover, quiet, rights,
    server_lock,
};

/// How many read-only connections there are; reads are short, and two cores serve them.
pub(super) const READERS: u32 = 4;
/// How many rows SQLite's thread may be ahead of who reads them: a whole lobby, so that the two rarely wait in turns.
const ROWS: usize = 1024;
/// How much of a file that is being made stays in memory: 64 MiB, as SQLite writes it.
const CACHE: &str = "-65536";
/// How long a statement waits for another process that has locked the database file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);
/// How long to wait before a file that another process has locked is opened again.
const PAUSE: Duration = Duration::from_millis(20);

/// How large the write-ahead log stays when it is begun anew: twice what it usually grows to. While somebody reads for
/// long it grows without bound, and is cut back to this afterwards.
const LOG_SIZE: &str = "8388608";

/// Of the connection that writes: whether it is doubtful, so that it is to be opened anew, and how often it was.
pub(super) type WriterMarks = (Arc<AtomicBool>, Arc<AtomicU64>);

/// Opens the connection that writes, and makes the file if there is none. First it looks at what was left beside the
/// file, before SQLite takes that for a part of it. Of several processes that open a new file at once, one sets its mode
/// and the others wait; SQLite itself does not wait for that.
///
/// # Errors
/// A sentence for the operator. Nothing was changed.
pub(super) async fn open(file: &Path, marks: WriterMarks) -> Result<DatabaseConnection, String> {
    leftover::check(file, leftover::PATIENCE).await?;
    rights::make_room_for(file)?;
    can_be_used(file)?;
    let begun = Instant::now();
    loop {
        match Database::connect(options(file, 1, Some(marks.clone()))).await {
            Err(err) if is_locked(&err) && begun.elapsed() < BUSY_TIMEOUT => {
                tokio::time::sleep(PAUSE).await;
            }
            opened => return opened.map_err(|err| not_opened_in(file, &err)),
        }
    }
}

/// SQLite only says that it cannot open a file, not why.
fn not_opened_in(file: &Path, err: &DbErr) -> String {
    // Not a database (26).
    if matches!(super::code(err), Some(super::Code::Sqlite(code)) if code == "26") {
        return format!(
            "cannot open the database {}: it is not a database of SQLite's. It was left as it is: name another file \
             with --database (TERTULIA_DATABASE), or restore a backup",
            file.display()
        );
    }
    let mut words = format!("cannot open the database {}: {err}", file.display());
    words += &rights::who_may_write(file);
    if has_no_room(err) || rights::disk_is_full(file) {
        words += ". The disk is full: make room and start again. Nothing was changed";
    }
    words
}

/// Whether a database can be opened and written here, or made if there is none.
///
/// # Errors
/// A sentence that says what stands in the way: SQLite itself only says that it cannot open the file.
pub(super) fn can_be_used(file: &Path) -> Result<(), String> {
    let name = file.display();
    let dir = match file.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    if file.is_dir() {
        return Err(format!(
            "cannot open the database {name}: it is a directory. Write the path of a file in it into --database \
             (TERTULIA_DATABASE), or the directory into --data (TERTULIA_DATA)"
        ));
    }
    // One that may only be read is served: posts are refused until it may be written.
    match access(file, Access::READ_OK) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(err) => {
            let words = rights::who_may_write(file);
            return Err(format!("cannot read the database {name}: {err}{words}"));
        }
    }
    // Beside the file come its write-ahead log and the log's index.
    access(dir, Access::WRITE_OK | Access::EXEC_OK).map_err(|err| {
        let words = rights::who_may_write(file);
        format!(
            "cannot write in {}, where the database needs more files beside it: {err}{words}",
            dir.display()
        )
    })
}

/// Every commit reaches the disk before it is answered (`synchronous = FULL`), readers never wait for it (WAL).
/// The connection that writes is opened anew when it is doubtful, and that is counted; without marks connections only read.
pub(super) fn options(
    file: &Path,
    connections: u32,
    writer: Option<WriterMarks>,
) -> ConnectOptions {
    let read_only = writer.is_none();
    let file = file.to_path_buf();
    let mut options = ConnectOptions::new("sqlite::memory:");
    quiet(&mut options, connections).map_sqlx_sqlite_opts(move |opts| {
        let opts = opts
            .filename(&file)
            .in_memory(false)
            .shared_cache(false)
            .busy_timeout(BUSY_TIMEOUT)
            .row_buffer_size(ROWS);
        let opts = opts
            .read_only(read_only)
            .create_if_missing(!read_only)
            .foreign_keys(true);
        match read_only {
            true => opts,
            false => opts
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .pragma("journal_size_limit", LOG_SIZE),
        }
    });
    options.map_sqlx_sqlite_before_acquire(move |connection, _| {
        // A transaction that SQLite itself took back (the disk is full) is still counted by sqlx, which from then on
        // only sets savepoints inside it: commits would be answered and never made. The pool opens another instead.
        let is_at_rest = !connection.is_in_transaction();
        let doubtful = writer.as_ref().map(|(doubtful, _)| doubtful);
        let is_doubtful = doubtful.is_some_and(|it| it.swap(false, Ordering::Relaxed));
        let is_kept = is_at_rest && !is_doubtful;
        if let Some((_, reopened)) = writer.as_ref().filter(|_| !is_kept) {
            reopened.fetch_add(1, Ordering::Relaxed);
        }
        Box::pin(async move { Ok(is_kept) })
    });
    options
}

/// A connection that writes once to a file that is there, and waits so long for whoever has locked it.
pub(super) fn options_for_probe(file: &Path, patience: Duration) -> ConnectOptions {
    let file = file.to_path_buf();
    let mut options = ConnectOptions::new("sqlite::memory:");
    quiet(&mut options, 1)
        .acquire_timeout(patience)
        .map_sqlx_sqlite_opts(move |opts| {
            opts.filename(&file)
                .in_memory(false)
                .shared_cache(false)
                .create_if_missing(false)
                .busy_timeout(patience / 2)
                .synchronous(SqliteSynchronous::Full)
        });
    options
}

/// What SQLite's code says of the file; `None` when it only speaks of the statement, as for a constraint.
pub(super) fn cause(code: &str) -> Option<Cause> {
    let code: u32 = code.parse().ok()?;
    Some(match (code, code & 0xff) {
        // The file was moved away under the connection.
        (1032, _) => Cause::Replaced,
        (_, 5 | 6) => Cause::Locked,
        (_, 8) => Cause::ReadOnly,
        (_, 10) => Cause::Disk,
        (_, 11 | 26) => Cause::Damaged,
        (_, 13) => Cause::DiskFull,
        (_, 14) => Cause::NotOpened,
        // Too big, constraint, mismatch, range.
        (_, 18 | 19 | 20 | 25) => return None,
        _ => Cause::Other,
    })
}

/// A connection that reads a file and leaves no trace beside it. A file without a `-wal` is read as one that nobody
/// changes: SQLite makes a log and an index even to read, and only a connection that writes clears them away.
pub(super) fn only_reading(file: &Path) -> ConnectOptions {
    let mut options = options(file, 1, None);
    if !leftover::is_beside(file) && !server_lock::is_held_by_another(file) {
        let file = file.to_path_buf();
        options.map_sqlx_sqlite_opts(move |opts| {
            let opts = opts.filename(&file).in_memory(false).shared_cache(false);
            opts.read_only(true).immutable(true)
        });
    }
    options
}

/// A file that is worth nothing until it is whole: nothing in it is safe from a loss of power before whoever makes it
/// flushes it.
pub(super) fn preliminary(file: &Path) -> ConnectOptions {
    let file = file.to_path_buf();
    let mut options = ConnectOptions::new("sqlite::memory:");
    quiet(&mut options, 1).map_sqlx_sqlite_opts(move |opts| {
        opts.filename(&file)
            .in_memory(false)
            .shared_cache(false)
            .foreign_keys(false)
            .journal_mode(SqliteJournalMode::Memory)
            .synchronous(SqliteSynchronous::Off)
            .pragma("cache_size", CACHE)
    });
    options
}

/// SQLite's busy (5), locked (6), read-only (8), I/O error (10), full (13) and "cannot open" (14, as without file
/// descriptors) can pass.
pub(super) fn can_pass(code: &str) -> bool {
    let code = code.parse::<u32>().ok();
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14))
}

/// SQLite's corrupt (11) and "not a database" (26).
pub(super) fn is_damage(code: &str) -> bool {
    let code = code.parse::<u32>().ok();
    code.is_some_and(|code| matches!(code & 0xff, 11 | 26))
}

/// SQLite's busy (5) and locked (6).
pub(super) fn is_busy(code: &str) -> bool {
    let code = code.parse::<u32>().ok();
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

/// SQLite's full (13).
pub(super) fn is_full(code: &str) -> bool {
    code.parse::<u32>().is_ok_and(|code| code & 0xff == 13)
}
