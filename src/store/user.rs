//! Facts about people.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};

use super::{
    Store, Transaction, bounded, commit,
    entity::user,
    failure, is_taken, locks,
    one_time_link::{self, Token},
    session, statement,
};
use crate::{
    clock::UnixMillis,
    error::{Error, Result},
    ids::UserId,
    records::{Person, Privacy, Role, User},
};

/// How many people one statement names at most.
const TOGETHER: usize = 500;

/// What signing in needs to know of a person.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Who.
    pub id: UserId,
    /// The hash of their password, in PHC form.
    pub password: String,
    /// Whether they are shut out.
    pub is_banned: bool,
}

/// Unread messages in the rooms of somebody ($1) who no longer sends read receipts, and whose audience now has nobody
/// who does: no read receipt counts for these. Wherever two were in a room before a message, one of them is not its
/// author, so it is enough to look up to where the second one came.
const UNCOUNT: &str = "\
UPDATE messages SET counts_reads = FALSE WHERE (room_id, seq) IN (
  SELECT m.room_id, m.seq FROM memberships own
  JOIN rooms r ON r.id = own.room_id
  JOIN messages m ON m.room_id = r.id AND m.seq > r.read_floor AND m.seq <= COALESCE(
    (SELECT s.joined_seq FROM memberships s
      WHERE s.room_id = r.id AND s.joined IS NOT NULL AND s.sends_receipts = TRUE
      ORDER BY s.joined_seq LIMIT 1 OFFSET 1), r.last_seq)
  WHERE own.user_id = $1 AND own.joined IS NOT NULL AND m.counts_reads = TRUE AND NOT EXISTS (
    SELECT 1 FROM memberships s
    WHERE s.room_id = m.room_id AND s.joined IS NOT NULL AND s.sends_receipts = TRUE
      AND s.joined_seq < m.seq AND s.user_id <> m.author_id))";

/// Who may make an account at the moment at which it is made.
#[derive(Debug, Clone)]
pub struct Admission {
    /// The code that the very first account takes; `None` when it takes none.
    pub first: Option<Token>,
    /// Whether there may be further accounts.
    pub others: bool,
}

impl Admission {
    /// For who runs the chat, and for those who were let in already.
    pub const FREE: Self = Self {
        first: None,
        others: true,
    };
}

/// What is said to those for whom there is no account.
pub const CLOSED: &str = "Sign-up is closed here. Ask whoever runs this chat.";

#[derive(FromQueryResult)]
struct StandingRow {
    password: String,
    banned: bool,
}

#[derive(FromQueryResult)]
struct Inserted {
    id: i64,
    role: String,
}

impl Store {
    /// Stores a new person: the very first becomes the administrator, even when two come at the same instant, and ends
    /// all setup codes. All public rooms that exist count as read up to now.
    ///
    /// # Errors
    /// `Conflict` when the folded name is taken, `Forbidden` when `admission` is not enough.
    pub async fn insert_user(
        &self,
        (name, folded): (&str, &str),
        password: &str,
        admission: &Admission,
    ) -> Result<User> {
        bounded(self.insert_user_now((name, folded), password, admission)).await
    }

    async fn insert_user_now(
        &self,
        (name, folded): (&str, &str),
        password: &str,
        admission: &Admission,
    ) -> Result<User> {
        let tx = self.write.begin().await.map_err(failure)?;
        locks::accounts(&tx).await?;
        let now = self.stamp(&tx).await.map_err(failure)?;
        let insert = "INSERT INTO users (name, name_folded, password, role, created) \
            SELECT $1, $2, $3, CASE WHEN EXISTS (SELECT 1 FROM users) THEN 'member' ELSE 'administrator' END, $4 \
            WHERE true RETURNING id, role";
        let values = [name.into(), folded.into(), password.into(), now.0.into()];
        let inserted = Inserted::find_by_statement(statement(&tx, insert, values))
            .one(&tx)
            .await;
        let inserted = match inserted {
            Ok(row) => row.ok_or_else(|| Error::Internal("an insert returned no row".into()))?,
            Err(err) if is_taken(&err) => {
                return Err(Error::Conflict {
                    words: "This name is taken.",
                });
            }
            Err(err) => return Err(failure(err)),
        };
        admit(&tx, role(&inserted.role), admission).await?;
        let caught_up = "INSERT INTO memberships (room_id, user_id, joined, delivered_seq, read_seq, changed) \
            SELECT id, $1, NULL, last_seq, last_seq, $2 FROM rooms WHERE kind = 'public' AND last_seq > 0";
        tx.execute_raw(statement(
            &tx,
            caught_up,
            [inserted.id.into(), now.0.into()],
        ))
        .await
        .map_err(failure)?;
        commit(tx).await?;
        Ok(User {
            person: Person {
                id: UserId(inserted.id),
                name: name.into(),
            },
            role: role(&inserted.role),
            created: now,
            privacy: Privacy::default(),
            is_banned: false,
        })
    }

