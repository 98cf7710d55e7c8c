//! The first account, the administrator's: who may make it.

use super::{
    Chat,
    accounts::{Admission, Token},
};
use crate::error::Result;

impl Chat {
    /// A new code with which the first account can be made; `None` when there are accounts. It works on every node of
    /// this database, beside those that were made before, until the first account is there.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer.
    pub async fn make_setup_code(&self) -> Result<Option<Token>> {
        if !self.is_fresh().await? {
            return Ok(None);
        }
        let code = Token::random();
        self.store
            .insert_setup_code(&code, self.clock.now())
            .await?;
        Ok(Some(code))
    }

    /// Whether the first account can be made by `admission` as it is now.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer.
    pub async fn may_be_first(&self, admission: &Admission) -> Result<bool> {
        match &admission.first {
            Some(code) => self.store.has_setup_code(code).await,
            None => Ok(true),
        }
    }
}
