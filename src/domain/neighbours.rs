//! What nodes tell each other of their connections: what a page said to the wrong one, and for an administrator who
//! looks, who is there. What exactly is told is no concern of the chat's.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::value::RawValue;
use tokio::{sync::Notify, time::Instant};

use super::Chat;
use crate::{
    ids::UserId,
    realtime::{NodeId, NodeWord},
};

/// How often others are asked at most, and how long what they told is shown.
const APART: Duration = Duration::from_secs(1);
const SHOWN: Duration = Duration::from_secs(10);
/// How many nodes are listened to, and how many questions wait; more are forgotten, and asked again.
const MOST: usize = 100;
const MOST_QUESTIONS: usize = 1_000;

/// What another node wants of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// To know who is connected to it.
    WhoIsThere,
    /// To pass on that a connection has received what it was asked about.
    Received {
        /// Who said so.
        user: UserId,
        /// The connection's number.
        connection: u64,
        /// The number of the question.
        number: u32,
    },
}

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
    questions: Vec<Question>,
}

impl Neighbours {
    /// Another node asks.
    pub fn is_asked(&self, question: Question) {
        let mut all = self.lock();
        if all.questions.len() < MOST_QUESTIONS {
            all.questions.push(question);
        }
        drop(all);
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

    /// Waits until other nodes ask something; returns all that they ask.
    pub async fn questions(&self) -> Vec<Question> {
        loop {
            let questions = std::mem::take(&mut self.neighbours.lock().questions);
            if !questions.is_empty() {
                return questions;
            }
            self.neighbours.0.asked.notified().await;
        }
    }

    /// Asks the other nodes to pass on what a page said to this one: it is connected to one of them.
    pub fn pass_on_received(&self, user: UserId, connection: u64, number: u32) {
        if let Some(redis) = self.bus.redis() {
            redis.tell(NodeWord::Received {
                user,
                connection,
                number,
            });
        }
    }

    /// Tells the other nodes what they asked for.
    pub fn tell_neighbours(&self, told: Box<RawValue>) {
        if let Some(redis) = self.bus.redis() {
            redis.tell(NodeWord::Connected(told.into()));
        }
    }
}
