//! How far people have read.

use std::sync::Arc;

pub use crate::store::membership::Position;

use super::Chat;
use crate::{
    error::Result,
    ids::{Seq, UserId},
    records::Room,
    store::Write,
};

impl Chat {
    /// How far `user` has read in the room.
    pub async fn read_seq(&self, room: &Room, user: UserId) -> Result<Seq> {
        self.store.find_read_seq(room.id, user).await
    }

    /// Where each room of `user`'s ends and how far they have read it.
    pub async fn positions(&self, user: UserId) -> Result<Vec<Position>> {
        self.store.positions(user).await
    }

    /// Notes that `user` has read the room up to `seq`. Never falls, never passes the room's end.
    pub async fn mark_read(&self, room: Arc<Room>, user: UserId, seq: Seq) -> Result<()> {
        self.writer
            .write(Write::Read { room, user, seq })
            .await
            .map(|_| ())
    }
}
