//! Why a database does not do what it is asked, in a word.

use sea_orm::{DbErr, RuntimeErr, sqlx};

use crate::store::{Code, code, postgres, sqlite};

/// Why a statement failed, when that is not the statement's own fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// There is no room left on the disk.
    DiskFull,
    /// The file, the disk or the server only reads.
    ReadOnly,
    /// Somebody else holds a lock for too long.
    Locked,
    /// What is stored contradicts itself.
    Damaged,
    /// The file is not where it was opened any more: removed, or another one in its place.
    Replaced,
    /// The disk reports errors.
    Disk,
    /// The file cannot be opened: rights, descriptors.
    NotOpened,
    /// The server is not there, is starting or stopping, or has no connection left.
    Unreachable,
    /// There was no answer in time.
    NoAnswer,
    /// Something else, which is in the log.
    Other,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::DiskFull,
        Self::ReadOnly,
        Self::Locked,
        Self::Damaged,
        Self::Replaced,
        Self::Disk,
        Self::NotOpened,
        Self::Unreachable,
        Self::NoAnswer,
        Self::Other,
    ];

    /// As people read it; with `_` for spaces and hyphens it is what metrics call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DiskFull => "disk full",
            Self::ReadOnly => "read-only",
            Self::Locked => "locked",
            Self::Damaged => "damaged",
            Self::Replaced => "file replaced",
            Self::Disk => "disk error",
            Self::NotOpened => "cannot be opened",
            Self::Unreachable => "unreachable",
            Self::NoAnswer => "no answer",
            Self::Other => "other",
        }
    }

    /// What an error says of the database; `None` for one that the statement itself deserves, as a name that is taken.
    pub(in crate::store) fn of(err: &DbErr) -> Option<Self> {
        match code(err) {
            Some(Code::Sqlite(code)) => return sqlite::cause(&code),
            Some(Code::Postgres(code)) => return postgres::cause(&code),
            None => {}
        }
        match err {
            DbErr::Conn(RuntimeErr::Internal(_)) => Some(Self::NoAnswer),
            DbErr::Conn(RuntimeErr::SqlxError(err))
            | DbErr::Exec(RuntimeErr::SqlxError(err))
            | DbErr::Query(RuntimeErr::SqlxError(err)) => Self::of_connection(err),
            DbErr::ConnectionAcquire(_) => Some(Self::Unreachable),
            _ => None,
        }
    }

    fn of_connection(err: &sqlx::Error) -> Option<Self> {
        use sqlx::Error::{
            BeginFailed, Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed,
        };
        match err {
            Io(_) | Tls(_) | Protocol(_) | BeginFailed | PoolClosed | WorkerCrashed => {
                Some(Self::Unreachable)
            }
            PoolTimedOut => Some(Self::NoAnswer),
            _ => None,
        }
    }
}
