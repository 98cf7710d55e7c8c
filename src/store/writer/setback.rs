//! Why an attempt to commit a batch came to nothing. Knows no callers.

use sea_orm::DbErr;

use crate::{
    error::Error,
    store::{Cause, failure, is_rivalry, is_taken},
};

/// What a step of a batch returns.
pub(super) type Attempt<T> = Result<T, Setback>;

/// Why an attempt failed; nothing of it was stored.
#[derive(Debug)]
pub(super) enum Setback {
    /// Another node got in the way: the same again may succeed, and come to something else.
    Rival(String),
    /// It would fail again; and what that says of the database.
    Failed(Error, Option<Cause>),
}

impl From<DbErr> for Setback {
    /// All that a batch inserts is new when it is planned: what is taken has been taken since.
    fn from(err: DbErr) -> Self {
        match is_rivalry(&err) || is_taken(&err) {
            true => Self::Rival(err.to_string()),
            false => {
                let cause = Cause::of(&err);
                Self::Failed(failure(err), cause)
            }
        }
    }
}

impl From<Error> for Setback {
    fn from(err: Error) -> Self {
        Self::Failed(err, None)
    }
}
