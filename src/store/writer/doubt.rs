//! A commit whose answer was lost: the server is asked what became of it as soon as it can be.
//!
//! Until then nothing else is committed, because news leaves in the order of commits.

use std::time::Duration;

use sea_orm::{DbErr, FromQueryResult};
use tokio::{sync::oneshot, time::timeout};

use super::{Written, batch::Done};
use crate::{
    error::{Error, Result},
    store::{Store, can_pass, statement},
};

/// How long the server has to answer.
const ANSWER: Duration = Duration::from_secs(4);

/// Those who wait for what a write came to.
pub(super) type Callers = Vec<oneshot::Sender<Result<Written>>>;

/// A batch of which nobody knows whether it was stored, and who waits for it.
pub(super) struct Doubt {
    pub done: Done,
    pub transaction_id: Option<i64>,
    pub callers: Callers,
}

/// What a look at the server came to.
pub(super) enum Verdict {
    Committed,
    Nothing,
    /// The server does not answer, or is still at it.
    NotYet,
    /// It does not know either.
    Never,
}

#[derive(FromQueryResult)]
struct StatusRow {
    status: Option<String>,
}

impl Doubt {
    /// Asks the server what became of the transaction.
    pub async fn look(&self, store: &Store) -> Verdict {
        let Some(id) = self.transaction_id else {
            return Verdict::Never;
        };
        let sql = "SELECT txid_status($1) AS status";
        let asked = StatusRow::find_by_statement(statement(&store.write, sql, [id.into()]))
            .one(&store.write);
        match timeout(ANSWER, asked).await {
            Ok(answer) => verdict(answer),
            Err(_) => Verdict::NotYet,
        }
    }

    /// Tells all callers that nobody knows.
    pub fn give_up(self) {
        tell(self.callers, || Err(Error::Unknown));
    }
}

fn verdict(answer: Result<Option<StatusRow>, DbErr>) -> Verdict {
    let status = match answer {
        Ok(row) => row.and_then(|row| row.status),
        Err(err) if can_pass(&err) => return Verdict::NotYet,
        Err(_) => return Verdict::Never,
    };
    match status.as_deref() {
        Some("committed") => Verdict::Committed,
        Some("aborted") => Verdict::Nothing,
        Some(_) => Verdict::NotYet,
        None => Verdict::Never,
    }
}

/// Gives all callers the same answer. Who has gone away needs none.
pub(super) fn tell(callers: Callers, answer: impl Fn() -> Result<Written>) {
    for caller in callers {
        let _ = caller.send(answer());
    }
}
