//! View models: what templates show of rooms and messages. All arithmetic is done here.

use serde::Serialize;

use super::{
    markup,
    page::{hue, initials},
    zone::{Zone, iso},
};
use crate::{
    clock::UnixMillis,
    domain::{
        body,
        messages::History,
        rooms::{Lobby, LobbyRoom},
    },
    ids::{Rev, RoomId, Seq, UserId},
    records::{Message, Person, Room, RoomKind},
};

/// Messages of one author this close together stand in one group.
const GROUP: std::time::Duration = std::time::Duration::from_secs(5 * 60);

/// For whom something is rendered: who, by which calendar, and when.
#[derive(Debug, Clone, Copy)]
pub struct Eyes<'a> {
    /// Who looks.
    pub user: UserId,
    /// Their calendar.
    pub zone: &'a Zone,
    /// The present.
    pub now: UnixMillis,
}

/// A moment, for people and for machines.
#[derive(Debug, Serialize)]
pub struct TimeView {
    label: String,
    iso: String,
}

/// One message, as `messages/_message.html` shows it.
#[derive(Debug, Serialize)]
pub struct MessageView {
    room_id: RoomId,
    room_kind: &'static str,
    seq: Seq,
    rev: Rev,
    author_id: UserId,
    author: String,
    hue: i64,
    mine: bool,
    first: bool,
    day: Option<DayView>,
    html: String,
    deleted: bool,
    edited: bool,
    long: bool,
    time: String,
    iso: String,
    permalink: String,
    state: &'static str,
}

/// The chip before the first message of a day.
#[derive(Debug, Serialize)]
struct DayView {
    id: String,
    label: String,
    iso: String,
}

impl MessageView {
    /// `message` as `eyes` see it. Nothing here depends on its neighbours on the page.
    pub fn new(room: &Room, message: &Message, eyes: Eyes<'_>) -> Self {
        let day = eyes.zone.day(message.created);
        let before = message.previous;
        let begins_day = before.is_none_or(|before| eyes.zone.day(before.created) != day);
        let joins_group = before.is_some_and(|before| {
            before.author == message.author.id && message.created.since(before.created) < GROUP
        });
        let text = message.body.as_deref();
        Self {
            room_id: room.id,
            room_kind: kind(room),
            seq: message.seq,
            rev: message.rev,
            author_id: message.author.id,
            author: message.author.name.to_string(),
            hue: hue(message.author.id.0),
            mine: message.author.id == eyes.user,
            first: begins_day || !joins_group,
            day: begins_day.then(|| DayView {
                id: day.to_string(),
                label: eyes.zone.day_label(message.created, eyes.now),
                iso: day.to_string(),
            }),
            html: text.map(markup::render).unwrap_or_default(),
            deleted: text.is_none(),
            edited: message.edited.is_some(),
            long: text.is_some_and(markup::is_long),
            time: eyes.zone.time(message.created),
            iso: iso(message.created),
            permalink: format!("/rooms/{}?at={}", room.id, message.seq),
            state: "sent",
        }
    }
}

/// `live/_messages.html`: messages to insert or replace, and the room's cursor if it moves.
#[derive(Debug, Serialize)]
pub struct MessagesFrame<'a> {
    /// In their present state, in the order of their places.
    pub messages: &'a [MessageView],
    /// The change number up to which the page is now complete.
    pub rev: Option<Rev>,
}

/// A stretch of history, as `messages/_history.html` shows it.
#[derive(Debug, Serialize)]
pub struct HistoryView {
    room_id: RoomId,
    messages: Vec<MessageView>,
    older: Option<OlderView>,
    newer: Option<NewerView>,
    divider: Option<Divider>,
    at: Option<Seq>,
}

#[derive(Debug, Serialize)]
struct OlderView {
    href: String,
    day: Option<String>,
}

#[derive(Debug, Serialize)]
struct NewerView {
    href: String,
}

/// The line above the first unread message.
#[derive(Debug, Serialize)]
pub struct Divider {
    before: Seq,
    count: i64,
}

impl HistoryView {
    /// `history` as `eyes` see it.
    pub fn new(room: &Room, history: &History, eyes: Eyes<'_>) -> Self {
        let messages: Vec<_> = history
            .messages
            .iter()
            .map(|message| MessageView::new(room, message, eyes))
            .collect();
        let first = history.messages.first().filter(|_| history.older);
        let older = first.map(|first| OlderView {
            href: format!("/rooms/{}?before={}", room.id, first.seq),
            day: messages
                .first()
                .is_some_and(|it| it.day.is_none())
                .then(|| eyes.zone.day_label(first.created, eyes.now)),
        });
        Self {
            room_id: room.id,
            messages,
            older,
            newer: None,
            divider: None,
            at: None,
        }
    }

