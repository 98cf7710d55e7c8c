//! Facts about sessions, as `tower_sessions` wants them kept.
//!
//! The row's key is a hash of the session's id, so a stolen database opens no session. The person's id stands in a
//! column of its own, so that all sessions of a person can be ended.

use std::fmt::Write as _;

use async_trait::async_trait;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::OnConflict};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{self, Error as SessionError},
};

use super::{Store, Transaction, entity::session, failure};
use crate::{clock::Clock, error::Result, ids::UserId};

/// The key in a session's data under which the signed-in person's id stands.
pub const USER: &str = "user";

/// Keeps sessions in the database; what `tower_sessions::Session` is given.
#[derive(Debug, Clone)]
pub struct Sessions {
    store: Store,
    clock: Clock,
}

impl Sessions {
    /// Sessions kept in `store`, judged by `clock`.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// What the store calls a session: nobody can sign in by it.
    pub fn name(id: &Id) -> String {
        key(id)
    }

    /// Removes what has expired; returns how many.
    pub async fn delete_expired(&self) -> Result<u64> {
        let expired =
            session::Entity::delete_many().filter(session::Column::Expires.lte(self.clock.now().0));
        Ok(expired
            .exec(&self.store.write)
            .await
            .map_err(failure)?
            .rows_affected)
    }
}

/// Ends all sessions of `user`, but for the one that the store calls `kept`.
pub(super) async fn delete_of(tx: &Transaction, user: UserId, kept: Option<&str>) -> Result<()> {
    let theirs = session::Entity::delete_many().filter(session::Column::UserId.eq(user.0));
    let ended = match kept {
        Some(kept) => theirs.filter(session::Column::Id.ne(kept)),
        None => theirs,
    };
    ended.exec(tx).await.map_err(failure)?;
    Ok(())
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        // 128 random bits do not collide; if they ever did, the insert would fail and nobody would be signed in.
        let row = row(record)?;
        session::Entity::insert(row)
            .exec_without_returning(&self.store.write)
            .await
            .map_err(backend)?;
        Ok(())
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let replace = OnConflict::column(session::Column::Id)
            .update_columns([
                session::Column::UserId,
                session::Column::Data,
                session::Column::Expires,
            ])
            .to_owned();
        let saved = session::Entity::insert(row(record)?).on_conflict(replace);
        saved
            .exec_without_returning(&self.store.write)
            .await
            .map_err(backend)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let found = session::Entity::find_by_id(key(id))
            .one(&self.store.read)
            .await
            .map_err(backend)?;
        let Some(row) = found.filter(|row| row.expires > self.clock.now().0) else {
            return Ok(None);
        };
        let data =
            serde_json::from_str(&row.data).map_err(|err| SessionError::Decode(err.to_string()))?;
        let expiry_date =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(row.expires) * 1_000_000)
                .map_err(|err| SessionError::Decode(err.to_string()))?;
        Ok(Some(Record {
            id: *id,
            data,
            expiry_date,
        }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        session::Entity::delete_by_id(key(id))
            .exec(&self.store.write)
            .await
            .map_err(backend)?;
        Ok(())
    }
}

fn row(record: &Record) -> session_store::Result<session::ActiveModel> {
    let data =
        serde_json::to_string(&record.data).map_err(|err| SessionError::Encode(err.to_string()))?;
    let expires = record.expiry_date.unix_timestamp_nanos() / 1_000_000;
    Ok(session::ActiveModel {
        id: Set(key(&record.id)),
        user_id: Set(record.data.get(USER).and_then(serde_json::Value::as_i64)),
        data: Set(data),
        expires: Set(i64::try_from(expires).unwrap_or(i64::MAX)),
    })
}

fn key(id: &Id) -> String {
    hex(&Sha256::digest(id.0.to_be_bytes()))
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a String cannot fail");
            text
        })
}

fn backend(err: sea_orm::DbErr) -> SessionError {
    SessionError::Backend(err.to_string())
}
