//! View models: what templates show of rooms, messages and connections. All arithmetic is done here. They know neither the
//! request nor where the records come from.

use serde::Serialize;

use super::{page::hue, zone::Zone};
use crate::{
    clock::UnixMillis,
    ids::UserId,
    records::{Floors, Room, RoomKind},
};

mod connections;
mod messages;
mod rooms;

pub use connections::{ConnectionsView, TRANSPORTS};
pub use messages::{ComposerView, HistoryView, MessageView, MessagesFrame};
pub use rooms::{LobbyView, RoomView, RowView};

/// For whom something is rendered: who, by which calendar, and when.
#[derive(Debug, Clone, Copy)]
pub struct Eyes<'a> {
    /// Who looks.
    pub user: UserId,
    /// Their calendar.
    pub zone: &'a Zone,
    /// The present.
    pub now: UnixMillis,
    /// How far everybody in the room looked at has come.
    pub floors: Floors,
}

/// A moment, for people and for machines.
#[derive(Debug, Serialize)]
pub struct TimeView {
    label: String,
    iso: String,
}

/// What `user` calls a room, and its colour.
fn name(room: &Room, user: UserId) -> (String, i64) {
    match &room.kind {
        RoomKind::Public { name } => (name.to_string(), hue(room.id.0)),
        RoomKind::Direct { people } => {
            let peer = room.peer(user).unwrap_or(&people[0]);
            (peer.name.to_string(), hue(peer.id.0))
        }
    }
}

fn kind(room: &Room) -> &'static str {
    match room.kind {
        RoomKind::Public { .. } => "public",
        RoomKind::Direct { .. } => "direct",
    }
}
