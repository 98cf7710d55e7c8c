//! Which past a database has. After a restore, and after a failover that lost something, numbers are used again: what
//! pages and caches know by them is of another past. So each past has a name: a random text in `settings`, which a
//! restore and a move renew, and on PostgreSQL the server's timeline, which a failover raises.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use tokio::sync::watch;

use super::{Store, failure, statement};
use crate::error::{Error, Result};

/// Under which setting the random text stands.
const INCARNATION: &str = "incarnation";

/// The name of a past.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Past {
    incarnation: String,
    timeline: String,
}

/// Knows the past that the database has now, and tells when it gets another.
#[derive(Debug, Clone, Default)]
pub(super) struct Pasts(Arc<watch::Sender<Past>>);

impl Pasts {
    /// A new connection to PostgreSQL leads to a server on this timeline.
    pub fn is_on(&self, timeline: &str) {
        self.0.send_if_modified(|past| {
            let is_other = past.timeline != timeline;
            timeline.clone_into(&mut past.timeline);
            is_other
        });
    }

    /// Takes the random text as the database has it.
    pub async fn begin(&self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        self.is_now(incarnation(db).await?);
        Ok(())
    }

    fn is_now(&self, found: String) {
        self.0.send_if_modified(|past| {
            std::mem::replace(&mut past.incarnation, found.clone()) != found
        });
    }
}

#[derive(FromQueryResult)]
struct ValueRow {
    value: String,
}

async fn find(db: &impl ConnectionTrait) -> Result<Option<String>, DbErr> {
    let sql = "SELECT value FROM settings WHERE name = $1";
    let found = ValueRow::find_by_statement(statement(db, sql, [INCARNATION.into()]));
    Ok(found.one(db).await?.map(|row| row.value))
}

/// The random text, made by whoever asks first.
async fn incarnation(db: &impl ConnectionTrait) -> Result<String, DbErr> {
    if let Some(found) = find(db).await? {
        return Ok(found);
    }
    let make = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    db.execute_raw(statement(db, make, [INCARNATION.into(), random().into()]))
        .await?;
    let made = find(db).await?;
    made.ok_or_else(|| DbErr::Custom("the database has lost its name".into()))
}

fn random() -> String {
    format!("{:016x}", rand::random::<u64>())
}

impl Store {
    /// The name of the past that the database has, as far as is known.
    pub fn version(&self) -> String {
        let past = self.pasts.0.borrow();
        format!("{}.{}", past.incarnation, past.timeline)
    }

    /// Waits until the database has another past than the one `known`; returns its name.
    pub async fn next_version(&self, known: &str) -> String {
        let mut pasts = self.pasts.0.subscribe();
        loop {
            let version = self.version();
            if version != known {
                return version;
            }
            if pasts.changed().await.is_err() {
                // The sender lives as long as the store.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Looks whether the database has another past than a moment ago.
    pub async fn check_version(&self) -> Result<(), Error> {
        match find(&self.read).await.map_err(failure)? {
            Some(found) => self.pasts.is_now(found),
            None => self.pasts.begin(&self.write).await.map_err(failure)?,
        }
        Ok(())
    }
}
