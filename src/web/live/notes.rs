//! What a reader takes note of until the next frame of the lobby: counts, lines, ticks and typing that changed. It renders
//! nothing.

use std::{collections::BTreeMap, sync::Arc};

use super::Reader;
use crate::{
    clock::UnixMillis,
    domain::receipts::Position,
    ids::{RoomId, Seq},
    realtime::{Event, News},
    records::{Message, Newest, Room, RoomKind, Ticks},
};

/// What waits for the next lobby frame about one room: news of its newest message, or only its count.
pub(super) type Stale = BTreeMap<RoomId, Option<Arc<News>>>;

impl Reader {
    /// Takes note of what `news` changes in the lobby; it goes out with the next frame of it.
    pub(super) fn note_for_lobby(&mut self, news: &Arc<News>) {
        match &news.event {
            Event::SessionEnded { .. }
            | Event::SessionsEnded { .. }
            | Event::SessionsCounted { .. }
            | Event::PresenceChanged { .. }
            | Event::PrivacyChanged { .. }
            | Event::PastChanged
            | Event::ReceiptsSwitched { .. } => {}
            Event::PersonJoined { person, .. } if person.id == self.user => {}
            Event::PersonJoined { joined, .. } => {
                self.newest = self.newest.max(*joined);
                self.people.push(news.event.clone());
            }
            Event::RoomCreated { room, created } => {
                self.newest = self.newest.max(*created);
                self.stale_rooms.push((room.clone(), *created));
            }
            Event::RoomRead {
                room,
                user,
                read_seq,
            } => {
                if *user == self.user {
                    let position = self.position_mut(*room);
                    position.is_member = true;
                    position.seen_seq = *read_seq;
                    position.last_seq = position.last_seq.max(*read_seq);
                    self.stale.entry(*room).or_default();
                }
            }
            Event::RoomMarked { room, seen_seq, .. } => {
                self.position_mut(*room).seen_seq = *seen_seq;
                self.stale.entry(*room).or_default();
            }
            Event::RoomMuted { room, until, .. } => {
                self.position_mut(*room).muted_until = *until;
                self.stale.entry(*room).or_default();
            }
            Event::TypingStarted { person, .. } if person.id == self.user => {}
            Event::TypingStarted { room, person } => self.typing.started(room, person),
            Event::TypingStopped { room, user } => self.typing.stopped(room.id, *user),
            Event::FloorsMoved {
                room,
                floors,
                newest,
            } => {
                let mine = newest.filter(|newest| newest.author == self.user);
                // What comes from another node may be of a message before the newest.
                let is_newest = |newest: &&Newest| newest.seq >= self.position(*room).last_seq;
                if let Some(newest) = mine.as_ref().filter(is_newest) {
                    let floors = floors.seen_by(self.site.app.chat.sees_reads(self.privacy));
                    let ticks = Ticks::of(newest.seq, newest.audience, floors);
                    self.stale_ticks.insert(*room, ticks);
                }
            }
            Event::MessagePosted { room, message, .. } => {
                let mine = message.author.id == self.user;
                self.typing.stopped(room.id, message.author.id);
                let in_view = self.room.as_ref().is_some_and(|open| open.id == room.id);
                let is_direct = matches!(room.kind, RoomKind::Direct { .. });
                let position = self.position_mut(room.id);
                position.is_member |= mine || is_direct;
                // What is told once more is no later than what was read since.
                if mine && message.seq > position.last_seq {
                    position.seen_seq = message.seq;
                }
                if !mine && (position.is_member || in_view) {
                    let sent = self.sent.entry(room.id).or_default();
                    *sent = message.seq.max(*sent);
                }
                self.note_line(news, room, message);
            }
            Event::MessageEdited { room, message, .. }
            | Event::MessageDeleted { room, message, .. } => self.note_line(news, room, message),
        }
    }

    /// Rooms whose muting has ended count again.
    pub(super) fn note_mutes_ended(&mut self, now: UnixMillis) {
        let before = std::mem::replace(&mut self.mutes_at, now);
        for position in &self.positions {
            if position.is_muted(before) && !position.is_muted(now) {
                self.stale.entry(position.room).or_default();
            }
        }
    }

    /// The room's line changes if this is its newest message.
    fn note_line(&mut self, news: &Arc<News>, room: &Room, message: &Message) {
        let stamp = message.edited.unwrap_or(message.created);
        self.newest = self.newest.max(stamp);
        let position = self.position_mut(room.id);
        // A chat of two shows when it has its first message.
        if position.last_seq == Seq(0) && matches!(room.kind, RoomKind::Direct { .. }) {
            self.unlisted.insert(room.id);
        }
        let position = self.position_mut(room.id);
        if message.seq >= position.last_seq {
            position.last_seq = message.seq;
            self.stale_ticks.remove(&room.id);
            self.stale.insert(room.id, Some(news.clone()));
        }
    }

    /// How far the reader has come in a room.
    pub(super) fn position(&self, room: RoomId) -> Position {
        let found = self.positions.binary_search_by_key(&room, |it| it.room);
        found.map_or_else(|_| Position::start_of(room), |at| self.positions[at])
    }

    fn position_mut(&mut self, room: RoomId) -> &mut Position {
        let at = self
            .positions
            .binary_search_by_key(&room, |it| it.room)
            .unwrap_or_else(|at| {
                self.positions.insert(at, Position::start_of(room));
                at
            });
        &mut self.positions[at]
    }
}
