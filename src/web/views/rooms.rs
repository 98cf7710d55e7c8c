//! What templates show of rooms and people: the head of a conversation and the lobby. They know of a
//! message no more than its preview.

use std::cmp::Reverse;

use serde::Serialize;

use super::{Eyes, TimeView, kind, name};
use crate::{
    clock::UnixMillis,
    domain::{
        body,
        presence::Seen,
        receipts::Mute,
        rooms::{Lobby, LobbyRoom, cursor_behind},
    },
    ids::{RoomId, Seq, UserId},
    records::{Floors, Message, Person, Room, RoomKind, Ticks},
    web::{
        page::{hue, initials},
        zone::iso,
    },
};

/// The head of a conversation.
#[derive(Debug, Serialize)]
pub struct RoomView {
    id: RoomId,
    kind: &'static str,
    /// As the viewer calls it: a direct room bears the other's name.
    pub name: String,
    initials: String,
    hue: i64,
    subtitle: &'static str,
    presence: Option<SeenView>,
    muted: Option<String>,
}

/// Whether the other one of a direct room is here, or when they last were; empty when that is not known or not shown.
#[derive(Debug, Default, Clone, Serialize)]
pub struct SeenView {
    online: bool,
    words: String,
}

impl SeenView {
    /// What `eyes` see of `seen`.
    pub fn new(seen: Option<Seen>, eyes: Eyes<'_>) -> Self {
        match seen.filter(|_| eyes.presence.is_some()) {
            None => Self::default(),
            Some(Seen::Online) => Self {
                online: true,
                words: "online".into(),
            },
            Some(Seen::Last(at)) => Self {
                online: false,
                words: eyes.zone.seen_label(at, eyes.now),
            },
        }
    }
}

/// `rooms/_menu.html`: what can be done with a room.
#[derive(Debug, Serialize)]
pub struct MenuView {
    id: RoomId,
    muted: Option<String>,
}

impl MenuView {
    /// The menu of a room that is muted until then.
    pub fn new(id: RoomId, muted_until: UnixMillis, eyes: Eyes<'_>) -> Self {
        let muted = muted(muted_until, eyes);
        Self { id, muted }
    }
}

/// Until when a room is muted, in words, if it is.
fn muted(until: UnixMillis, eyes: Eyes<'_>) -> Option<String> {
    (until > eyes.now).then(|| match until {
        Mute::FOR_EVER => "Muted".into(),
        until => format!("Muted {}", eyes.zone.until_label(until, eyes.now)),
    })
}

impl RoomView {
    /// `room` as `user` sees it.
    pub fn new(room: &Room, user: UserId) -> Self {
        let (name, hue) = name(room, user);
        let subtitle = match room.kind {
            RoomKind::Public { .. } => "Room · open to everyone here",
            RoomKind::Direct { .. } => "Only the two of you",
        };
        Self {
            id: room.id,
            kind: kind(room),
            initials: initials(&name),
            name,
            hue,
            subtitle,
            presence: None,
            muted: None,
        }
    }

    /// With what stands beside its name while it is open.
    pub fn opened(
        mut self,
        presence: Option<SeenView>,
        muted_until: UnixMillis,
        eyes: Eyes<'_>,
    ) -> Self {
        (self.presence, self.muted) = (presence, muted(muted_until, eyes));
        self
    }
}

/// The list of rooms and people.
#[derive(Debug, Default, Serialize)]
pub struct LobbyView {
    chats: Vec<RowView>,
    rooms: Vec<RowView>,
    people: Vec<RowView>,
    /// Unread messages in all of them that are not muted.
    pub total: i64,
    /// Up to when it is complete.
    at: UnixMillis,
    /// Of which build and which past it is.
    version: String,
}

impl LobbyView {
    /// `lobby` as `eyes` see it, with the room `open` highlighted and already read.
    pub fn new(lobby: &Lobby, open: Option<RoomId>, eyes: Eyes<'_>) -> Self {
        let mut view = Self {
            at: cursor_behind(lobby.newest),
            ..Self::default()
        };
        for listed in &lobby.rooms {
            let row = RowView::room(listed, open, eyes);
            view.total += if row.muted { 0 } else { row.unread };
            match listed.room.kind {
                RoomKind::Direct { .. } => view.chats.push(row),
                RoomKind::Public { .. } => view.rooms.push(row),
            }
        }
        for list in [&mut view.chats, &mut view.rooms] {
            list.sort_by_key(|row| Reverse((row.sort, row.id)));
        }
        view.people = lobby
            .people
            .iter()
            .map(|(person, joined)| RowView::person(person, *joined, eyes))
            .collect();
        view
    }

    /// Of this build and this past, which were found out before it was read.
    pub fn of(mut self, version: String) -> Self {
        self.version = version;
        self
    }

    /// At most `most` lines whose names have these words in them: chats, rooms, people.
    pub fn find(self, words: &str, most: usize) -> Vec<RowView> {
        let words = words.trim().to_lowercase();
        let rows = self.into_rows().into_iter().map(|(_, row)| row);
        let rows = rows.filter(|row| row.name.to_lowercase().contains(&words));
        rows.take(most).collect()
    }

    /// The chat below `open`; the first one when none is open.
    pub fn after(&self, open: Option<RoomId>) -> Option<RoomId> {
        beside(self.rows(), open).next()?.id
    }

    /// The chat above `open`.
    pub fn before(&self, open: Option<RoomId>) -> Option<RoomId> {
        open.and_then(|_| beside(self.rows().rev(), open).next()?.id)
    }

