//! Fan-out inside one process.
//!
//! Guarantees: a subscription gets each event of its topics once, in the order in which the hub was given them.
//! A subscription's queue is bounded: when it is full it is cut off (emptied, and marked so), and nobody else waits.
//! In a crowded queue the latest word of what lives for a moment (who types, floors, watermarks) replaces the one before.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use super::{Event, Shared, Topic};
use crate::ids::RoomId;

/// How many events may wait for one reader.
pub const QUEUE: usize = 256;

/// From how many on the queue of a slow reader is searched for older news of the same short-lived thing.
const CROWDED: usize = 32;

/// An event on its way to its readers, with room for what one reader makes of it and others can share.
#[derive(Debug)]
pub struct News {
    /// What happened.
    pub event: Event,
    /// What readers make of it.
    pub shared: Shared,
}

/// Who listens in this process; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Hub {
    topics: Arc<Mutex<Topics>>,
}

#[derive(Debug, Default)]
struct Topics {
    next: u64,
    listeners: HashMap<Topic, HashMap<u64, Arc<Queue>>>,
}

#[derive(Debug)]
struct Queue {
    /// The room whose topic this reader hears: what happens there is not also queued by way of another topic.
    room: Option<RoomId>,
    waiting: Mutex<Waiting>,
    ready: Notify,
    overflow: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    news: VecDeque<Arc<News>>,
    cut: bool,
}

/// What woke a reader.
#[derive(Debug)]
pub enum Wake {
    /// News, oldest first.
    News(VecDeque<Arc<News>>),
    /// The reader was too slow: its queue was full and is gone. It must come back and catch up.
    Cut,
}

/// One reader's bounded queue; listening ends when it is dropped.
#[derive(Debug)]
pub struct Subscription {
    id: u64,
    topics: Vec<Topic>,
    queue: Arc<Queue>,
    hub: Hub,
}

/// Tells how many events wait for one reader, from outside.
#[derive(Debug)]
pub struct Backlog(Arc<Queue>);

impl Backlog {
    /// How many wait now.
    pub fn len(&self) -> usize {
        let waiting = self.0.waiting.lock();
        waiting.unwrap_or_else(PoisonError::into_inner).news.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Hub {
    /// Listens to `topics` from now on.
    pub fn subscribe(&self, topics: Vec<Topic>) -> Subscription {
        let room = topics.iter().find_map(|topic| {
            if let Topic::Room(room) = topic {
                Some(*room)
            } else {
                None
            }
        });
        let queue = Arc::new(Queue {
            room,
            waiting: Mutex::default(),
            ready: Notify::new(),
            overflow: Notify::new(),
        });
        let mut all = self.lock();
        all.next += 1;
        let id = all.next;
        for topic in &topics {
            all.listeners
                .entry(*topic)
                .or_default()
                .insert(id, queue.clone());
        }
        drop(all);
        Subscription {
            id,
            topics,
            queue,
            hub: self.clone(),
        }
    }

    /// Puts one shared copy of `event` into the queue of everyone who listens; never waits for anyone.
    pub fn deliver(&self, event: Event) {
        let topics = event.topics();
        let room = event.room();
        let news = Arc::new(News {
            event,
            shared: Shared::default(),
        });
        let all = self.lock();
        for topic in topics {
            let Some(listeners) = all.listeners.get(&topic) else {
                continue;
            };
            let direct = matches!(topic, Topic::Room(_));
            for queue in listeners.values() {
                if direct || room.is_none() || queue.room != room {
                    queue.push(news.clone());
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn push(&self, news: Arc<News>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.cut {
            return;
        }
        if waiting.news.len() >= CROWDED {
            let superseded = |old: &Arc<News>| news.event.supersedes(&old.event);
            if let Some(at) = waiting.news.iter().rposition(superseded) {
                waiting.news.remove(at);
            }
        }
        if waiting.news.len() < QUEUE {
            waiting.news.push_back(news);
        } else if news.event.is_dispensable() {
            return;
        } else {
            *waiting = Waiting {
                news: VecDeque::new(),
                cut: true,
            };
            self.overflow.notify_one();
        }
        drop(waiting);
        self.ready.notify_one();
    }
}

impl Subscription {
    /// Waits for news and takes all that waits. Dropping the future loses nothing.
    pub async fn next(&self) -> Wake {
        loop {
            if let Some(wake) = self.take() {
                return wake;
            }
            self.queue.ready.notified().await;
        }
    }

    /// Waits until the queue has overflowed; for whoever is busy with what it took before. Takes nothing.
    pub async fn cut(&self) {
        self.queue.overflow.notified().await;
    }

    /// What tells others how many events wait.
    pub fn backlog(&self) -> Backlog {
        Backlog(self.queue.clone())
    }

    fn take(&self) -> Option<Wake> {
        let mut waiting = self
            .queue
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if waiting.cut {
            return Some(Wake::Cut);
        }
        // Taking the whole deque gives an idle reader's memory back.
        (!waiting.news.is_empty()).then(|| Wake::News(std::mem::take(&mut waiting.news)))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut all = self.hub.lock();
        for topic in &self.topics {
            if let Some(listeners) = all.listeners.get_mut(topic) {
                listeners.remove(&self.id);
                if listeners.is_empty() {
                    all.listeners.remove(topic);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
