//! The writer's task: takes what waits, has it committed, tells the news, answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Change, Committed, Job, OnCommit, Write,
    attempt::{self, Outcome},
    batch::Done,
    doubt::{Callers, Doubt, Verdict, tell},
    floors,
};
use crate::{error::Error, store::Store};

/// How many writes one transaction takes: enough to make a flush cheap, few enough to answer soon.
const BATCH: usize = 256;
/// How long after a lost answer the server is asked again.
const AGAIN: Duration = Duration::from_millis(250);

/// What the task acts on.
pub(super) struct Task {
    store: Store,
    on_commit: OnCommit,
    known: floors::Known,
    is_outdated: Arc<AtomicBool>,
    doubt: Option<Doubt>,
}

impl Task {
    /// A task that has nothing to do yet.
    pub fn new(store: Store, on_commit: OnCommit, is_outdated: Arc<AtomicBool>) -> Self {
        Self {
            store,
            on_commit,
            known: floors::Known::default(),
            is_outdated,
            doubt: None,
        }
    }

    /// Ends after `closing`, when everything accepted is committed.
    pub async fn run(mut self, mut waiting: mpsc::Receiver<Job>, closing: CancellationToken) {
        let mut jobs = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                () = closing.cancelled(), if !waiting.is_closed() => { waiting.close(); continue }
                taken = waiting.recv_many(&mut jobs, BATCH) => if taken == 0 { break },
                () = sleep(AGAIN), if self.doubt.is_some() => {}
            }
            self.look_into_doubt().await;
            // Who has stopped waiting (a dropped request) still gets the message stored: its client may retry with the key.
            let (writes, callers): (Vec<_>, Vec<_>) =
                jobs.drain(..).map(|job| (job.write, job.done)).unzip();
            self.commit(writes, callers).await;
        }
        self.look_into_doubt().await;
        if let Some(doubt) = self.doubt {
            doubt.give_up();
        }
    }

    async fn commit(&mut self, writes: Vec<Write>, callers: Callers) {
        if writes.is_empty() {
            return;
        }
        if self.doubt.is_some() {
            let words = "the database has not answered the last commit";
            return tell(callers, || Err(Error::Unavailable(words.into())));
        }
        if self.is_outdated.swap(false, Ordering::Relaxed) {
            self.known = floors::Known::default();
        }
        match attempt::commit(&self.store, &self.known, &writes).await {
            Outcome::Committed(done) => self.tell_all(done, callers),
            Outcome::Nothing(err) => {
                tracing::warn!(error = %err, writes = callers.len(), "nothing of a batch was stored");
                tell(callers, || Err(Error::Unavailable(err.to_string())));
            }
            Outcome::Doubtful(done, transaction) => {
                tracing::warn!(writes = callers.len(), "the answer to a commit was lost");
                self.store.doubt_server();
                self.doubt = Some(Doubt {
                    done,
                    transaction,
                    callers,
                });
                self.look_into_doubt().await;
            }
        }
    }

    fn tell_all(&mut self, done: Done, callers: Callers) {
        self.known.remember(&done.committed);
        let posted = |it: &&Committed| {
            matches!(
                it,
                Committed::Message {
                    change: Change::Posted,
                    ..
                }
            )
        };
        let posted = done.committed.iter().filter(posted).count();
        self.store.health.posted(posted);
        (self.on_commit)(done.committed);
        for (caller, result) in callers.into_iter().zip(done.results) {
            // A caller that has gone away needs no answer.
            let _ = caller.send(result);
        }
    }

    async fn look_into_doubt(&mut self) {
        let Some(doubt) = self.doubt.take() else {
            return;
        };
        match doubt.look(&self.store).await {
            Verdict::Committed => {
                self.store.health.wrote();
                self.tell_all(doubt.done, doubt.callers);
            }
            Verdict::Nothing => {
                let words = "the database stopped before the commit";
                tell(doubt.callers, || Err(Error::Unavailable(words.into())));
            }
            Verdict::NotYet => self.doubt = Some(doubt),
            Verdict::Never => doubt.give_up(),
        }
    }
}
