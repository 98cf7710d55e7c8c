//! The lobby as a reader follows it: news is gathered, and told at most four times a second. It knows
//! nothing of the open room's messages.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{
    Afresh, Reader,
    frames::{AfreshFrame, Count, Line, LobbyFrame, PreviewTicks, TypingWords},
};
use crate::{
    clock::UnixMillis,
    domain::{
        receipts::Position,
        rooms::{LobbyRoom, cursor_behind},
    },
    ids::{RoomId, Seq},
    realtime::{Event, News},
    records::{Floors, Room, RoomKind},
    web::{
        page,
        views::{LobbyView, RoomView, RowView},
    },
};

/// How long lobby news is gathered before the next frame of it; when it does not stop coming, twice as long each time.
pub(super) const LOBBY_PACE: Duration = Duration::from_millis(250);
/// But never longer than this: other tabs of the same person follow within a second.
const SLOWEST_PACE: Duration = Duration::from_millis(750);

/// The variants of lines have this bit, those of messages do not.
const LINE: u64 = 1 << 62;

impl Reader {
    /// When the next lobby frame is due, if there is anything to tell.
    pub fn lobby_due(&self) -> Option<Instant> {
        match self.is_lobby_quiet() && self.stale_floors.is_none() {
            false => Some(self.next_lobby),
            true => self.typing.next_end().map(|end| end.max(self.next_lobby)),
        }
    }

    fn set_next_lobby(&mut self, now: Instant) {
        let is_busy = now < self.next_lobby + LOBBY_PACE;
        self.lobby_pace = match is_busy {
            true => (self.lobby_pace * 2).min(SLOWEST_PACE),
            false => LOBBY_PACE,
        };
        self.next_lobby = now + self.lobby_pace;
    }

    fn is_lobby_quiet(&self) -> bool {
        self.stale.is_empty()
            && self.stale_rooms.is_empty()
            && self.stale_ticks.is_empty()
            && self.people.is_empty()
            && !self.typing.has_news()
    }

    /// What changed since the last one: how far everybody in the open room has come, and the lines of the lobby.
    pub fn take_lobby(&mut self) -> Option<Utf8Bytes> {
        self.set_next_lobby(Instant::now());
        // First, so that a line rendered below does not still name somebody who has just been forgotten.
        let typing = self.typing.take();
        let floors = self.take_floors();
        if typing.is_empty() && self.is_lobby_quiet() {
            return floors;
        }
        let mut frame = floors.map_or_else(String::new, |floors| floors.as_str().into());
        frame += &self.take_new_lines();
        let (counts, lines) = self.take_stale();
        for news in lines {
            frame += &self.line(&news);
        }
        let ticks = std::mem::take(&mut self.stale_ticks).into_iter();
        let ticks = ticks.map(|(id, ticks)| PreviewTicks {
            id,
            state: ticks.as_str(),
        });
        let open = self.room.as_ref().map(|room| room.id);
        let typing = typing.into_iter().map(|(id, words)| TypingWords {
            open: open == Some(id),
            id,
            words,
        });
        let (ticks, typing) = (ticks.collect(), typing.collect());
        frame += &self.lobby_end(counts, ticks, typing);
        Some(frame.into())
    }

    /// The rooms of which only the count is news, and the news of newest messages in the order of their time.
    fn take_stale(&mut self) -> (Vec<Count>, Vec<Arc<News>>) {
        let (mut counts, mut lines) = (Vec::new(), Vec::new());
        for (id, line) in std::mem::take(&mut self.stale) {
            match line {
                Some(news) => lines.push(news),
                None => counts.push(self.count(id)),
            }
        }
        let created = |news: &Arc<News>| {
            let message = news.event.message();
            message.map(|(room, last, _)| (last.created, room.id))
        };
        lines.sort_by_key(created);
        (counts, lines)
    }

    /// The lines of new rooms and people.
    fn take_new_lines(&mut self) -> String {
        let (rooms, people) = (
            std::mem::take(&mut self.stale_rooms),
            std::mem::take(&mut self.people),
        );
        let rooms = rooms.into_iter().map(|(room, created)| {
            let listed = LobbyRoom {
                room,
                last_seq: Seq(0),
                seen_seq: Seq(0),
                muted_until: UnixMillis(0),
                changed: created,
                last: None,
                floors: Floors::default(),
            };
            Line::new("rooms", self.row(&listed), true)
        });
        let people = people.iter().filter_map(|event| match event {
            Event::PersonJoined { person, joined } => {
                let row = RowView::person(person, *joined, self.eyes());
                Some(Line::new("people", row, true))
            }
            _ => None,
        });
        self.lines(rooms.chain(people))
    }

