//! What who runs the chat does for people: another password, a link for one, a role.

use std::time::Duration;

use super::{Chat, accounts::Token, passwords::Password};
use crate::{
    error::{Error, Result},
    ids::UserId,
    records::{Role, User},
};

/// How long a link for a new password works.
pub const PASSWORD_LINK: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a doctor's pass is good.
const PASS: Duration = Duration::from_secs(2 * 60);

impl Chat {
    /// The person with this name, however it is written.
    ///
    /// # Errors
    /// `NotFound` when nobody has it.
    pub async fn user_named(&self, name: &str) -> Result<User> {
        self.find_person(name).await?.ok_or(Error::NotFound)
    }

    /// Gives `user` another password. All their sessions and links end.
    ///
    /// # Errors
    /// `Invalid` for a password that cannot be.
    pub async fn set_password(&self, user: UserId, password: &str) -> Result<()> {
        let hash = self.passwords.hash(Password::parse(password)?).await?;
        self.store.update_password(user, &hash, None).await?;
        self.sessions_ended(user, None);
        Ok(())
    }

    /// A link with which `user` can set a new password once, for [`PASSWORD_LINK`].
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer.
    pub async fn make_password_link(&self, user: UserId) -> Result<Token> {
        let (link, now) = (Token::random(), self.clock.now());
        let times = (now, now.plus(PASSWORD_LINK));
        self.store.insert_password_link(&link, user, times).await?;
        Ok(link)
    }

    /// Whose new password this link is for; nobody's when it was used, is too old, or never was one.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer.
    pub async fn link_holder(&self, link: &Token) -> Result<Option<User>> {
        self.store.find_link_holder(link, self.clock.now()).await
    }

    /// Sets a new password by a link. All sessions and links of the person end. `None`, after little work, when the
    /// link does not work.
    ///
    /// # Errors
    /// `Invalid` for a password that cannot be; then the link still works.
    pub async fn use_password_link(&self, link: &Token, password: &str) -> Result<Option<UserId>> {
        if self.link_holder(link).await?.is_none() {
            return Ok(None);
        }
        let hash = self.passwords.hash(Password::parse(password)?).await?;
        let now = self.clock.now();
        let user = self.store.use_password_link(link, &hash, now).await?;
        if let Some(user) = user {
            self.sessions_ended(user, None);
        }
        Ok(user)
    }

    /// A pass by which a server on this database knows `tertulia doctor`, for [`PASS`].
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer.
    pub async fn make_pass(&self) -> Result<Token> {
        let (pass, now) = (Token::random(), self.clock.now());
        self.store.insert_pass(&pass, (now, now.plus(PASS))).await?;
        Ok(pass)
    }

    /// Whether this is such a pass.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer.
    pub async fn is_pass(&self, pass: &Token) -> Result<bool> {
        self.store.has_pass(pass, self.clock.now()).await
    }

    /// Gives `user` another role.
    ///
    /// # Errors
    /// `Conflict` for the last administrator who is not shut out.
    pub async fn set_role(&self, user: UserId, role: Role) -> Result<()> {
        self.store.update_role(user, role).await
    }
}
