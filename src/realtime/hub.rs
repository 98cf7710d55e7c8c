//! Fan-out inside one process.
//!
//! Guarantees: a subscription gets each event of its topics once, in the order in which the hub was given them.
//! A subscription's queue is bounded: when it is full it is cut off (emptied, and marked so), and nobody else waits.
//! In a crowded queue the latest word of what lives for a moment (who types, floors, watermarks) replaces the one before.
//! A hub that other processes also feed drops what its listeners were told already, knows up to where that is, and says
//! when something before it is missing.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use super::{
    Event, Shared, Topic,
    positions::{Positions, Told},
};
use crate::ids::{Rev, RoomId, UserId};

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
    touched: Arc<Notify>,
    missed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Topics {
    next: u64,
    listeners: HashMap<Topic, HashMap<u64, Arc<Queue>>>,
    joined: Option<Joined>,
}

/// What a hub that other processes also feed knows besides.
#[derive(Debug, Default)]
struct Joined {
    positions: Positions,
    /// Topics that got their first listener or lost their last one, if somebody takes them.
    touched: Option<HashSet<Topic>>,
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
    /// A hub whose news is also found in the database, where other processes put it.
    pub fn compared() -> Self {
        let hub = Self::default();
        hub.lock().joined = Some(Joined::default());
        hub
    }

    /// A hub that other processes also feed.
    pub fn joined() -> Self {
        let hub = Self::default();
        hub.lock().joined = Some(Joined {
            touched: Some(HashSet::new()),
            ..Joined::default()
        });
        hub
    }

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
            let listeners = all.listeners.entry(*topic).or_default();
            listeners.insert(id, queue.clone());
            if listeners.len() == 1 {
                self.touch(&mut all, *topic);
            }
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
        self.deliver_to(&topics, event);
    }

    /// As [`Hub::deliver`], to those who listen to one of `topics`: what comes from elsewhere comes topic by topic.
    pub fn deliver_to(&self, topics: &[Topic], event: Event) {
        let room = event.room();
        let news = Arc::new(News {
            event,
            shared: Shared::default(),
        });
        let mut all = self.lock();
        let Topics {
            listeners, joined, ..
        } = &mut *all;
        for topic in topics {
            if let Some(joined) = joined {
                let admitted = joined.positions.admit(*topic, &news.event);
                if admitted.is_gap && listeners.contains_key(topic) {
                    self.missed.notify_one();
                }
                if !admitted.is_news {
                    continue;
                }
            }
            let Some(listeners) = listeners.get(topic) else {
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

    /// Up to where those of `topics` that have listeners were told of `room`, the one that is furthest behind:
    /// 0 where nothing is known. `None` where nobody listens.
    pub fn told(&self, topics: &[Topic], room: RoomId) -> Option<Told> {
        let all = self.lock();
        let positions = &all.joined.as_ref()?.positions;
        let heard = topics
            .iter()
            .filter(|topic| all.listeners.contains_key(topic));
        heard
            .map(|topic| positions.told(*topic, room).unwrap_or_default())
            .min_by_key(|told| (told.rev, told.floors.delivered, told.floors.read))
    }

    /// Those who listen to `topics` were told of `room` all that there was up to `rev`.
    pub fn note_told(&self, topics: &[Topic], room: RoomId, rev: Rev) {
        let mut all = self.lock();
        if let Some(joined) = &mut all.joined {
            for topic in topics {
                joined.positions.note(*topic, room, rev);
            }
        }
    }

    /// Forgets up to where listeners were told: what comes now is of another past.
    pub fn forget_told(&self) {
        if let Some(joined) = &mut self.lock().joined {
            joined.positions = Positions::default();
        }
    }

    /// Notes that something of other processes may have been missed.
    pub fn note_missed(&self) {
        self.missed.notify_one();
    }

    /// Waits until something of other processes may have been missed.
    pub async fn missed(&self) {
        self.missed.notified().await;
    }

    /// Which topics have listeners, in the manner of [`Hub::touched`].
    pub fn topics(&self) -> Vec<(Topic, bool)> {
        let all = self.lock();
        all.listeners.keys().map(|topic| (*topic, true)).collect()
    }

    /// Whose pages listen here.
    pub fn people(&self) -> Vec<UserId> {
        let all = self.lock();
        let people = all.listeners.keys().filter_map(|topic| match topic {
            Topic::User(user) => Some(*user),
            _ => None,
        });
        people.collect()
    }

    /// Waits until topics have got their first listener or lost their last one; returns them, and which it is.
    pub async fn touched(&self) -> Vec<(Topic, bool)> {
        loop {
            let touched = self.take_touched();
            if !touched.is_empty() {
                return touched;
            }
            self.touched.notified().await;
        }
    }

    fn take_touched(&self) -> Vec<(Topic, bool)> {
        let mut all = self.lock();
        let joined = all.joined.as_mut();
        let touched = joined.and_then(|it| it.touched.as_mut());
        let touched = touched.map(std::mem::take);
        let has_listeners = |topic: &Topic| all.listeners.contains_key(topic);
        let touched = touched.unwrap_or_default().into_iter();
        touched
            .map(|topic| (topic, has_listeners(&topic)))
            .collect()
    }

    fn touch(&self, all: &mut Topics, topic: Topic) {
        let joined = all.joined.as_mut();
        if let Some(touched) = joined.and_then(|it| it.touched.as_mut()) {
            touched.insert(topic);
            self.touched.notify_one();
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
                    self.hub.touch(&mut all, *topic);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