    /// The person with this id.
    pub async fn find_user(&self, id: UserId) -> Result<Option<User>> {
        let found = user::Entity::find_by_id(id.0)
            .one(&self.read)
            .await
            .map_err(failure)?;
        Ok(found.map(record))
    }

    /// The person whose folded name this is.
    pub async fn find_user_by_name(&self, folded: &str) -> Result<Option<User>> {
        Ok(self.find_row_by_name(folded).await?.map(record))
    }

    /// What signing in under this folded name takes.
    pub async fn find_credentials(&self, folded: &str) -> Result<Option<Credentials>> {
        let found = self.find_row_by_name(folded).await?;
        Ok(found.map(|row| Credentials {
            id: UserId(row.id),
            password: row.password,
            is_banned: row.banned,
        }))
    }

    /// Whether anybody has an account.
    pub async fn has_users(&self) -> Result<bool> {
        Ok(user::Entity::find()
            .count(&self.read)
            .await
            .map_err(failure)?
            > 0)
    }

    /// Shuts a person out, which ends their sessions and links in the same commit, or lets them in again.
    ///
    /// # Errors
    /// `Conflict` for the last administrator who is not shut out.
    pub async fn update_banned(&self, id: UserId, is_banned: bool) -> Result<()> {
        let tx = self.write.begin().await.map_err(failure)?;
        locks::accounts(&tx).await?;
        let change = user::ActiveModel {
            id: Set(id.0),
            banned: Set(is_banned),
            ..Default::default()
        };
        let changed = user::Entity::update(change).exec(&tx).await;
        changed.map_err(failure)?;
        if is_banned {
            must_have_an_administrator(&tx).await?;
            session::delete_of(&tx, id, None).await?;
            one_time_link::delete_links_of(&tx, id).await?;
        }
        commit(tx).await
    }

    /// Gives a person another role.
    ///
    /// # Errors
    /// `Conflict` for the last administrator who is not shut out.
    pub async fn update_role(&self, id: UserId, to: Role) -> Result<()> {
        let tx = self.write.begin().await.map_err(failure)?;
        locks::accounts(&tx).await?;
        let change = user::ActiveModel {
            id: Set(id.0),
            role: Set(to.as_str().into()),
            ..Default::default()
        };
        let changed = user::Entity::update(change).exec(&tx).await;
        changed.map_err(failure)?;
        must_have_an_administrator(&tx).await?;
        commit(tx).await
    }

    /// Everybody with an account, by name; at most `limit`.
    pub async fn users(&self, limit: u64) -> Result<Vec<User>> {
        let all = user::Entity::find().order_by_asc(user::Column::NameFolded);
        let found = all.limit(limit).all(&self.read).await.map_err(failure)?;
        Ok(found.into_iter().map(record).collect())
    }

    /// Replaces a password's hash. In the same commit the person's links end, and their sessions, but for the one that
    /// the store calls `kept`.
    pub async fn update_password(
        &self,
        id: UserId,
        password: &str,
        kept: Option<&str>,
    ) -> Result<()> {
        let tx = self.write.begin().await.map_err(failure)?;
        replace_password(&tx, id, password, kept).await?;
        commit(tx).await
    }

    /// Whether `known` is still what somebody signs in by. It waits for a change that is being committed, so a session
    /// that was stored before this says yes is found by whatever ends sessions afterwards.
    pub async fn still_signs_in(&self, known: &Credentials) -> Result<bool> {
        let lock = match self.is_shared() {
            true => " FOR SHARE",
            false => "",
        };
        let sql = format!("SELECT password, banned FROM users WHERE id = $1{lock}");
        let row = StandingRow::find_by_statement(statement(&self.write, &sql, [known.id.0.into()]));
        let row = row.one(&self.write).await.map_err(failure)?;
        Ok(row.is_some_and(|row| row.password == known.password && !row.banned))
    }

    /// Changes what a person lets others see, from now on: how far everybody has read in their rooms is kept there.
    pub async fn update_privacy(&self, id: UserId, privacy: Privacy) -> Result<()> {
        bounded(self.update_privacy_now(id, privacy)).await
    }

