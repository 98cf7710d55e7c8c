//! What one reader makes of something and others can use too.

use std::{
    any::Any,
    sync::{Arc, Mutex, PoisonError},
};

/// How many different things are kept.
const MOST: usize = 64;

/// Things made of something that many readers hold; they go with it.
#[derive(Debug, Default)]
pub struct Shared(Mutex<Vec<(u64, Arc<dyn Any + Send + Sync>)>>);

impl Shared {
    /// What was made for `key` before, or what `make` makes now: each of the first 64 keys is made once, however many
    /// readers share it.
    pub fn get<T: Clone + Send + Sync + 'static>(&self, key: u64, make: impl FnOnce() -> T) -> T {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = shared
            .iter()
            .find(|(k, _)| *k == key)
            .and_then(|(_, made)| made.downcast_ref::<T>());
        if let Some(made) = known {
            return made.clone();
        }
        let made = make();
        if shared.len() < MOST {
            shared.push((key, Arc::new(made.clone())));
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_readers_share_is_made_once() {
        let shared = Shared::default();
        assert_eq!(shared.get(5, || "made".to_string()), "made");
        assert_eq!(shared.get(5, || "made again".to_string()), "made");
        assert_eq!(shared.get(6, || "for another".to_string()), "for another");
    }
}
