//! How far people were reached and have read: two watermarks per person and room, and what the ticks make of them.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};

pub use crate::store::membership::Position;

use super::{Chat, rooms::Lobby};
use crate::{
    clock::UnixMillis,
    error::Result,
    ids::{RoomId, Seq, UserId},
    records::{Floors, Room},
    store::Write,
};

/// How many deliveries wait to be committed together; more are dropped and told again by the next connection.
const MOST_WAITING: usize = 100_000;

/// Deliveries that wait to be committed together, the furthest per person and room.
#[derive(Debug, Clone, Default)]
pub(super) struct Deliveries(Arc<Mutex<BTreeMap<(RoomId, UserId), Seq>>>);

impl Chat {
    /// How far `user` has read in the room.
    pub async fn read_seq(&self, room: &Room, user: UserId) -> Result<Seq> {
        self.store.find_read_seq(room.id, user).await
    }

    /// Where each room of `user`'s ends and how far they were reached and have read.
    pub async fn positions(&self, user: UserId) -> Result<Vec<Position>> {
        self.store.positions(user).await
    }

    /// What concerns one person when they come back: their positions, and what changed in their lobby at or after
    /// `since`. A few are looked up at a time, the others wait their turn.
    pub async fn standing(
        &self,
        user: UserId,
        since: UnixMillis,
    ) -> Result<(Vec<Position>, Lobby)> {
        let _turn = self.turns.acquire().await;
        let positions = self.positions(user).await?;
        Ok((positions, self.lobby(user, since).await?))
    }

    /// How far everybody in the room was reached and has read.
    pub async fn floors(&self, room: &Room) -> Result<Floors> {
        self.store.find_floors(room.id).await
    }

    /// Notes that `user` has read the room up to `seq`. Never falls, never passes the room's end.
    /// Whoever comes to a room for the first time has all of it behind them.
    pub async fn mark_read(&self, room: Arc<Room>, user: UserId, seq: Seq) -> Result<()> {
        let room = room.id;
        let read = Write::Read { room, user, seq };
        self.writer.write(read).await.map(|_| ())
    }

    /// Notes that a client of `user`'s has received these rooms up to here. It is committed with others, soon.
    pub fn note_delivered(&self, user: UserId, received: BTreeMap<RoomId, Seq>) {
        let mut waiting = self.deliveries.lock();
        for (room, seq) in received {
            let is_full = waiting.len() >= MOST_WAITING;
            match waiting.entry((room, user)) {
                Entry::Occupied(mut known) => *known.get_mut() = seq.max(*known.get()),
                Entry::Vacant(_) if is_full => {}
                Entry::Vacant(new) => {
                    new.insert(seq);
                }
            }
        }
    }

    /// Commits the deliveries that wait.
    ///
    /// # Errors
    /// As [`crate::store::Writer::write`]; the next connection tells of them again.
    pub async fn commit_deliveries(&self) -> Result<()> {
        let waiting = std::mem::take(&mut *self.deliveries.lock());
        if waiting.is_empty() {
            return Ok(());
        }
        self.writer
            .write(Write::Delivered(waiting))
            .await
            .map(|_| ())
    }
}

impl Deliveries {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(RoomId, UserId), Seq>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