    /// With the line above what is unread after `read`.
    pub fn with_divider(mut self, read: Seq, last: Seq, history: &History) -> Self {
        let count = last.0 - read.0;
        let on_page = history
            .messages
            .first()
            .is_some_and(|first| first.seq.0 <= read.0 + 1);
        if count > 0 && on_page {
            self.divider = Some(Divider {
                before: Seq(read.0 + 1),
                count,
            });
        }
        self
    }

    /// As the page around the message `at`, with a way to what is newer than the page.
    pub fn around(mut self, room: &Room, at: Seq, history: &History) -> Self {
        self.at = Some(at);
        let last = history.messages.last().filter(|_| history.newer);
        self.newer = last.map(|last| NewerView {
            href: format!("/rooms/{}?at={}", room.id, last.seq),
        });
        self
    }
}

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
}

impl RoomView {
    /// `room` as `user` sees it.
    pub fn new(room: &Room, user: UserId) -> Self {
        let (name, hue) = name(room, user);
        let subtitle = match room.kind {
            RoomKind::Public { .. } => "Room · everyone here can read and write",
            RoomKind::Direct { .. } => "Only the two of you",
        };
        Self {
            id: room.id,
            kind: kind(room),
            initials: initials(&name),
            name,
            hue,
            subtitle,
        }
    }
}

/// The field to write in.
#[derive(Debug, Serialize)]
pub struct ComposerView {
    room_id: RoomId,
    key: String,
    body: String,
    error: Option<&'static str>,
}

impl ComposerView {
    /// Empty, with a fresh key.
    pub fn empty(room: RoomId) -> Self {
        Self {
            room_id: room,
            key: format!("{:032x}", rand::random::<u128>()),
            body: String::new(),
            error: None,
        }
    }

    /// What came back, with what to say about it.
    pub fn refused(room: RoomId, body: String, error: &'static str) -> Self {
        Self {
            body,
            error: Some(error),
            ..Self::empty(room)
        }
    }
}

/// The list of rooms and people.
#[derive(Debug, Default, Serialize)]
pub struct LobbyView {
    chats: Vec<RowView>,
    rooms: Vec<RowView>,
    people: Vec<RowView>,
    /// Unread messages in all of them.
    pub total: i64,
    at: UnixMillis,
}

impl LobbyView {
    /// `lobby` as `eyes` see it, with the room `open` highlighted and already read.
    pub fn new(lobby: &Lobby, open: Option<RoomId>, eyes: Eyes<'_>) -> Self {
        let mut view = Self {
            at: eyes.now,
            ..Self::default()
        };
        for listed in &lobby.rooms {
            let row = RowView::room(listed, open, eyes);
            view.total += row.unread;
            match listed.room.kind {
                RoomKind::Direct { .. } => view.chats.push(row),
                RoomKind::Public { .. } => view.rooms.push(row),
            }
        }
        view.people = lobby
            .people
            .iter()
            .map(|(person, joined)| RowView::person(person, *joined))
            .collect();
        view
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

/// A line of the lobby.
#[derive(Debug, Serialize)]
pub struct RowView {
    id: Option<RoomId>,
    person: Option<UserId>,
    kind: &'static str,
    name: String,
    initials: String,
    hue: i64,
    href: Option<String>,
    preview: Option<PreviewView>,
    time: Option<TimeView>,
    unread: i64,
    sort: i64,
    open: bool,
}

#[derive(Debug, Serialize)]
struct PreviewView {
    text: String,
    mine: bool,
    author: Option<String>,
    deleted: bool,
}

impl RowView {
    /// The line of a room.
    pub fn room(listed: &LobbyRoom, open: Option<RoomId>, eyes: Eyes<'_>) -> Self {
        let room = &listed.room;
        let (name, hue) = name(room, eyes.user);
        let last = listed.last.as_ref();
        Self {
            id: Some(room.id),
            person: room.peer(eyes.user).map(|peer| peer.id),
            kind: kind(room),
            initials: initials(&name),
            name,
            hue,
            href: Some(format!("/rooms/{}", room.id)),
            preview: last.map(|last| preview(room, last, eyes.user)),
            time: last.map(|last| TimeView {
                label: eyes.zone.lobby_label(last.created, eyes.now),
                iso: iso(last.created),
            }),
            unread: (listed.last_seq.0 - listed.read_seq.0).max(0),
            sort: last.map_or(listed.changed, |last| last.created).0,
            open: open == Some(room.id),
        }
    }

    /// The line of somebody not written to yet.
    pub fn person(person: &Person, joined: UnixMillis) -> Self {
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
            unread: 0,
            sort: joined.0,
            open: false,
        }
    }
}

fn preview(room: &Room, message: &Message, user: UserId) -> PreviewView {
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
    }
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
