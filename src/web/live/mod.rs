//! The live channel, apart from its transport: which fragments a reader gets for which events.
//!
//! A message's fragment is rendered once per variant (mine or theirs, time zone) and its bytes are shared by all
//! readers of that variant. Lobby lines are personal and small; a reader gets them at most four times a second.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::civil::Date;
use serde::Serialize;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{
    Site, page,
    views::{Eyes, HistoryView, LobbyView, MessageView, MessagesFrame, RoomView, RowView},
    zone::Zone,
};
use crate::{
    clock::UnixMillis,
    domain::{messages::CatchUp, receipts::Position, rooms::LobbyRoom},
    error::Result,
    ids::{Rev, RoomId, Seq, UserId},
    realtime::{Event, News, Subscription, Topic},
    records::{Message, Room, RoomKind},
};

pub mod websocket;

/// How long lobby news is gathered before the next frame of it.
const LOBBY_PACE: Duration = Duration::from_millis(250);
/// How much older than the page's own time a change may be and still be sent again: two machines' clocks may differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(10);

/// How many live connections each person has in this process.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Mutex<HashMap<UserId, usize>>>);

/// One person's live connection, counted until it is dropped.
#[derive(Debug)]
pub struct Connection {
    all: Connections,
    user: UserId,
}

impl Connections {
    /// Counts one more connection of `user`, unless they have `most` already.
    pub fn open(&self, user: UserId, most: usize) -> Option<Connection> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(user).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Connection {
            all: self.clone(),
            user,
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.user);
            }
        }
    }
}

/// `live/_resync.html`: the newest page afresh.
#[derive(Serialize)]
struct Resync {
    history: HistoryView,
    rev: Rev,
}

/// `live/_lobby.html`: lines and counts of the lobby, the time up to which it is complete, the page's title.
#[derive(Serialize)]
struct LobbyFrame {
    rows: Vec<Line>,
    counts: Vec<Count>,
    at: UnixMillis,
    title: String,
}

#[derive(Serialize)]
struct Line {
    list: &'static str,
    row: RowView,
}

#[derive(Serialize)]
struct Count {
    id: RoomId,
    count: i64,
}

/// What waits for the next lobby frame about one room: its line, or only its count.
type Stale = BTreeMap<RoomId, Option<(Arc<Room>, Arc<Message>)>>;

/// `live/_days.html`: what the days of the last week are called today.
#[derive(Serialize)]
struct DaysFrame {
    days: Vec<DayName>,
}

#[derive(Serialize)]
struct DayName {
    id: String,
    label: String,
}

impl DayName {
    fn new(zone: &Zone, now: UnixMillis, days_ago: u64) -> Self {
        let then = now.minus(Duration::from_secs(days_ago * 24 * 60 * 60));
        Self {
            id: zone.day(then).to_string(),
            label: zone.day_label(then, now),
        }
    }
}

/// One open page: who looks, by which calendar, at which room, and how far they have seen it.
#[derive(Debug)]
pub struct Reader {
    site: Arc<Site>,
    user: UserId,
    zone: Zone,
    room: Option<Arc<Room>>,
    rev: Rev,
    /// Where each room ends and how far it is read, in the order of their ids.
    positions: Vec<Position>,
    stale: Stale,
    stale_rooms: Vec<Arc<Room>>,
    people: Vec<Event>,
    next_lobby: Instant,
    today: Date,
}

impl Reader {
    /// A reader of `room` (or of the lobby alone) who has seen the room up to `rev`.
    pub fn new(
        site: Arc<Site>,
        user: UserId,
        zone: Zone,
        room: Option<Arc<Room>>,
        rev: Rev,
    ) -> Self {
        let today = zone.day(site.app.clock.now());
        Self {
            today,
            site,
            user,
            zone,
            room,
            rev,
            positions: Vec::new(),
            stale: Stale::new(),
            stale_rooms: Vec::new(),
            people: Vec::new(),
            next_lobby: Instant::now(),
        }
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

    /// What happened since the page was rendered: the room after its cursor, the lobby since `at`.
    /// Called once, after subscribing: what is queued meanwhile is recognised by its number and skipped.
    pub async fn catch_up(&mut self, at: UnixMillis) -> Result<Vec<Utf8Bytes>> {
        let mut frames = Vec::new();
        if self.room.is_some() {
            frames.extend(self.catch_up_room().await?);
        }
        self.positions = self.site.app.chat.positions(self.user).await?;
        let lobby = self
            .site
            .app
            .chat
            .lobby(self.user, at.minus(CLOCKS_DIFFER))
            .await?;
        if !lobby.rooms.is_empty() || !lobby.people.is_empty() {
            let view = LobbyView::new(&lobby, self.room.as_ref().map(|room| room.id), self.eyes());
            frames.push(self.lobby_frame(view.into_rows()));
        }
        Ok(frames)
    }

    /// Takes one piece of news; returns the frame that must go out for it now, if any.
    pub async fn take(&mut self, news: &News) -> Result<Option<Utf8Bytes>> {
        self.note_for_lobby(&news.event);
        let Some(room) = self.room.clone() else {
            return Ok(None);
        };
        let Some((_, rev)) = news.event.place().filter(|(place, _)| *place == room.id) else {
            return Ok(None);
        };
        if rev <= self.rev {
            return Ok(None);
        }
        if rev.0 > self.rev.0 + 1 {
            return self.catch_up_room().await;
        }
        self.rev = rev;
        Ok(news
            .event
            .message()
            .map(|(room, message)| self.message_frame(news, room, message)))
    }

    /// When the next lobby frame is due, if there is anything to tell.
    pub fn lobby_due(&self) -> Option<Instant> {
        let quiet = self.stale.is_empty() && self.stale_rooms.is_empty() && self.people.is_empty();
        (!quiet).then_some(self.next_lobby)
    }

    /// The lobby lines that changed since the last one.
    pub fn take_lobby(&mut self) -> Utf8Bytes {
        self.next_lobby = Instant::now() + LOBBY_PACE;
        let open = self.room.as_ref().map(|room| room.id);
        let mut rows = Vec::new();
        for room in std::mem::take(&mut self.stale_rooms) {
            let changed = self.site.app.clock.now();
            let listed = LobbyRoom {
                room,
                last_seq: Seq(0),
                read_seq: Seq(0),
                changed,
                last: None,
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
                Some((room, message)) => {
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
                    };
                    rows.push((list, RowView::room(&listed, open, self.eyes())));
                }
                None => counts.push((id, position.unread())),
            }
        }
        self.lobby_frame_with(rows, counts)
    }

