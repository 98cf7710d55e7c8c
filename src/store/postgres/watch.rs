//! A PostgreSQL server looked at again and again over a new connection, as anybody finds it who comes to its address now.
//!
//! What is wrong with it is said in words, once. An address can lead to another server than before: the standby of a
//! failover. Its timeline tells; connections to the former primary are given up then, for what is committed there is
//! lost to everybody else.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sea_orm::sqlx::{self, Connection as _, PgConnection, Row as _};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use super::{
    Suspicion,
    trouble::{Place, Trouble},
};

/// How often it is looked while all is well, and while it is not. A failover is noticed within 10 s.
const CALM: Duration = Duration::from_secs(5);
const ALERT: Duration = Duration::from_secs(1);
/// How far apart two looks are at least, also when somebody asks for one.
const APART: Duration = Duration::from_millis(300);
/// How long a look may take.
const LOOK: Duration = Duration::from_secs(3);

/// The timeline of a server that takes writes.
pub(in crate::store) const TIMELINE: &str = "left(pg_walfile_name(pg_current_wal_lsn()), 8)";

/// What is known of a server; cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::store) struct Watch(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Place,
    suspicion: Suspicion,
    known: Mutex<Known>,
    asked: Notify,
}

#[derive(Debug, Default)]
struct Known {
    trouble: Option<Trouble>,
}

/// What a look found.
enum Found {
    /// It takes writes; its timeline, if it says so.
    Writable(Option<String>),
    /// It is a standby.
    OnlyReads,
    /// It did not answer in time.
    Silent,
    /// It cannot be used at all.
    Unusable(Trouble),
}

impl Watch {
    /// A watch that has not looked yet.
    pub fn new(place: Place, suspicion: Suspicion) -> Self {
        Self(Arc::new(Inner {
            place,
            suspicion,
            known: Mutex::default(),
            asked: Notify::new(),
        }))
    }

    /// Why the server cannot be used, in a few words without its address, as long as that is so.
    pub fn cause(&self) -> Option<String> {
        let known = self.lock();
        known.trouble.as_ref().map(|it| it.cause.clone())
    }

    /// The timeline of the server at the address, as the newest connection found it.
    pub fn timeline(&self) -> Option<String> {
        self.0.suspicion.timeline()
    }

    /// Something went wrong with a connection: look soon.
    pub fn look_soon(&self) {
        self.0.asked.notify_one();
    }

    /// Gives up all connections that were opened until now.
    pub fn give_all_up(&self) {
        self.0.suspicion.give_all_up();
        self.look_soon();
    }

    /// Looks until it is dropped.
    pub async fn run(self) {
        let mut is_silent = false;
        loop {
            let begun = Instant::now();
            let found = self.look().await;
            // A machine that is busy for a moment is no news.
            let is_news = !matches!(found, Found::Silent) || is_silent;
            is_silent = matches!(found, Found::Silent);
            if is_news {
                self.note(found);
            }
            let pause = match self.cause().is_none() && !is_silent {
                true => CALM,
                false => ALERT,
            };
            sleep(APART).await;
            // Both ways it is time to look.
            let _ = timeout(
                pause.saturating_sub(begun.elapsed()),
                self.0.asked.notified(),
            )
            .await;
        }
    }

    async fn look(&self) -> Found {
        let looked = async {
            let options = self.0.place.options().clone().application_name("tertulia");
            let mut connection = PgConnection::connect_with(&options).await?;
            let found = match only_reads(&mut connection).await? {
                true => Found::OnlyReads,
                // Not every server that speaks PostgreSQL has timelines.
                false => Found::Writable(timeline(&mut connection).await.ok()),
            };
            // Nothing was changed over it, so nothing depends on how it ends.
            let _ = connection.close().await;
            Ok(found)
        };
        match timeout(LOOK, looked).await {
            Ok(Ok(found)) => found,
            Ok(Err(err)) => Found::Unusable(self.0.place.trouble(&err)),
            Err(_) => Found::Silent,
        }
    }

    fn note(&self, found: Found) {
        let place = &self.0.place;
        let trouble = match found {
            Found::Writable(timeline) => {
                if let Some(timeline) = timeline {
                    self.0.suspicion.meets(&timeline);
                }
                None
            }
            Found::OnlyReads => Some(place.only_reads()),
            Found::Silent => Some(place.silent()),
            Found::Unusable(trouble) => Some(trouble),
        };
        let before = std::mem::replace(&mut self.lock().trouble, trouble.clone());
        match trouble {
            Some(now) if before.as_ref() != Some(&now) => {
                tracing::warn!("{} What is posted meanwhile is refused.", now.words);
            }
            None if before.is_some() => tracing::info!("{place} can be used again"),
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether nothing can be written over this connection.
pub(in crate::store) async fn only_reads(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let sql =
        "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'";
    sqlx::query(sql).fetch_one(connection).await?.try_get(0)
}

/// The timeline of the server at the other end: each failover begins another.
pub(super) async fn timeline(connection: &mut PgConnection) -> sqlx::Result<String> {
    let sql = format!("SELECT {TIMELINE}");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .fetch_one(connection)
        .await?
        .try_get(0)
}
