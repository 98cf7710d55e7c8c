//! SQLite: one connection that writes, several that only read, and what its errors mean.

use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sea_orm::{
    ConnectOptions,
    sqlx::{Connection as _, sqlite::SqliteJournalMode, sqlite::SqliteSynchronous},
};

use super::quiet;

/// How many read-only connections there are; reads are short, and two cores serve them.
pub(super) const READERS: u32 = 4;
/// How many rows SQLite's thread may be ahead of who reads them: a whole lobby, so that the two rarely wait in turns.
const ROWS: usize = 1024;
/// How long a statement waits for another process that has locked the database file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);

/// What people say to each other is in there: only the operator's own account may look into a directory made here.
pub(super) fn make_room_for(file: &Path) -> Result<(), String> {
    let Some(dir) = file.parent().filter(|dir| !dir.as_os_str().is_empty()) else {
        return Ok(());
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|err| format!("cannot create the directory {}: {err}", dir.display()))
}

/// Every commit reaches the disk before it is answered (`synchronous = FULL`), readers never wait for it (WAL).
/// The connection that writes is opened anew when it is doubtful; without that mark connections only read.
pub(super) fn options(
    file: &Path,
    connections: u32,
    doubtful: Option<Arc<AtomicBool>>,
) -> ConnectOptions {
    let read_only = doubtful.is_none();
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
                .synchronous(SqliteSynchronous::Full),
        }
    });
    options.map_sqlx_sqlite_before_acquire(move |connection, _| {
        // A transaction that SQLite itself took back (the disk is full) is still counted by sqlx, which from then on
        // only sets savepoints inside it: commits would be answered and never made. The pool opens another instead.
        let is_at_rest = !connection.is_in_transaction();
        let is_doubtful = doubtful.as_ref();
        let is_doubtful = is_doubtful.is_some_and(|it| it.swap(false, Ordering::Relaxed));
        Box::pin(async move { Ok(is_at_rest && !is_doubtful) })
    });
    options
}

/// SQLite's busy (5), locked (6), read-only (8), I/O error (10), full (13) and "cannot open" (14, as without file
/// descriptors) can pass.
pub(super) fn can_pass(code: &str) -> bool {
    let code = code.parse::<u32>().ok();
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14))
}
