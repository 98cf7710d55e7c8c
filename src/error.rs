//! What can go wrong, by intent. Knows no status code: `web::error` gives each its status and its page.

use std::time::Duration;

/// Why something asked for did not happen. Nothing was changed, unless [`Error::Unknown`] says so.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// It does not exist, or not for this person (the two cannot be told apart).
    #[error("not found")]
    NotFound,
    /// This person may not do it.
    #[error("forbidden: {words}")]
    Forbidden {
        /// What to tell the person.
        words: &'static str,
    },
    /// It contradicts what is already there.
    #[error("conflict: {words}")]
    Conflict {
        /// What to tell the person.
        words: &'static str,
    },
    /// The input is not acceptable.
    #[error("invalid {field}: {words}")]
    Invalid {
        /// The form field that is wrong.
        field: &'static str,
        /// What to tell the person; never contains what they wrote.
        words: &'static str,
    },
    /// Too much at once; it may be tried again after a while.
    #[error("too many, again in {retry_after:?}")]
    TooMany {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// A part of the machinery does not answer at the moment; nothing was stored.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// No answer came in time: it may or may not have been stored. Trying again with the same key is safe.
    #[error("outcome unknown")]
    Unknown,
    /// A fault of ours. The text is for the log alone.
    #[error("internal: {0}")]
    Internal(String),
}

/// What most functions of this house return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An input that is not acceptable: which field, and fixed words for the person.
    pub fn invalid(field: &'static str, words: &'static str) -> Self {
        Self::Invalid { field, words }
    }
}
