//! What the templates of the live channel show. It does not know when a frame is due, nor for whom.

use std::{sync::Arc, time::Duration};

use serde::Serialize;

use crate::{
    clock::UnixMillis,
    ids::{Rev, RoomId, Seq, UserId},
    web::{
        views::{HistoryView, LobbyView, RowView, SeenView},
        zone::Zone,
    },
};

/// Says that the line stands, to the page's script, which sees no pings.
pub(super) const BEAT: &str = r#"<span id="beat" hidden hx-swap-oob="true"></span>"#;

/// `live/_resync.html`: the newest page afresh.
#[derive(Serialize)]
pub(super) struct Resync {
    pub(super) history: HistoryView,
    pub(super) rev: Rev,
    /// Whether what the page shows is of another past, so that no place in it is worth keeping.
    pub(super) other: bool,
}

/// `live/_afresh.html`: the whole lobby, for a page of another past or another build.
#[derive(Serialize)]
pub(super) struct AfreshFrame {
    pub(super) lobby: LobbyView,
    /// What the open room is called.
    pub(super) room: Option<String>,
    /// Whether the room that the page shows is not there.
    pub(super) gone: bool,
    /// Whether this build's pages are made otherwise than this page was.
    pub(super) newer: bool,
}

/// `live/_floors.html`: how far everybody in the open room has come.
#[derive(Serialize)]
pub(super) struct FloorsFrame {
    pub(super) delivered: Seq,
    pub(super) read: Seq,
}

/// `live/_lobby.html`, behind the lines of the lobby: counts, the time up to which it is complete, the page's title.
#[derive(Serialize)]
pub(super) struct LobbyFrame {
    pub(super) counts: Vec<Count>,
    pub(super) ticks: Vec<PreviewTicks>,
    pub(super) typing: Vec<TypingWords>,
    pub(super) at: UnixMillis,
    pub(super) version: Arc<str>,
    pub(super) title: String,
    /// Whether the icon bears a dot, if that is news.
    pub(super) dot: Option<bool>,
    /// How many messages are unread in all, if that is news: an installed app bears it on its own icon.
    pub(super) badge: Option<i64>,
    /// How many messages wait below in the open room, if that is news.
    pub(super) below: Option<i64>,
}

/// `live/_line.html`: one line of a list of the lobby. The page puts it where it belongs, if it does not stand there.
#[derive(Serialize)]
pub(super) struct Line {
    pub(super) list: &'static str,
    pub(super) row: RowView,
    /// Whether the page may not have it yet.
    pub(super) new: bool,
    /// Whether a page that nobody looks at is to say it aloud.
    pub(super) notify: bool,
}

impl Line {
    /// A line that is shown and nothing more.
    pub(super) fn new(list: &'static str, row: RowView, new: bool) -> Self {
        Self {
            list,
            row,
            new,
            notify: false,
        }
    }

    /// With a notification, if this is news that the reader has not seen and wants to hear of.
    pub(super) fn aloud(mut self, is_news: bool) -> Self {
        self.notify = is_news && self.row.is_to_be_heard();
        self
    }
}

/// How many messages of a room are unread.
#[derive(Serialize)]
pub(super) struct Count {
    pub(super) id: RoomId,
    pub(super) count: i64,
    pub(super) muted: bool,
}

/// The ticks before the preview of the viewer's own message.
#[derive(Serialize)]
pub(super) struct PreviewTicks {
    pub(super) id: RoomId,
    pub(super) state: &'static str,
}

/// Who is typing in a room, in words; in the open one its header says it too.
#[derive(Serialize)]
pub(super) struct TypingWords {
    pub(super) id: RoomId,
    pub(super) words: String,
    pub(super) open: bool,
}

/// `live/_presence.html`: people who have come or gone.
#[derive(Serialize)]
pub(super) struct PresenceFrame {
    pub(super) changes: Vec<Presence>,
}

/// Somebody, and whether they are here.
#[derive(Serialize)]
pub(super) struct Presence {
    pub(super) id: UserId,
    pub(super) online: bool,
}

/// `live/_here.html`: everybody who is here, and nobody else.
#[derive(Serialize)]
pub(super) struct HereFrame {
    pub(super) people: Vec<UserId>,
}

/// `live/_seen.html`: whether the other one of the open chat is here.
#[derive(Serialize)]
pub(super) struct SeenFrame {
    pub(super) seen: SeenView,
}

/// `live/_days.html`: what the days of the last week are called today.
#[derive(Serialize)]
pub(super) struct DaysFrame {
    pub(super) days: Vec<DayName>,
}

/// A day of the reader's calendar and its name.
#[derive(Serialize)]
pub(super) struct DayName {
    pub(super) id: String,
    pub(super) label: String,
}

impl DayName {
    /// The day that was `days_ago` before `now`.
    pub(super) fn new(zone: &Zone, now: UnixMillis, days_ago: u64) -> Self {
        let then = now.minus(Duration::from_secs(days_ago * 24 * 60 * 60));
        Self {
            id: zone.day(then).to_string(),
            label: zone.day_label(then, now),
        }
    }
}
