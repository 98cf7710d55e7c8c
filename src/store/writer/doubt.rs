//! A commit whose answer was lost: the server is asked what became of it as soon as it can be.
//!
//! Until then nothing else is committed, because news leaves in the order of commits. Two answers would lie after a
//! failover. A server on another timeline knows nothing of the transaction, or another one by its number: then nobody
//! knows, and whoever tries again with the same key gets what is true. And what the server has on its own disk may be
//! missing on a synchronous standby, where it was waiting when its connection was lost: it is there when a later commit
//! is, so the question is asked in a transaction that is committed.

use std::time::Duration;

use sea_orm::{DbErr, FromQueryResult};
use tokio::{sync::oneshot, time::timeout};

use super::{Written, attempt::Transaction, batch::Done};
use crate::{
    error::{Error, Result},
    store::{Store, can_pass, postgres::TIMELINE, statement},
};

/// How long the server has to answer.
const ANSWER: Duration = Duration::from_secs(4);

/// Those who wait for what a write came to.
pub(super) type Callers = Vec<oneshot::Sender<Result<Written>>>;

/// A batch of which nobody knows whether it was stored, and who waits for it.
pub(super) struct Doubt {
    pub done: Done,
    pub transaction: Option<Transaction>,
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
    is_there: bool,
}

impl Doubt {
    /// Asks the server what became of the transaction.
    pub async fn look(&self, store: &Store) -> Verdict {
        // Whether another server answers could not be told without a timeline.
        let Some(transaction) = self.transaction.as_ref().filter(|it| it.timeline.is_some()) else {
            return Verdict::Never;
        };
        match timeout(ANSWER, ask(store, transaction)).await {
            Ok(answer) => verdict(answer),
            Err(_) => {
                // Its server may wait for a standby that is its successor by now.
                store.doubt_server();
                Verdict::NotYet
            }
        }
    }

    /// Tells all callers that nobody knows.
    pub fn give_up(self) {
        tell(self.callers, || Err(Error::Unknown));
    }
}

/// What became of a transaction, asked of the server that takes writes now, and true of its synchronous standby, too.
async fn ask(store: &Store, transaction: &Transaction) -> Result<Option<StatusRow>, DbErr> {
    let tx = store.write.begin_plain().await?;
    let is_there = format!("{TIMELINE} = $2");
    let sql = format!(
        "SELECT {is_there} AS is_there, CASE WHEN {is_there} THEN txid_status($1) END AS status FROM rooms \
        WHERE id = ANY (CAST(string_to_array($3, ',') AS BIGINT[])) ORDER BY id LIMIT 1 FOR UPDATE"
    );
    let values = [
        transaction.id.into(),
        transaction.timeline.as_deref().into(),
        transaction.rooms.as_str().into(),
    ];
    let asked = StatusRow::find_by_statement(statement(&tx, &sql, values));
    let answer = asked.one(&tx).await?;
    tx.commit().await?;
    Ok(answer)
}

fn verdict(answer: Result<Option<StatusRow>, DbErr>) -> Verdict {
    let row = match answer {
        Ok(Some(row)) => row,
        Ok(None) => return Verdict::Never,
        Err(err) if can_pass(&err) => return Verdict::NotYet,
        Err(_) => return Verdict::Never,
    };
    if !row.is_there {
        tracing::warn!(
            "a failover came before the answer to a commit: who asks again is told what became of it"
        );
        return Verdict::Never;
    }
    match row.status.as_deref() {
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