    /// The line of the room whose newest message this news is: the same bytes for all who see the same there.
    fn line(&mut self, news: &News) -> Utf8Bytes {
        let Some((room, message, floors)) = news.event.message() else {
            return Utf8Bytes::default();
        };
        let position = self.position(room.id);
        // One frame never tells of a room twice: the line bears what else there is to say of it.
        let (typing, ticks) = (
            self.typing.words(room.id),
            self.stale_ticks.remove(&room.id),
        );
        let mine = message.author.id == self.user;
        let peer = room.peer(self.user).map(|peer| peer.id);
        let is_new = self.unlisted.remove(&room.id);
        let mut key = DefaultHasher::new();
        (self.zone.key(), mine, peer, position.unread()).hash(&mut key);
        (position.is_muted(self.site.app.clock.now()), &typing, ticks).hash(&mut key);
        is_new.hash(&mut key);
        peer.map(|peer| self.eyes().is_online(peer)).hash(&mut key);
        mine.then(|| self.site.app.chat.sees_reads(self.privacy))
            .hash(&mut key);
        news.shared.get(key.finish() | LINE, || {
            let (list, last) = (list(room), Some(message.as_ref().clone()));
            let listed = LobbyRoom {
                room: room.clone(),
                last_seq: position.last_seq,
                seen_seq: position.seen_seq,
                muted_until: position.muted_until,
                changed: message.created,
                last,
                floors,
            };
            let row = self.row(&listed).with(typing, ticks);
            let is_post = matches!(news.event, Event::MessagePosted { .. });
            let line = Line::new(list, row, is_new).aloud(is_post);
            self.lines([line].into_iter()).into()
        })
    }

    /// A line for everyone: each page knows by itself which room it shows.
    fn row(&self, listed: &LobbyRoom) -> RowView {
        RowView::room(listed, None, self.eyes())
    }

    /// A frame of lines alone. To a page that knew the lobby up to `told` they may be new; of what came later, it says
    /// aloud what nobody has seen.
    pub(super) fn lobby_frame(
        &mut self,
        rows: Vec<(&'static str, RowView)>,
        told: Option<UnixMillis>,
    ) -> Utf8Bytes {
        let lines = rows.into_iter().map(|(list, row)| {
            let is_news = told.is_some_and(|told| row.sort > told.0);
            Line::new(list, row, told.is_some()).aloud(is_news)
        });
        let mut frame = self.lines(lines);
        frame += &self.lobby_end(Vec::new(), Vec::new(), Vec::new());
        frame.into()
    }

    /// The whole lobby, for a page that knows another past or was made by another build.
    pub(super) fn afresh_frame(&mut self, lobby: LobbyView, afresh: Afresh) -> Utf8Bytes {
        let room = self.room.as_ref();
        let frame = AfreshFrame {
            lobby,
            room: room.map(|room| RoomView::new(room, self.user).name),
            gone: afresh.is_gone,
            newer: afresh.is_other_build,
        };
        let mut frame = self.site.templates.render("live/_afresh.html", frame);
        frame += &self.lobby_end(Vec::new(), Vec::new(), Vec::new());
        frame.into()
    }

    fn lines(&self, lines: impl Iterator<Item = Line>) -> String {
        let templates = &self.site.templates;
        lines
            .map(|line| templates.render("live/_line.html", line))
            .collect()
    }

    fn count(&self, room: RoomId) -> Count {
        let position = self.position(room);
        Count {
            id: room,
            count: position.unread(),
            muted: position.is_muted(self.site.app.clock.now()),
        }
    }

    /// What every lobby frame ends with: counts and other small changes, its time, the page's title.
    fn lobby_end(
        &mut self,
        counts: Vec<Count>,
        ticks: Vec<PreviewTicks>,
        typing: Vec<TypingWords>,
    ) -> String {
        let now = self.site.app.clock.now();
        let told = self.positions.iter().filter(|it| !it.is_muted(now));
        let total: i64 = told.map(Position::unread).sum();
        let room = self.room.clone();
        let name = room
            .as_ref()
            .map(|room| RoomView::new(room, self.user).name);
        let below = room.map_or(0, |room| self.position(room.id).unread());
        let told = std::mem::replace(&mut self.told, (Some(total), below));
        let frame = LobbyFrame {
            counts,
            ticks,
            typing,
            at: cursor_behind(self.newest),
            version: self.version.clone(),
            title: page::title(total, name.as_deref()),
            dot: Some(total > 0).filter(|dot| told.0.is_none_or(|total| (total > 0) != *dot)),
            badge: Some(total).filter(|_| told.0 != self.told.0),
            below: Some(below).filter(|_| told.1 != below),
        };
        self.site.templates.render("live/_lobby.html", frame)
    }
}

/// The list that a room's line belongs to.
fn list(room: &Room) -> &'static str {
    match room.kind {
        RoomKind::Public { .. } => "rooms",
        RoomKind::Direct { .. } => "chats",
    }
}
