//! The same question, asked once for everyone who waits for its answer. What it must not know: what is asked.
//!
//! When a thousand pages come back at once, most of them ask what changed in the same room after the same change. There
//! are a few lanes, a question always takes the same one, and one question at a time moves in each: so the database is
//! asked a few things at a time, and never the same thing twice at once. Who comes while a question waits for its lane
//! waits with it. Who comes once it moves needs the next: the answer may be older than the moment from which they listen.

use std::{
    collections::{HashMap, hash_map::RandomState},
    fmt,
    hash::{BuildHasher, Hash},
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, WeakShared},
};

/// How many questions are asked at the same time.
const LANES: usize = 4;

type Waiting<K, V> = Arc<Mutex<HashMap<K, WeakShared<BoxFuture<'static, V>>>>>;

/// Questions `K` on their way to answers `V`.
pub(super) struct Lanes<K, V>
where
    V: Clone,
{
    lanes: Arc<[tokio::sync::Mutex<()>; LANES]>,
    waiting: Waiting<K, V>,
    state: RandomState,
}

/// A question that can still be joined, until this is dropped.
struct Boarding<K: Eq + Hash, V: Clone> {
    waiting: Waiting<K, V>,
    key: K,
}

impl<K: Eq + Hash, V: Clone> Drop for Boarding<K, V> {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.key);
    }
}

impl<K, V> Lanes<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// The answer to `key`, as it is at some moment after now: by `find`, or by whoever asks the same.
    pub async fn ask(&self, key: K, find: impl Future<Output = V> + Send + 'static) -> V {
        let lane = usize::try_from(self.state.hash_one(&key) % LANES as u64).unwrap_or(0);
        let answer = {
            let mut waiting = lock(&self.waiting);
            let known = waiting.get(&key).and_then(WeakShared::upgrade);
            known.unwrap_or_else(|| {
                let (lanes, boarding) = (
                    self.lanes.clone(),
                    Boarding {
                        waiting: self.waiting.clone(),
                        key: key.clone(),
                    },
                );
                let asking = async move {
                    let _turn = lanes[lane].lock().await;
                    drop(boarding);
                    find.await
                };
                let answer = asking.boxed().shared();
                waiting.extend(answer.downgrade().map(|weak| (key, weak)));
                answer
            })
        };
        answer.await
    }
}

impl<K, V: Clone> fmt::Debug for Lanes<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes")
            .field("waiting", &lock(&self.waiting).len())
            .finish()
    }
}

impl<K, V: Clone> Default for Lanes<K, V> {
    fn default() -> Self {
        Self {
            lanes: Arc::default(),
            waiting: Arc::default(),
            state: RandomState::new(),
        }
    }
}

fn lock<K, V: Clone>(
    waiting: &Waiting<K, V>,
) -> std::sync::MutexGuard<'_, HashMap<K, WeakShared<BoxFuture<'static, V>>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_thousand_who_ask_the_same_cost_two_questions() {
        let (lanes, asked, go) = (
            Lanes::default(),
            Arc::new(AtomicU32::new(0)),
            Arc::new(Notify::new()),
        );
        let ask = || {
            let (asked, go) = (asked.clone(), go.clone());
            lanes.ask(7, async move {
                let number = asked.fetch_add(1, SeqCst) + 1;
                go.notified().await;
                number
            })
        };
        let mut first = Box::pin(ask());
        assert!(futures_util::poll!(&mut first).is_pending(), "it moves");
        let mut others: Vec<_> = (0..999).map(|_| Box::pin(ask())).collect();
        for other in &mut others {
            assert!(futures_util::poll!(other).is_pending());
        }
        assert_eq!(asked.load(SeqCst), 1, "never the same twice at once");
        go.notify_one();
        assert_eq!(first.await, 1);
        go.notify_one();
        for other in others {
            assert_eq!(other.await, 2, "newer than the moment they came");
        }
        assert!(lock(&lanes.waiting).is_empty());
    }

    #[tokio::test]
    async fn a_question_whose_asker_has_gone_is_in_nobodys_way() {
        let lanes = Lanes::default();
        let mut gone = Box::pin(lanes.ask(7, std::future::pending::<u32>()));
        assert!(futures_util::poll!(&mut gone).is_pending());
        let mut joined = Box::pin(lanes.ask(7, async { 1 }));
        assert!(
            futures_util::poll!(&mut joined).is_pending(),
            "it waits behind it"
        );
        drop(gone);
        assert_eq!(joined.await, 1);
        let mut never_moved = Box::pin(lanes.ask(7, async { 2 }));
        assert!(futures_util::poll!(&mut never_moved).is_ready());
        assert_eq!(lanes.ask(8, async { 3 }).await, 3);
        assert!(lock(&lanes.waiting).is_empty());
    }
}
