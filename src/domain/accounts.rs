//! Signing up and in.

/// The key in a session's data under which the signed-in person's id stands.
pub use crate::store::session::{Sessions, USER as SESSION_USER};

use super::{Chat, names::Username, passwords::Password};
use crate::{
    error::{Error, Result},
    ids::UserId,
    realtime::Event,
    records::User,
};

impl Chat {
    /// Opens an account. The very first is the administrator's.
    ///
    /// # Errors
    /// `Invalid` for a name or password that cannot be, `Conflict` for a name that is taken or looks like one that is.
    pub async fn sign_up(&self, name: &str, password: &str) -> Result<User> {
        let name = Username::parse(name)?;
        let password = Password::parse(password)?;
        let hash = self.passwords.hash(password).await?;
        let user = self
            .store
            .insert_user(name.as_str(), name.folded(), &hash, self.clock.now())
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
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<Option<UserId>> {
        let found = match Username::parse(name) {
            Ok(name) => self.store.find_credentials(name.folded()).await?,
            Err(_) => None,
        };
        let (id, hash) = found.map(|found| (found.id, found.password)).unzip();
        let fits = self.passwords.verify(password.into(), hash).await?;
        Ok(id.filter(|_| fits))
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