    async fn update_privacy_now(&self, id: UserId, privacy: Privacy) -> Result<()> {
        let tx = self.write.begin().await.map_err(failure)?;
        locks::rooms_of(&tx, id).await?;
        let change = user::ActiveModel {
            id: Set(id.0),
            sends_receipts: Set(privacy.receipts),
            shows_presence: Set(privacy.presence),
            ..Default::default()
        };
        user::Entity::update(change)
            .exec(&tx)
            .await
            .map_err(failure)?;
        let own = "UPDATE memberships SET sends_receipts = $2 WHERE user_id = $1";
        let values = [id.0.into(), privacy.receipts.into()];
        tx.execute_raw(statement(&tx, own, values))
            .await
            .map_err(failure)?;
        if !privacy.receipts {
            tx.execute_raw(statement(&tx, UNCOUNT, [id.0.into()]))
                .await
                .map_err(failure)?;
        }
        commit(tx).await
    }

    /// When this person was last here, if it is known and they let others see it.
    pub async fn find_last_seen(&self, id: UserId) -> Result<Option<UnixMillis>> {
        let found = user::Entity::find_by_id(id.0)
            .one(&self.read)
            .await
            .map_err(failure)?;
        let shown = found.filter(|row| row.shows_presence);
        Ok(shown.and_then(|row| row.last_seen).map(UnixMillis))
    }

    /// Those who show their presence and were here at or after `since`, and when; at most `limit`.
    pub async fn find_seen_since(
        &self,
        since: UnixMillis,
        limit: u64,
    ) -> Result<Vec<(UserId, UnixMillis)>> {
        let found = user::Entity::find()
            .filter(user::Column::LastSeen.gte(since.0))
            .filter(user::Column::ShowsPresence.eq(true))
            .limit(limit)
            .all(&self.read)
            .await
            .map_err(failure)?;
        let seen = |row: user::Model| row.last_seen.map(|at| (UserId(row.id), UnixMillis(at)));
        Ok(found.into_iter().filter_map(seen).collect())
    }

    /// Notes that these people were here until now.
    pub async fn update_last_seen(&self, people: &[UserId], now: UnixMillis) -> Result<()> {
        for people in people.chunks(TOGETHER) {
            let ids = people.iter().map(|id| id.0);
            // On another node they may be here still.
            let seen = user::Column::LastSeen;
            let earlier = Condition::any().add(seen.is_null()).add(seen.lt(now.0));
            user::Entity::update_many()
                .col_expr(user::Column::LastSeen, Expr::value(now.0))
                .filter(user::Column::Id.is_in(ids))
                .filter(earlier)
                .exec(&self.write)
                .await
                .map_err(failure)?;
        }
        Ok(())
    }

    async fn find_row_by_name(&self, folded: &str) -> Result<Option<user::Model>> {
        let named = user::Entity::find().filter(user::Column::NameFolded.eq(folded));
        named.one(&self.read).await.map_err(failure)
    }
}

/// Refuses an account that was just inserted with this role, if `admission` is not enough for it.
async fn admit(tx: &Transaction, role: Role, admission: &Admission) -> Result<()> {
    if role != Role::Administrator {
        return match admission.others {
            true => Ok(()),
            false => Err(Error::Forbidden { words: CLOSED }),
        };
    }
    if let Some(code) = &admission.first
        && !one_time_link::is_setup_code(tx, code).await?
    {
        let words = "The first account takes the link that the program printed when it started.";
        return Err(Error::Forbidden { words });
    }
    one_time_link::delete_setup_codes(tx).await
}

/// Refuses a change after which nobody could look after the chat.
async fn must_have_an_administrator(tx: &Transaction) -> Result<()> {
    let left = user::Entity::find()
        .filter(user::Column::Role.eq(Role::Administrator.as_str()))
        .filter(user::Column::Banned.eq(false));
    match left.count(tx).await.map_err(failure)? {
        0 => Err(Error::Conflict {
            words: "This is the last administrator. Give somebody else that role first.",
        }),
        _ => Ok(()),
    }
}

/// The row of the person comes first: who signs in meanwhile waits for it, see [`Store::still_signs_in`].
pub(super) async fn replace_password(
    tx: &Transaction,
    id: UserId,
    password: &str,
    kept: Option<&str>,
) -> Result<()> {
    let change = user::ActiveModel {
        id: Set(id.0),
        password: Set(password.into()),
        ..Default::default()
    };
    let changed = user::Entity::update(change).exec(tx).await;
    changed.map_err(failure)?;
    session::delete_of(tx, id, kept).await?;
    one_time_link::delete_links_of(tx, id).await
}

fn record(row: user::Model) -> User {
    User {
        person: Person {
            id: UserId(row.id),
            name: row.name.into(),
        },
        role: role(&row.role),
        created: UnixMillis(row.created),
        privacy: Privacy {
            receipts: row.sends_receipts,
            presence: row.shows_presence,
        },
        is_banned: row.banned,
    }
}

fn role(text: &str) -> Role {
    match text == Role::Administrator.as_str() {
        true => Role::Administrator,
        false => Role::Member,
    }
}
