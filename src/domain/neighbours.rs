//! What other nodes tell of their connections, for an administrator who looks. Nobody tells anything before somebody asks.
//! What exactly is told is no concern of the chat's.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::value::RawValue;
use tokio::{sync::Notify, time::Instant};

use super::Chat;
use crate::realtime::{NodeId, NodeWord};

/// How often others are asked at most, and how long what they told is shown.
const APART: Duration = Duration::from_secs(1);
const SHOWN: Duration = Duration::from_secs(10);
/// How many nodes are listened to.
const MOST: usize = 100;

/// What other nodes told, and whether they asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Neighbours(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    told: Mutex<Told>,
    asked: Notify,
}

#[derive(Debug, Default)]
struct Told {
    asked: Option<Instant>,
    nodes: HashMap<NodeId, (Instant, Arc<RawValue>)>,
}

impl Neighbours {
    /// Another node asks.
    pub fn is_asked(&self) {
        self.0.asked.notify_one();
    }

    /// Another node tells.
    pub fn hear(&self, from: NodeId, told: Arc<RawValue>) {
        let mut all = self.lock();
        all.nodes.retain(|_, (at, _)| at.elapsed() < SHOWN);
        if all.nodes.len() < MOST || all.nodes.contains_key(&from) {
            all.nodes.insert(from, (Instant::now(), told));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chat {
    /// What other nodes told a moment ago, in the order of their names; they are asked to tell it again.
    pub fn ask_neighbours(&self) -> Vec<(NodeId, Arc<RawValue>)> {
        let Some(redis) = self.bus.redis() else {
            return Vec::new();
        };
        let mut all = self.neighbours.lock();
        if all.asked.is_none_or(|at| at.elapsed() >= APART) {
            all.asked = Some(Instant::now());
            redis.tell(NodeWord::WhoIsThere);
        }
        let fresh = all.nodes.iter().filter(|(_, (at, _))| at.elapsed() < SHOWN);
        let mut fresh: Vec<_> = fresh
            .map(|(node, (_, told))| (node.clone(), told.clone()))
            .collect();
        fresh.sort_by(|(one, _), (other, _)| one.cmp(other));
        fresh
    }

    /// Waits until another node asks.
    pub async fn asked_by_neighbours(&self) {
        self.neighbours.0.asked.notified().await;
    }

    /// Tells the other nodes what they asked for.
    pub fn tell_neighbours(&self, told: Box<RawValue>) {
        if let Some(redis) = self.bus.redis() {
            redis.tell(NodeWord::Connected(told.into()));
        }
    }
}
