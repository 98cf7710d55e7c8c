//! What templates show of messages: one, a stretch of them, the field for the next. They know nothing
//! of the lobby.

use std::time::Duration;

use serde::Serialize;

use super::{Eyes, kind};
use crate::{
    domain::messages::History,
    ids::{Rev, RoomId, Seq, UserId},
    records::{Message, Room, Ticks},
    web::{markup, page::hue, zone::iso},
};

/// Messages of one author this close together stand in one group.
const GROUP: Duration = Duration::from_secs(5 * 60);

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
    large: bool,
    time: String,
    iso: String,
    permalink: String,
    state: &'static str,
    counts: Option<&'static str>,
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
            large: text.is_some_and(markup::is_large),
            time: eyes.zone.time(message.created),
            iso: iso(message.created),
            permalink: format!("/rooms/{}?at={}", room.id, message.seq),
            state: Ticks::of(message.seq, message.audience, eyes.seen(eyes.floors)).as_str(),
            counts: message.audience.most().map(Ticks::as_str),
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
