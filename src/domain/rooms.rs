//! Rooms and one-to-one chats: who may be where, and how they come to be.

use std::sync::Arc;

pub use crate::store::{
    room::{Lobby, LobbyRoom},
    stamp::BEHIND,
};

use super::{
    Chat,
    names::{RoomName, fold},
};
use crate::{
    clock::UnixMillis,
    error::{Error, Result},
    ids::{RoomId, UserId},
    realtime::Event,
    records::{Room, RoomKind},
};

/// The cursor of somebody whose lobby shows what changed up to `newest`: transactions that were open then may still add
/// what bears an earlier stamp. No clock has a part in it: what comes later bears a later stamp, whatever clocks do.
pub fn cursor_behind(newest: UnixMillis) -> UnixMillis {
    newest.minus(BEHIND).max(UnixMillis(0))
}

impl Chat {
    /// The room, if `user` may be in it.
    ///
    /// # Errors
    /// `NotFound` when it does not exist or is not for them: the two cannot be told apart.
    pub async fn room_for(&self, user: UserId, id: RoomId) -> Result<Arc<Room>> {
        let room = self.room(id).await?;
        if room.admits(user) {
            Ok(room)
        } else {
            Err(Error::NotFound)
        }
    }

    /// What `user`'s lobby lists, as far as it changed at or after `since`.
    pub async fn lobby(&self, user: UserId, since: UnixMillis) -> Result<Lobby> {
        self.store.lobby(user, since).await
    }

    /// Since when the lobby is sent to somebody who does not say what they know: what changed a moment ago.
    pub async fn lobby_cursor(&self) -> Result<UnixMillis> {
        Ok(cursor_behind(self.store.newest_stamp().await?))
    }

    /// Opens a public room of this name, or finds the one that has it already.
    ///
    /// # Errors
    /// `Invalid` for a name that cannot be.
    pub async fn create_room(&self, name: &str) -> Result<RoomId> {
        let name = RoomName::parse(name)?;
        let (id, made) = self
            .store
            .insert_public(name.as_str(), name.folded())
            .await?;
        if let Some(created) = made {
            let kind = RoomKind::Public {
                name: name.as_str().into(),
            };
            self.bus.publish(Event::RoomCreated {
                room: Arc::new(Room { id, kind }),
                created,
            });
        }
        Ok(id)
    }

    /// The one-to-one chat of `user` with the person of this name: two people have exactly one.
    /// The other sees it with its first message.
    ///
    /// # Errors
    /// `NotFound` when nobody has the name, `Invalid` when it is their own.
    pub async fn open_direct(&self, user: UserId, name: &str) -> Result<RoomId> {
        let other = self
            .store
            .find_user_by_name(&fold(name.trim()))
            .await?
            .ok_or(Error::NotFound)?;
        if other.person.id == user {
            return Err(Error::invalid(
                "username",
                "That is you. Choose somebody else.",
            ));
        }
        let (id, _) = self.store.insert_direct(user, other.person.id).await?;
        Ok(id)
    }

    /// Kind, name and the two of a direct room never change, so what was read once is remembered.
    pub(super) async fn room(&self, id: RoomId) -> Result<Arc<Room>> {
        if let Some(room) = self.rooms.get(&id) {
            return Ok(room);
        }
        let room = Arc::new(self.store.find_room(id).await?.ok_or(Error::NotFound)?);
        self.rooms.insert(id, room.clone());
        Ok(room)
    }
}
