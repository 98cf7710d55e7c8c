//! View models: what templates show of rooms, messages and connections. All arithmetic is done here. They know neither the
//! request nor where the records come from.

use serde::Serialize;

use super::{page::hue, zone::Zone};
use crate::{
    clock::UnixMillis,
    domain::presence::Presence,
    ids::UserId,
    records::{Floors, Room, RoomKind},
};

mod connections;
mod messages;
mod receipts;
mod rooms;

pub use connections::ConnectionsView;
pub use messages::{ComposerView, HistoryView, MessageView, MessagesFrame};
pub use receipts::InfoView;
pub use rooms::{LobbyView, MenuView, RoomView, RowView, SeenView};

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
    /// Whether they see how far others have read.
    pub sees_reads: bool,
    /// Who is here, if they see it.
    pub presence: Option<&'a Presence>,
}

impl Eyes<'_> {
    /// How far everybody has come, as far as the viewer sees it.
    fn seen(&self, floors: Floors) -> Floors {
        floors.seen_by(self.sees_reads)
    }

    /// Whether the viewer sees that somebody is here.
    pub fn is_online(&self, user: UserId) -> bool {
        self.presence.is_some_and(|here| here.is_online(user))
    }
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