    /// After midnight: what the chips and lines of the last week are called now.
    pub async fn take_new_day(&mut self) -> Result<Vec<Utf8Bytes>> {
        let now = self.site.app.clock.now();
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
        let view = LobbyView::new(&lobby, open, self.eyes());
        Ok(vec![labels.into(), self.lobby_frame(view.into_rows())])
    }

    fn note_for_lobby(&mut self, event: &Event) {
        match event {
            Event::PersonJoined { person, .. } if person.id == self.user => {}
            Event::PersonJoined { .. } => self.people.push(event.clone()),
            Event::RoomCreated { room } => self.stale_rooms.push(room.clone()),
            Event::RoomRead {
                room,
                user,
                read_seq,
            } => {
                if *user == self.user {
                    let position = self.position_mut(room.id);
                    position.read_seq = position.read_seq.max(*read_seq);
                    position.last_seq = position.last_seq.max(*read_seq);
                    self.stale.entry(room.id).or_default();
                }
            }
            Event::MessagePosted { room, message }
            | Event::MessageEdited { room, message }
            | Event::MessageDeleted { room, message } => {
                let mine = message.author.id == self.user;
                let posted = matches!(event, Event::MessagePosted { .. });
                let position = self.position_mut(room.id);
                let is_last = message.seq >= position.last_seq;
                position.last_seq = position.last_seq.max(message.seq);
                if mine && posted {
                    position.read_seq = position.read_seq.max(message.seq);
                }
                if is_last {
                    self.stale
                        .insert(room.id, Some((room.clone(), message.clone())));
                }
            }
        }
    }

    async fn catch_up_room(&mut self) -> Result<Option<Utf8Bytes>> {
        let Some(room) = self.room.clone() else {
            return Ok(None);
        };
        let rendered = match self.site.app.chat.catch_up(&room, self.rev).await? {
            CatchUp::Changes(changed) => {
                let Some(rev) = changed.iter().map(|message| message.rev).max() else {
                    return Ok(None);
                };
                self.rev = rev;
                let messages: Vec<_> = changed
                    .iter()
                    .map(|message| MessageView::new(&room, message, self.eyes()))
                    .collect();
                self.site.templates.render(
                    "live/_messages.html",
                    MessagesFrame {
                        messages: &messages,
                        rev: Some(rev),
                    },
                )
            }
            CatchUp::Afresh(found) => {
                let (history, rev) = (HistoryView::new(&room, &found, self.eyes()), found.rev);
                self.rev = rev;
                self.site
                    .templates
                    .render("live/_resync.html", Resync { history, rev })
            }
        };
        Ok(Some(rendered.into()))
    }

    /// The shared fragment of one changed message.
    fn message_frame(&self, news: &News, room: &Room, message: &Message) -> Utf8Bytes {
        let mine = message.author.id == self.user;
        let variant = u64::from(self.zone.key()) << 1 | u64::from(mine);
        news.shared(variant, || {
            let (messages, rev) = ([MessageView::new(room, message, self.eyes())], message.rev);
            self.site
                .templates
                .render(
                    "live/_messages.html",
                    MessagesFrame {
                        messages: &messages,
                        rev: Some(rev),
                    },
                )
                .into()
        })
    }

    fn lobby_frame(&self, rows: Vec<(&'static str, RowView)>) -> Utf8Bytes {
        self.lobby_frame_with(rows, Vec::new())
    }

    fn lobby_frame_with(
        &self,
        rows: Vec<(&'static str, RowView)>,
        counts: Vec<(RoomId, i64)>,
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

    fn eyes(&self) -> Eyes<'_> {
        Eyes {
            user: self.user,
            zone: &self.zone,
            now: self.site.app.clock.now(),
        }
    }
}
