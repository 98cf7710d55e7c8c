//! Links and codes that work once: for the first account of all, and for a new password.
//!
//! The table keeps a hash of each, so who reads the database cannot use one, and looking one up tells nothing by the
//! time that it takes.

use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, Value};
use sha2::{Digest, Sha256};

use super::{Store, Transaction, commit, entity::one_time_link, failure, session::hex, statement};
use crate::{
    clock::UnixMillis,
    error::{Error, Result},
    ids::UserId,
    records::User,
};

/// What a setup code is kept as, and a link for a new password.
const SETUP: &str = "setup";
const PASSWORD: &str = "password";
/// What a pass is kept as, by which a server and `tertulia doctor` know each other.
const PASS: &str = "doctor";
/// How many setup codes are kept; a program that starts again and again while nobody has an account makes more.
const SETUP_CODES: i64 = 100;

/// The secret of a link or code. It says nothing of itself in logs.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// 128 random bits, as 32 hexadecimal digits.
    pub fn random() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    /// What somebody gave as one.
    pub fn given(text: &str) -> Self {
        Self(text.into())
    }

    /// As it stands in links.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> String {
        hex(&Sha256::digest(self.0.as_bytes()))
    }
}

/// Compares hashes, which tells nothing by the time that it takes.
impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.hash() == other.hash()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

#[derive(FromQueryResult)]
struct HolderRow {
    user_id: i64,
}

impl Store {
    /// Keeps a code with which the first account can be made. It works on every node of this database until that
    /// account is there.
    pub async fn insert_setup_code(&self, code: &Token, now: UnixMillis) -> Result<()> {
        let tx = self.write.begin().await.map_err(failure)?;
        insert(&tx, code, (SETUP, None), (now, None)).await?;
        let old = "DELETE FROM one_time_links WHERE kind = $1 AND token_hash NOT IN (\
            SELECT token_hash FROM one_time_links WHERE kind = $1 ORDER BY created DESC, token_hash LIMIT $2)";
        run(&tx, old, [SETUP.into(), SETUP_CODES.into()]).await?;
        commit(tx).await
    }

    /// Whether the first account can be made with this code.
    pub async fn has_setup_code(&self, code: &Token) -> Result<bool> {
        let found = one_time_link::Entity::find_by_id(code.hash());
        let found = found.one(&self.read).await.map_err(failure)?;
        Ok(found.is_some_and(|link| link.kind == SETUP))
    }

    /// Keeps a pass, which can be shown again and again until `expires`.
    pub async fn insert_pass(
        &self,
        pass: &Token,
        (now, expires): (UnixMillis, UnixMillis),
    ) -> Result<()> {
        let tx = self.write.begin().await.map_err(failure)?;
        let expired = "DELETE FROM one_time_links WHERE expires <= $1";
        run(&tx, expired, [now.0.into()]).await?;
        insert(&tx, pass, (PASS, None), (now, Some(expires))).await?;
        tx.commit().await.map_err(failure)
    }

    /// Whether this pass is good now.
    pub async fn has_pass(&self, pass: &Token, now: UnixMillis) -> Result<bool> {
        let found = one_time_link::Entity::find_by_id(pass.hash());
        let found = found.one(&self.read).await.map_err(failure)?;
        let expires = found.filter(|it| it.kind == PASS).and_then(|it| it.expires);
        Ok(expires.is_some_and(|expires| expires > now.0))
    }

    /// Keeps a link with which `user` can set a new password until `expires`.
    pub async fn insert_password_link(
        &self,
        link: &Token,
        user: UserId,
        (now, expires): (UnixMillis, UnixMillis),
    ) -> Result<()> {
        let tx = self.write.begin().await.map_err(failure)?;
        let expired = "DELETE FROM one_time_links WHERE expires <= $1";
        run(&tx, expired, [now.0.into()]).await?;
        insert(&tx, link, (PASSWORD, Some(user)), (now, Some(expires))).await?;
        commit(tx).await
    }

    /// Who can set a new password with this link now.
    pub async fn find_link_holder(&self, link: &Token, now: UnixMillis) -> Result<Option<User>> {
        let found = one_time_link::Entity::find_by_id(link.hash());
        let found = found.one(&self.read).await.map_err(failure)?;
        let is_good = |link: &one_time_link::Model| {
            link.kind == PASSWORD && link.expires.is_some_and(|expires| expires > now.0)
        };
        let holder = found
            .filter(is_good)
            .and_then(|link| link.user_id.map(UserId));
        match holder {
            Some(user) => self.find_user(user).await,
            None => Ok(None),
        }
    }

    /// Gives whoever holds this link another password, as [`Store::update_password`] does, and says who it was; `None`
    /// when the link does not work (any more). Of two uses at once, one works.
    pub async fn use_password_link(
        &self,
        link: &Token,
        password: &str,
        now: UnixMillis,
    ) -> Result<Option<UserId>> {
        let tx = self.write.begin().await.map_err(failure)?;
        let take = "DELETE FROM one_time_links WHERE token_hash = $1 AND kind = $2 AND expires > $3 RETURNING user_id";
        let values = [link.hash().into(), PASSWORD.into(), now.0.into()];
        let taken = HolderRow::find_by_statement(statement(&tx, take, values));
        let Some(holder) = taken.one(&tx).await.map_err(failure)? else {
            return Ok(None);
        };
        let user = UserId(holder.user_id);
        super::user::replace_password(&tx, user, password, None).await?;
        commit(tx).await?;
        Ok(Some(user))
    }
}

/// Whether the first account can be made with this code, as seen from inside a transaction.
pub(super) async fn is_setup_code(tx: &Transaction, code: &Token) -> Result<bool> {
    let found = one_time_link::Entity::find_by_id(code.hash());
    let found = found.one(tx).await.map_err(failure)?;
    Ok(found.is_some_and(|link| link.kind == SETUP))
}

/// Ends all setup codes: there is a first account.
pub(super) async fn delete_setup_codes(tx: &Transaction) -> Result<()> {
    let sql = "DELETE FROM one_time_links WHERE kind = $1";
    run(tx, sql, [SETUP.into()]).await
}

/// Ends all links of `user`.
pub(super) async fn delete_links_of(tx: &Transaction, user: UserId) -> Result<()> {
    let sql = "DELETE FROM one_time_links WHERE user_id = $1";
    run(tx, sql, [user.0.into()]).await
}

async fn insert(
    tx: &Transaction,
    token: &Token,
    (kind, user): (&str, Option<UserId>),
    (now, expires): (UnixMillis, Option<UnixMillis>),
) -> Result<()> {
    let sql = "INSERT INTO one_time_links (token_hash, kind, user_id, created, expires) VALUES ($1, $2, $3, $4, $5)";
    let values = [
        token.hash().into(),
        kind.into(),
        user.map(|user| user.0).into(),
        now.0.into(),
        expires.map(|expires| expires.0).into(),
    ];
    run(tx, sql, values).await
}

async fn run(
    tx: &Transaction,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<(), Error> {
    let done = tx.execute_raw(statement(tx, sql, values)).await;
    done.map(|_| ()).map_err(failure)
}
