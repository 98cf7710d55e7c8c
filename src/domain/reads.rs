//! When those who have read something are committed together. It knows nothing of how.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::ids::{RoomId, Seq, UserId};

/// How long reads are gathered.
const GATHERED: Duration = Duration::from_millis(200);

/// Who has read what.
type Read = (RoomId, UserId, Seq);

/// Those who wait for their turn. As many as there are requests.
#[derive(Debug, Clone, Default)]
pub(super) struct Reads(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    turn: Option<Instant>,
    last: u64,
    reads: BTreeMap<u64, Read>,
}

/// A place among those who wait; who gives it up has not read.
#[derive(Debug)]
pub(super) struct Turn {
    reads: Reads,
    number: u64,
    at: Instant,
}

impl Reads {
    /// A place for whoever comes now; none, if nobody came for a while: then they go at once.
    pub(super) fn come(&self, read: Read, now: Instant) -> Option<Turn> {
        let mut waiting = self.lock();
        let Some(at) = waiting.turn.filter(|turn| *turn > now) else {
            waiting.turn = Some(now + GATHERED);
            return None;
        };
        waiting.last += 1;
        let number = waiting.last;
        waiting.reads.insert(number, read);
        Some(Turn {
            reads: self.clone(),
            number,
            at,
        })
    }

    /// How far somebody has read who waits; from now on they do so no more.
    pub(super) fn take(&self, room: RoomId, user: UserId) -> Option<Seq> {
        let mut furthest = None;
        self.lock().reads.retain(|_, (of, reader, seq)| {
            let is_theirs = (*of, *reader) == (room, user);
            if is_theirs {
                furthest = furthest.max(Some(*seq));
            }
            !is_theirs
        });
        furthest
    }

    /// Forgets who waits.
    pub(super) fn clear(&self) {
        self.lock().reads.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Waits for it. Whether there is still something to commit, then.
    pub(super) async fn comes(self) -> bool {
        sleep_until(self.at).await;
        let waits = self.reads.lock().reads.remove(&self.number);
        waits.is_some()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.reads.lock().reads.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: UserId = UserId(1);
    const BEN: UserId = UserId(2);
    const TEA: RoomId = RoomId(1);

    #[tokio::test(start_paused = true)]
    async fn the_first_reader_goes_at_once_and_those_behind_go_together() {
        let (reads, now) = (Reads::default(), Instant::now());
        let come = |after| reads.come((TEA, ADA, Seq(1)), now + after);
        assert!(come(Duration::ZERO).is_none());
        let turns = [Duration::ZERO, GATHERED / 2].map(|after| come(after).expect("it waits"));
        assert!(turns.iter().all(|turn| turn.at == now + GATHERED));
        for turn in turns {
            assert!(turn.comes().await);
        }
        assert!(come(GATHERED).is_none(), "nobody waits twice");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_is_committed_by_whoever_took_it() {
        let (reads, now) = (Reads::default(), Instant::now());
        assert!(reads.come((TEA, BEN, Seq(9)), now).is_none());
        let come = |user, seq| reads.come((TEA, user, Seq(seq)), now).expect("it waits");
        let (first, second, other) = (come(ADA, 1), come(ADA, 2), come(BEN, 3));
        drop(come(ADA, 7));
        assert_eq!(
            reads.take(TEA, ADA),
            Some(Seq(2)),
            "whoever left is not counted"
        );
        assert_eq!(reads.take(TEA, ADA), None);
        assert!(!first.comes().await && !second.comes().await);
        assert!(other.comes().await);
        assert!(reads.lock().reads.is_empty());
    }
}
