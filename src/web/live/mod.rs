//! The live channel, apart from its transport: which fragments a reader gets for which events.
//!
//! A message's fragment is rendered once per variant (mine or theirs, time zone) and its bytes are shared by all
//! readers of that variant. So is a lobby line for all who see the same there; a reader gets lobby frames at most four
//! times a second.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::civil::Date;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tower_sessions::{SessionStore as _, session::Id};

use super::{
    Site,
    views::{Eyes, LobbyView},
    zone::Zone,
};
use crate::{
    clock::UnixMillis,
    config::Switch,
    domain::{
        accounts::Sessions, messages::OTHER_PAST, presence::Attendance, receipts::Position,
        rooms::BEHIND, typing::Typist,
    },
    error::{Error, Result},
    ids::{Rev, RoomId, Seq, UserId},
    realtime::{Event, News, Subscription, Topic},
    records::{Floors, Privacy, Room, Ticks, User},
};

mod asked;
mod connections;
mod entrance;
mod feed;
mod frames;
mod lobby;
mod notes;
mod presence;
pub mod probe;
mod room;
pub mod sse;
mod survey;
mod totals;
mod typing;
pub mod websocket;

use connections::Connection;
pub use connections::{Connections, Transport};
pub use survey::{Line, Survey};
pub use totals::{SAMPLE, SAMPLES, Totals};

use frames::{DayName, DaysFrame};
use lobby::LOBBY_PACE;
use notes::Stale;
use typing::Typing;

/// What a page shows that was made by another build, or knows another past than the database has now.
#[derive(Debug, Clone, Copy)]
pub struct Afresh {
    /// The build is another.
    pub is_other_build: bool,
    /// The room that it shows is not there, or not for its reader.
    pub is_gone: bool,
}

/// One open page: who looks, by which calendar, at which room, and how far they have seen it.
#[derive(Debug)]
pub struct Reader {
    site: Arc<Site>,
    user: UserId,
    privacy: Privacy,
    session: Id,
    /// Others see that this person is here as long as this page is.
    _attendance: Attendance,
    /// Whoever was typing is so no longer when the last of their pages in the room goes.
    _typist: Option<Typist>,
    zone: Zone,
    room: Option<Arc<Room>>,
    rev: Rev,
    /// Where each room ends and how far it is read, in the order of their ids.
    positions: Vec<Position>,
    stale: Stale,
    stale_rooms: Vec<(Arc<Room>, UnixMillis)>,
    /// Rooms that the page may not list yet.
    unlisted: BTreeSet<RoomId>,
    people: Vec<Event>,
    next_lobby: Instant,
    lobby_pace: Duration,
    /// Rooms in which the ticks of the reader's own newest message changed.
    stale_ticks: BTreeMap<RoomId, Ticks>,
    typing: Typing,
    /// Which build and which past the page is of from now on.
    version: Arc<str>,
    /// The page is to be made afresh.
    afresh: Option<Afresh>,
    /// The newest stamp that the page knows of in its lobby.
    newest: UnixMillis,
    /// What the page was last told: how many messages are unread in all, how many wait below in the open room.
    told: (Option<i64>, i64),
    /// What this page has been sent and has not yet said it received.
    sent: BTreeMap<RoomId, Seq>,
    floors: Floors,
    /// News of the floors that goes out with the next lobby frame.
    stale_floors: Option<Arc<News>>,
    today: Date,
    /// When it was last looked which rooms are muted no longer.
    mutes_at: UnixMillis,
}

impl Reader {
    /// A reader of `room` (or of the lobby alone) who has seen the room up to `rev`.
    pub fn new(
        site: Arc<Site>,
        (user, session): (&User, Id),
        zone: Zone,
        room: Option<Arc<Room>>,
        rev: Rev,
    ) -> Self {
        let now = site.app.clock.now();
        Self {
            today: zone.day(now),
            mutes_at: now,
            _attendance: site.app.chat.enter(user),
            _typist: room
                .clone()
                .map(|room| site.app.chat.sits_down(room, user.person.id)),
            site,
            user: user.person.id,
            privacy: user.privacy,
            session,
            zone,
            room,
            rev,
            positions: Vec::new(),
            stale: Stale::new(),
            stale_rooms: Vec::new(),
            unlisted: BTreeSet::new(),
            people: Vec::new(),
            next_lobby: Instant::now(),
            lobby_pace: LOBBY_PACE,
            stale_ticks: BTreeMap::new(),
            typing: Typing::default(),
            version: Arc::from(""),
            afresh: None,
            newest: UnixMillis(0),
            told: (None, 0),
            sent: BTreeMap::new(),
            floors: Floors::default(),
            stale_floors: None,
        }
    }

    /// The page is of another past or another build than `version`, which is the site's.
    pub fn of(mut self, version: String, afresh: Option<Afresh>) -> Self {
        self.version = version.into();
        self.afresh = afresh;
        if afresh.is_some() {
            self.rev = OTHER_PAST;
        }
        self
    }

    /// Listens to everything that concerns this reader.
    pub fn subscribe(&self) -> Subscription {
        let room = self.room.as_ref().map(|room| Topic::Room(room.id));
        let topics = [Topic::Lobby, Topic::User(self.user)]
            .into_iter()
            .chain(room)
            .collect();
        self.site.app.chat.hub.subscribe(topics)
    }

