//! Signing up and in.

/// The key in a session's data under which the signed-in person's id stands.
pub use crate::store::session::{Sessions, USER as SESSION_USER};
/// Who may make an account; the secret of a link or code; what somebody signed in by.
pub use crate::store::{
    one_time_link::Token,
    user::{Admission, CLOSED, Credentials},
};

use super::{
    Chat,
    names::{Username, fold},
    passwords::Password,
};
use crate::{
    error::{Error, Result},
    ids::UserId,
    realtime::Event,
    records::{Role, User},
};

/// Under which setting stands how far a demo was filled, and what stands there in the middle of it.
const DEMO: &str = "demo";
const HALF: &str = "half";

/// How many people the administrator's list names.
const PEOPLE: u64 = 1_000;

impl Chat {
    /// Opens an account. The very first is the administrator's, and takes what `admission` says.
    ///
    /// # Errors
    /// `Invalid` for a name or password that cannot be, `Conflict` for a name that is taken or looks like one that is,
    /// `Forbidden` when `admission` is not enough.
    pub async fn sign_up(&self, name: &str, password: &str, admission: &Admission) -> Result<User> {
        let name = Username::parse(name)?;
        let password = Password::parse(password)?;
        let hash = self.passwords.hash(password).await?;
        let user = self
            .store
            .insert_user((name.as_str(), name.folded()), &hash, admission)
            .await?;
        self.bus.publish(Event::PersonJoined {
            person: user.person.clone(),
            joined: user.created,
        });
        Ok(user)
    }

    /// Whose name and password these are; `None`, after the same time, for an unknown name as for a wrong password.
    ///
    /// # Errors
    /// `Unavailable` when too many sign in at once.
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<Option<Credentials>> {
        let found = match Username::parse(name) {
            Ok(name) => self.store.find_credentials(name.folded()).await?,
            Err(_) => None,
        };
        let hash = found.as_ref().map(|found| found.password.clone());
        let fits = self.passwords.verify(password.into(), hash).await?;
        match found.filter(|_| fits) {
            Some(found) if found.is_banned => Err(Error::Forbidden {
                words: "This account is closed. Ask whoever runs this chat.",
            }),
            found => Ok(found),
        }
    }

    /// Whether somebody whose session was just stored may still sign in by what they signed in by: the password may
    /// have been changed, or the person shut out, in between. Then the session must end.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer.
    pub async fn still_signs_in(&self, by: &Credentials) -> Result<bool> {
        self.store.still_signs_in(by).await
    }

    /// Gives `user` another password and ends their other sessions; the one that the store calls `kept` goes on.
    /// `None` when `current` is not their password.
    ///
    /// # Errors
    /// `Invalid` for a password that cannot be, `Unavailable` when too many sign in at once.
    pub async fn change_password(
        &self,
        user: &User,
        (current, new): (&str, &str),
        kept: &str,
    ) -> Result<Option<()>> {
        let new = Password::parse(new)?;
        let known = self
            .store
            .find_credentials(&fold(&user.person.name))
            .await?;
        let known = known.ok_or(Error::NotFound)?.password;
        if !self.passwords.verify(current.into(), Some(known)).await? {
            return Ok(None);
        }
        let (id, hash) = (user.person.id, self.passwords.hash(new).await?);
        self.store.update_password(id, &hash, Some(kept)).await?;
        self.sessions_ended(id, Some(kept));
        Ok(Some(()))
    }

    /// Everybody with an account, for the administrator.
    pub async fn everybody(&self) -> Result<Vec<User>> {
        self.store.users(PEOPLE).await
    }

    /// Everybody with an account, however many, for who runs the chat.
    pub async fn all_people(&self) -> Result<Vec<User>> {
        self.store.users(i64::MAX.unsigned_abs()).await
    }

    /// Shuts `user` out, or lets them in again. What they wrote stays.
    ///
    /// # Errors
    /// `Forbidden` for anyone but the administrator, and for their own account; `NotFound`.
    pub async fn ban(&self, by: &User, user: UserId, is_banned: bool) -> Result<()> {
        if by.role != Role::Administrator || by.person.id == user {
            return Err(Error::Forbidden {
                words: "Only the administrator can do this, and not to themselves.",
            });
        }
        self.user(user).await?;
        self.set_banned(user, is_banned).await
    }

    /// Shuts `user` out, or lets them in again, for who runs the chat.
    ///
    /// # Errors
    /// `Conflict` for the last administrator who is not shut out.
    pub async fn set_banned(&self, user: UserId, is_banned: bool) -> Result<()> {
        self.store.update_banned(user, is_banned).await?;
        if is_banned {
            self.sessions_ended(user, None);
        }
        Ok(())
    }

    /// Makes known that `user`'s sessions have ended, but for one perhaps.
    pub(super) fn sessions_ended(&self, user: UserId, kept: Option<&str>) {
        let except = kept.map(Into::into);
        self.bus.publish(Event::SessionsEnded { user, except });
    }

    /// Makes known that one of `user`'s sessions has ended: what is live by it ends too.
    pub fn session_ended(&self, user: UserId, session: &str) {
        let session = session.into();
        self.bus.publish(Event::SessionEnded { user, session });
    }

    /// Makes signing in with an unknown name take as long as with a wrong password from the first time on.
    ///
    /// # Errors
    /// When hashing fails, which it does not.
    pub async fn prepare(&self) -> Result<()> {
        self.passwords.prepare().await
    }

    /// The person of this name, however it is written.
    pub async fn find_person(&self, name: &str) -> Result<Option<User>> {
        self.store.find_user_by_name(&fold(name)).await
    }

    /// Whether somebody began to fill this chat with a demo and did not finish.
    pub async fn is_half_filled(&self) -> Result<bool> {
        let state = self.store.find_setting(DEMO).await?;
        Ok(state.as_deref() == Some(HALF))
    }

    /// Notes that filling it with a demo begins, or is done.
    pub async fn set_half_filled(&self, is_half: bool) -> Result<()> {
        let state = if is_half { HALF } else { "filled" };
        self.store.put_setting(DEMO, state).await
    }

    /// Whether nobody has an account yet.
    pub async fn is_fresh(&self) -> Result<bool> {
        Ok(!self.store.has_users().await?)
    }

    /// The person behind a session.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn user(&self, id: UserId) -> Result<User> {
        self.store.find_user(id).await?.ok_or(Error::NotFound)
    }
}
