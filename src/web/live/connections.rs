//! How many live connections each person has in this process. It knows nothing of what they carry.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::ids::UserId;

/// How many live connections each person has in this process.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Mutex<HashMap<UserId, usize>>>);

/// One person's live connection, counted until it is dropped.
#[derive(Debug)]
pub struct Connection {
    all: Connections,
    user: UserId,
}

impl Connections {
    /// Counts one more connection of `user`, unless they have `most` already.
    pub fn open(&self, user: UserId, most: usize) -> Option<Connection> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(user).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Connection {
            all: self.clone(),
            user,
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.user);
            }
        }
    }
}