    /// What happened since the page was rendered: the room after its cursor, the lobby since its own, `at`. Of the lobby
    /// that can be what the page knows already: a row takes the place of its older state.
    /// Called once, after subscribing: what is queued meanwhile is recognised by its number and skipped.
    pub async fn catch_up(&mut self, at: UnixMillis) -> Result<Vec<Utf8Bytes>> {
        let mut frames = Vec::new();
        if self.room.is_some() {
            frames.extend(self.catch_up_room().await?);
            frames.push(self.floors_frame());
        }
        let at = if self.afresh.is_some() {
            UnixMillis(0)
        } else {
            at
        };
        let (positions, lobby) = self.site.app.chat.standing(self.user, at).await?;
        let told = at.plus(BEHIND);
        self.newest = told.max(lobby.newest);
        self.positions = positions;
        let unreached = |it: &&Position| it.is_member && it.delivered_seq < it.last_seq;
        let unreached = self.positions.iter().filter(unreached);
        let has_signals = self.has_signals();
        self.sent = unreached
            .filter(|_| has_signals)
            .map(|it| (it.room, it.last_seq))
            .collect();
        if let Some(afresh) = self.afresh.take() {
            self.newest = lobby.newest;
            let view = LobbyView::new(&lobby, self.room.as_ref().map(|room| room.id), self.eyes());
            frames.push(self.afresh_frame(view, afresh));
        } else if !lobby.rooms.is_empty() || !lobby.people.is_empty() {
            let view = LobbyView::new(&lobby, self.room.as_ref().map(|room| room.id), self.eyes());
            frames.push(self.lobby_frame(view.into_rows(), Some(told)));
        }
        frames.push(self.here_frame().await?);
        Ok(frames)
    }

    /// Whether the session by which this page was opened still stands. To be asked after subscribing: an end that
    /// comes later is news.
    pub async fn is_signed_in(&self) -> Result<bool> {
        let found = self.site.app.sessions.load(&self.session).await;
        let found = found.map_err(|err| Error::Unavailable(err.to_string()))?;
        Ok(found.is_some())
    }

    /// Whether this news is the end of the session by which this page was opened.
    pub async fn is_signed_out_by(&self, news: &News) -> Result<bool> {
        let own = || Sessions::name(&self.session);
        match &news.event {
            Event::SessionEnded { session, .. } => Ok(**session == own()),
            Event::SessionsEnded { except, .. } => Ok(except.as_deref() != Some(&own())),
            // It may have begun since they were counted.
            Event::SessionsCounted { sessions, .. } => {
                let own = own();
                let is_gone = !sessions.iter().any(|session| **session == own);
                Ok(is_gone && !Box::pin(self.is_signed_in()).await?)
            }
            _ => Ok(false),
        }
    }

    /// Takes one piece of news; returns the frame that must go out for it now, if any.
    pub async fn take(&mut self, news: &Arc<News>) -> Result<Option<Utf8Bytes>> {
        if self.has_signals() {
            self.note_for_lobby(news);
            if let Some(frame) = self.take_presence(news).await? {
                return Ok(Some(frame));
            }
        }
        if self.room.is_none() || news.event.room() != self.room.as_ref().map(|room| room.id) {
            return Ok(None);
        }
        if let Event::FloorsMoved { floors, .. } = &news.event {
            self.floors = self.floors.max(*floors);
            self.stale_floors = self.has_signals().then(|| news.clone());
            return Ok(None);
        }
        let Some((room, message, floors)) = news.event.message() else {
            return Ok(None);
        };
        self.floors = self.floors.max(floors);
        if message.rev <= self.rev {
            return Ok(None);
        }
        if message.rev.0 > self.rev.0 + 1 {
            return self.catch_up_room().await;
        }
        self.rev = message.rev;
        Ok(Some(self.message_frame(news, room, message)))
    }

    /// What this page has been sent since the last time: once it answers a ping, it has received that.
    pub fn take_sent(&mut self) -> BTreeMap<RoomId, Seq> {
        std::mem::take(&mut self.sent)
    }

    /// Whether there is something that this page has not yet said it received.
    pub fn awaits_receipt(&self) -> bool {
        !self.sent.is_empty()
    }

    /// The person's client has received these rooms up to here.
    pub fn received(&self, rooms: BTreeMap<RoomId, Seq>) {
        self.site.app.chat.note_delivered(self.user, rooms);
    }

    /// Once in a while: rooms that are muted no longer and, after midnight, what the chips and lines of the last week
    /// are called now.
    pub async fn take_new_day(&mut self) -> Result<Vec<Utf8Bytes>> {
        let now = self.site.app.clock.now();
        self.note_mutes_ended(now);
        let today = self.zone.day(now);
        if today == std::mem::replace(&mut self.today, today) {
            return Ok(Vec::new());
        }
        let days = (0..8)
            .map(|ago| DayName::new(&self.zone, now, ago))
            .collect();
        let labels = self
            .site
            .templates
            .render("live/_days.html", DaysFrame { days });
        let lobby = self.site.app.chat.lobby(self.user, UnixMillis(0)).await?;
        let open = self.room.as_ref().map(|room| room.id);
        let rows = LobbyView::new(&lobby, open, self.eyes()).into_rows();
        Ok(vec![labels.into(), self.lobby_frame(rows, None)])
    }

    fn has_signals(&self) -> bool {
        self.site.app.config.signals == Switch::On
    }

    fn eyes(&self) -> Eyes<'_> {
        Eyes {
            user: self.user,
            zone: &self.zone,
            now: self.site.app.clock.now(),
            floors: self.floors,
            sees_reads: self.site.app.chat.sees_reads(self.privacy),
            presence: Some(self.site.app.chat.presence()).filter(|_| self.privacy.presence),
        }
    }
}