    /// The nearest chat below `open` that has something unread and is not muted; from the end it goes on at the top.
    pub fn unread_after(&self, open: Option<RoomId>) -> Option<RoomId> {
        let around = beside(self.rows(), open).chain(self.rows());
        unread(around, open)
    }

    /// The nearest one above; from the top it goes on at the end.
    pub fn unread_before(&self, open: Option<RoomId>) -> Option<RoomId> {
        let around = beside(self.rows().rev(), open).chain(self.rows().rev());
        unread(around, open)
    }

    fn rows(&self) -> impl DoubleEndedIterator<Item = &RowView> {
        self.chats.iter().chain(&self.rooms)
    }

    /// The lines with the list that each belongs to.
    pub fn into_rows(self) -> Vec<(&'static str, RowView)> {
        let lists = [
            ("chats", self.chats),
            ("rooms", self.rooms),
            ("people", self.people),
        ];
        lists
            .into_iter()
            .flat_map(|(list, rows)| rows.into_iter().map(move |row| (list, row)))
            .collect()
    }
}

/// The lines behind `open`, or all of them when it is not there.
fn beside<'a>(
    rows: impl Iterator<Item = &'a RowView>,
    open: Option<RoomId>,
) -> impl Iterator<Item = &'a RowView> {
    rows.skip_while(move |row| open.is_some() && row.id != open)
        .skip(usize::from(open.is_some()))
}

fn unread<'a>(mut rows: impl Iterator<Item = &'a RowView>, open: Option<RoomId>) -> Option<RoomId> {
    rows.find(|row| row.unread > 0 && !row.muted && row.id != open)?
        .id
}

/// A line of the lobby.
#[derive(Debug, Serialize)]
pub struct RowView {
    /// The room; nothing for somebody not written to yet.
    pub id: Option<RoomId>,
    person: Option<UserId>,
    kind: &'static str,
    name: String,
    initials: String,
    hue: i64,
    href: Option<String>,
    preview: Option<PreviewView>,
    time: Option<TimeView>,
    /// Where its newest message stands.
    seq: Seq,
    unread: i64,
    /// When it got its newest message, or was made: the newest stands first.
    pub sort: i64,
    /// The same with its id, by which a page puts rows in order as texts.
    place: String,
    open: bool,
    typing: String,
    muted: bool,
    online: bool,
}

#[derive(Debug, Serialize)]
struct PreviewView {
    text: String,
    mine: bool,
    author: Option<String>,
    deleted: bool,
    state: &'static str,
}

impl RowView {
    /// The line of a room.
    pub fn room(listed: &LobbyRoom, open: Option<RoomId>, eyes: Eyes<'_>) -> Self {
        let room = &listed.room;
        let (name, hue) = name(room, eyes.user);
        let last = listed.last.as_ref();
        let sort = last.map_or(listed.changed, |last| last.created).0;
        Self {
            id: Some(room.id),
            person: room.peer(eyes.user).map(|peer| peer.id),
            kind: kind(room),
            initials: initials(&name),
            name,
            hue,
            href: Some(format!("/rooms/{}", room.id)),
            preview: last.map(|last| preview(room, last, eyes.seen(listed.floors), eyes.user)),
            time: last.map(|last| TimeView {
                label: eyes.zone.lobby_label(last.created, eyes.now),
                iso: iso(last.created),
            }),
            seq: listed.last_seq,
            unread: (listed.last_seq.0 - listed.seen_seq.0).max(0),
            sort,
            place: place(sort, room.id.0),
            open: open == Some(room.id),
            typing: String::new(),
            muted: listed.muted_until > eyes.now,
            online: room
                .peer(eyes.user)
                .is_some_and(|peer| eyes.is_online(peer.id)),
        }
    }

    /// With who is typing there, in words, and the newest ticks of the viewer's own message where they are known.
    pub fn with(mut self, typing: String, ticks: Option<Ticks>) -> Self {
        self.typing = typing;
        if let (Some(preview), Some(ticks)) = (&mut self.preview, ticks) {
            preview.state = ticks.as_str();
        }
        self
    }

    /// Whether its newest message is somebody else's, unread, and not in a muted room.
    pub fn is_to_be_heard(&self) -> bool {
        let from_others = self
            .preview
            .as_ref()
            .is_some_and(|last| !last.mine && !last.deleted);
        from_others && self.unread > 0 && !self.muted
    }

    /// The line of somebody not written to yet.
    pub fn person(person: &Person, joined: UnixMillis, eyes: Eyes<'_>) -> Self {
        Self {
            id: None,
            person: Some(person.id),
            kind: "person",
            name: person.name.to_string(),
            initials: initials(&person.name),
            hue: hue(person.id.0),
            href: None,
            preview: None,
            time: None,
            seq: Seq(0),
            unread: 0,
            sort: joined.0,
            place: place(joined.0, person.id.0),
            open: false,
            typing: String::new(),
            muted: false,
            online: eyes.is_online(person.id),
        }
    }
}

/// Of one length, until the year 2286 and for a billion rooms, so that texts stand in the order of their numbers.
fn place(sort: i64, id: i64) -> String {
    format!("{sort:013}-{id:09}")
}

fn preview(room: &Room, message: &Message, floors: Floors, user: UserId) -> PreviewView {
    let mine = message.author.id == user;
    let by_name = !mine && matches!(room.kind, RoomKind::Public { .. });
    PreviewView {
        text: message
            .body
            .as_deref()
            .map(body::preview)
            .unwrap_or_default(),
        mine,
        author: by_name.then(|| message.author.name.to_string()),
        deleted: message.body.is_none(),
        state: Ticks::of(message.seq, message.audience, floors).as_str(),
    }
}
