//! The lobby as a reader follows it: news is gathered, and told at most four times a second. It knows
//! nothing of the open room's messages.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{
    Reader,
    frames::{Count, Line, LobbyFrame, PreviewTicks, TypingWords},
};
use crate::{
    domain::{receipts::Position, rooms::LobbyRoom},
    ids::{RoomId, Seq},
    realtime::Event,
    records::{Floors, Message, Room, RoomKind, Ticks},
    web::{
        page,
        views::{RoomView, RowView},
    },
};

/// How long lobby news is gathered before the next frame of it.
const LOBBY_PACE: Duration = Duration::from_millis(250);

/// What waits for the next lobby frame about one room: its line, or only its count.
pub(super) type Stale = BTreeMap<RoomId, Option<(Arc<Room>, Arc<Message>, Floors)>>;

impl Reader {
    /// When the next lobby frame is due, if there is anything to tell.
    pub fn lobby_due(&self) -> Option<Instant> {
        let quiet = self.stale.is_empty()
            && self.stale_rooms.is_empty()
            && self.stale_ticks.is_empty()
            && self.people.is_empty()
            && !self.typing.has_news();
        match quiet {
            false => Some(self.next_lobby),
            true => self.typing.next_end().map(|end| end.max(self.next_lobby)),
        }
    }

    /// The lobby lines that changed since the last one.
    pub fn take_lobby(&mut self) -> Utf8Bytes {
        self.next_lobby = Instant::now() + LOBBY_PACE;
        let open = self.room.as_ref().map(|room| room.id);
        // First, so that a line rendered below does not still name somebody who has just been forgotten.
        let typing = self.typing.take();
        let mut rows = Vec::new();
        for room in std::mem::take(&mut self.stale_rooms) {
            let changed = self.site.app.clock.now();
            let listed = LobbyRoom {
                room,
                last_seq: Seq(0),
                read_seq: Seq(0),
                changed,
                last: None,
                floors: Floors::default(),
            };
            rows.push(("rooms", RowView::room(&listed, open, self.eyes())));
        }
        for event in std::mem::take(&mut self.people) {
            if let Event::PersonJoined { person, joined } = &event {
                rows.push(("people", RowView::person(person, *joined)));
            }
        }
        let mut counts = Vec::new();
        for (id, line) in std::mem::take(&mut self.stale) {
            let position = self.position(id);
            match line {
                Some((room, message, floors)) => {
                    let list = if matches!(room.kind, RoomKind::Public { .. }) {
                        "rooms"
                    } else {
                        "chats"
                    };
                    let last = Some(message.as_ref().clone());
                    let listed = LobbyRoom {
                        room,
                        last_seq: position.last_seq,
                        read_seq: position.read_seq,
                        changed: message.created,
                        last,
                        floors,
                    };
                    // One frame never tells of a room twice: the line bears what else there is to say of it.
                    let (typing, ticks) = (self.typing.words(id), self.stale_ticks.remove(&id));
                    let row = RowView::room(&listed, open, self.eyes()).with(typing, ticks);
                    rows.push((list, row));
                }
                None => counts.push((id, position.unread())),
            }
        }
        let ticks = std::mem::take(&mut self.stale_ticks).into_iter();
        let ticks = ticks.map(|(id, ticks)| PreviewTicks {
            id,
            state: ticks.as_str(),
        });
        let typing = typing.into_iter().map(|(id, words)| TypingWords {
            open: open == Some(id),
            id,
            words,
        });
        let typing = typing.collect();
        self.lobby_frame_with(rows, counts, ticks.collect(), typing)
    }

    /// Takes note of what `event` changes in the lobby; it goes out with the next frame of it.
    pub(super) fn note_for_lobby(&mut self, event: &Event) {
        match event {
            Event::SessionEnded { .. } => {}
            Event::PersonJoined { person, .. } if person.id == self.user => {}
            Event::PersonJoined { .. } => self.people.push(event.clone()),
            Event::RoomCreated { room } => self.stale_rooms.push(room.clone()),
            Event::RoomRead {
                room,
                user,
                read_seq,
            } => {
                if *user == self.user {
                    let position = self.position_mut(*room);
                    position.is_member = true;
                    position.read_seq = position.read_seq.max(*read_seq);
                    position.last_seq = position.last_seq.max(*read_seq);
                    self.stale.entry(*room).or_default();
                }
            }
            Event::TypingStarted { person, .. } if person.id == self.user => {}
            Event::TypingStarted { room, person } => self.typing.started(room, person),
            Event::FloorsMoved {
                room,
                floors,
                newest,
            } => {
                let mine = newest.filter(|newest| newest.author == self.user);
                if let Some(newest) = mine {
                    let ticks = Ticks::of(newest.seq, newest.has_audience, *floors);
                    self.stale_ticks.insert(*room, ticks);
                }
            }
            Event::MessagePosted {
                room,
                message,
                floors,
            } => {
                let mine = message.author.id == self.user;
                self.typing.stopped(room.id, message.author.id);
                let in_view = self.room.as_ref().is_some_and(|open| open.id == room.id);
                let is_direct = matches!(room.kind, RoomKind::Direct { .. });
                let position = self.position_mut(room.id);
                position.is_member |= mine || is_direct;
                if mine {
                    position.read_seq = position.read_seq.max(message.seq);
                }
                if !mine && (position.is_member || in_view) {
                    self.sent.insert(room.id, message.seq);
                }
                self.note_line(room, message, *floors);
            }
            Event::MessageEdited {
                room,
                message,
                floors,
            }
            | Event::MessageDeleted {
                room,
                message,
                floors,
            } => self.note_line(room, message, *floors),
        }
    }

    /// The room's line changes if this is its newest message.
    fn note_line(&mut self, room: &Arc<Room>, message: &Arc<Message>, floors: Floors) {
        let position = self.position_mut(room.id);
        if message.seq >= position.last_seq {
            position.last_seq = message.seq;
            let line = (room.clone(), message.clone(), floors);
            self.stale_ticks.remove(&room.id);
            self.stale.insert(room.id, Some(line));
        }
    }

    /// A frame of lines alone.
    pub(super) fn lobby_frame(&self, rows: Vec<(&'static str, RowView)>) -> Utf8Bytes {
        self.lobby_frame_with(rows, Vec::new(), Vec::new(), Vec::new())
    }

    fn lobby_frame_with(
        &self,
        rows: Vec<(&'static str, RowView)>,
        counts: Vec<(RoomId, i64)>,
        ticks: Vec<PreviewTicks>,
        typing: Vec<TypingWords>,
    ) -> Utf8Bytes {
        let rows = rows
            .into_iter()
            .map(|(list, row)| Line { list, row })
            .collect();
        let counts = counts
            .into_iter()
            .map(|(id, count)| Count { id, count })
            .collect();
        let total = self.positions.iter().map(Position::unread).sum();
        let name = self
            .room
            .as_ref()
            .map(|room| RoomView::new(room, self.user).name);
        let (at, title) = (
            self.site.app.clock.now(),
            page::title(total, name.as_deref()),
        );
        self.site
            .templates
            .render(
                "live/_lobby.html",
                LobbyFrame {
                    rows,
                    counts,
                    ticks,
                    typing,
                    at,
                    title,
                },
            )
            .into()
    }

    fn position(&self, room: RoomId) -> Position {
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
