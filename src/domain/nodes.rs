//! Several nodes, one chat: what other nodes say, and what they could not.
//!
//! What they say over the bus is told at once to those who listen here. Because it can be late or lost, the database is
//! looked into as well: every few seconds, and every moment while the bus does not work. What is found there and was
//! not told is told then. So nothing depends on Redis but how soon it is known.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Chat, neighbours::Question};
use crate::{
    clock::UnixMillis,
    error::{Error, Result},
    ids::{Rev, UserId},
    realtime::{Event, Heard, NodeWord, Redis, Told, topics_of},
    records::{Message, Privacy, Room, RoomKind},
    store::news::{MembershipNow, RoomNow},
};

/// How often the database is looked into while other nodes are heard, and while they are not.
const CALM: Duration = Duration::from_secs(3);
const ALERT: Duration = Duration::from_millis(600);
/// How far apart two looks are at least.
const APART: Duration = Duration::from_millis(200);
/// How often it is looked who is still signed in while other nodes are heard, and while they are not: then people are
/// out within five seconds, too.
const CALM_SESSIONS: Duration = Duration::from_secs(15);
const ALERT_SESSIONS: Duration = Duration::from_secs(3);
/// How far back each look goes behind the last one that worked: clocks differ, and a commit takes its time.
const BEHIND: Duration = Duration::from_secs(30);
/// How far the clocks of two machines should not be apart.
const CLOCKS: Duration = Duration::from_secs(5);
/// How many rooms, memberships and people one look takes, and how many people it asks about at once.
const MOST: u32 = 5_000;
const TOGETHER: usize = 1_000;
/// How many changes of one room are told one by one; who missed more catches up anyway.
const FEW: u32 = 50;

/// Somebody's sessions, as the store names them, and what they let others see.
type Known = (Arc<[Arc<str>]>, Privacy);

/// What is known from the last look.
struct Look {
    since: UnixMillis,
    /// Whether other nodes were heard.
    was_up: bool,
    /// Whether something may have been missed since it was last looked who is signed in.
    is_doubtful: bool,
    sessions_at: Option<Instant>,
    /// The sessions that were last told, and what people let others see.
    known: HashMap<UserId, Known>,
}

impl Look {
    /// Other nodes are heard now, or not. What was said around a change may be lost.
    fn turn(&mut self, is_up: bool) {
        if std::mem::replace(&mut self.was_up, is_up) != is_up {
            self.sessions_at = None;
        }
    }

    fn is_time_for_sessions(&self) -> bool {
        let pace = match self.was_up && !self.is_doubtful {
            true => CALM_SESSIONS,
            false => ALERT_SESSIONS,
        };
        self.sessions_at.is_none_or(|at| at.elapsed() >= pace)
    }
}

impl Chat {
    /// The way to other nodes, if there may be any.
    pub fn redis(&self) -> Option<&Redis> {
        self.bus.redis()
    }

    /// Tells those who listen here what other nodes say. Ends when `stopping` is cancelled.
    pub async fn hear_nodes(
        self,
        mut heard: mpsc::Receiver<Heard>,
        redis: Redis,
        stopping: CancellationToken,
    ) {
        while let Some(Some(heard)) = stopping.run_until_cancelled(heard.recv()).await {
            match heard {
                Heard::Event(topic, event) => {
                    self.apply(&event);
                    self.hub.deliver_to(&[topic], event);
                }
                Heard::Node(_, NodeWord::Lost) => self.hub.note_missed(),
                Heard::Node(_, NodeWord::WhoIsThere) => {
                    self.neighbours.is_asked(Question::WhoIsThere);
                }
                Heard::Node(
                    _,
                    NodeWord::Received {
                        user,
                        connection,
                        number,
                    },
                ) => self.neighbours.is_asked(Question::Received {
                    user,
                    connection,
                    number,
                }),
                Heard::Node(from, NodeWord::Connected(told)) => self.neighbours.hear(from, told),
                Heard::Node(from, word) => {
                    // What a node did last of all it may not have said.
                    if matches!(word, NodeWord::Leaving) {
                        self.hub.note_missed();
                    }
                    self.presence.hear(&redis, from, &word);
                }
            }
        }
    }

    /// What an event of another node changes here.
    fn apply(&self, event: &Event) {
        match event {
            Event::ReceiptsSwitched { on } => self.house.set_receipts(*on),
            Event::PrivacyChanged { user, privacy } => {
                self.presence.set_shown(*user, privacy.presence);
            }
            _ => {}
        }
    }

    /// Looks for what other nodes could not say. Ends when `stopping` is cancelled.
    pub async fn look_for_news(self, redis: Redis, stopping: CancellationToken) {
        let mut look = Look {
            since: self.clock.now().minus(BEHIND),
            was_up: false,
            is_doubtful: false,
            sessions_at: None,
            known: HashMap::new(),
        };
        self.compare_clocks().await;
        let watch = async {
            loop {
                let pace = if redis.is_fresh() { CALM } else { ALERT };
                // Both ways on it is time to look.
                look.is_doubtful |= timeout(pace, self.hub.missed()).await.is_ok();
                look.turn(redis.is_fresh());
                match self.look(&mut look).await {
                    Ok(()) => {}
                    Err(Error::Internal(err)) => {
                        tracing::error!(error = err, "what other nodes did cannot be found out");
                    }
                    Err(err) => {
                        tracing::debug!(error = %err, "what other nodes did is not known yet");
                    }
                }
                sleep(APART).await;
            }
        };
        stopping.run_until_cancelled(watch).await;
    }

    async fn compare_clocks(&self) {
        let here = self.clock.now();
        let Ok(there) = self.store.now().await else {
            return;
        };
        let apart = here.since(there).max(there.since(here));
        if apart > CLOCKS {
            tracing::warn!(
                seconds = apart.as_secs(),
                "this machine's clock and the database's differ; set both by a time server"
            );
        }
    }

    async fn look(&self, look: &mut Look) -> Result<()> {
        let started = self.clock.now();
        let people = self.hub.people();
        if look.is_time_for_sessions() {
            self.tell_standings(look, &people, started).await?;
            self.tell_house().await?;
            look.sessions_at = Some(Instant::now());
            look.is_doubtful = false;
        }
        for (person, joined) in self.store.people_since(look.since, MOST).await? {
            self.hub.deliver(Event::PersonJoined { person, joined });
        }
        for room in self.store.rooms_changed(look.since, MOST).await? {
            self.tell_room(&room).await?;
        }
        for people in people.chunks(TOGETHER) {
            let moved = self.store.memberships_changed(people, look.since, MOST);
            for membership in moved.await? {
                self.tell_membership(&membership);
            }
        }
        look.since = started.minus(BEHIND);
        Ok(())
    }

    /// Tells of a room what its listeners here were not told.
    async fn tell_room(&self, now: &RoomNow) -> Result<()> {
        let room = self.room(now.id).await?;
        let topics = topics_of(&room);
        if let Some(told) = self
            .hub
            .told(&topics, room.id)
            .filter(|it| it.rev < now.rev)
        {
            for message in self.untold(&room, &told, now).await? {
                self.hub.deliver(event(&room, message, &told, now));
            }
            self.hub.note_told(&topics, room.id, now.rev);
        }
        if now.seq.0 == 0 {
            // Of a chat of two nobody hears before its first message.
            if matches!(room.kind, RoomKind::Public { .. }) {
                self.hub.deliver(Event::RoomCreated { room });
            }
            return Ok(());
        }
        let moved = Event::FloorsMoved {
            room: room.id,
            floors: now.floors,
            newest: now.newest,
        };
        let told = self.hub.told(&moved.topics(), room.id);
        if told.is_some_and(|told| told.floors.max(now.floors) != told.floors) {
            self.hub.deliver(moved);
        }
        Ok(())
    }

    /// What changed in a room and was not told, in the order in which it changed: all of it if it is little, otherwise
    /// the newest message and the last change. Who looks at the room sees that there is more, and catches up.
    async fn untold(&self, room: &Room, told: &Told, now: &RoomNow) -> Result<Vec<Message>> {
        let is_little = told.rev.0 > 0 && now.rev.0 - told.rev.0 <= i64::from(FEW);
        let after = if is_little { told.rev.0 } else { now.rev.0 - 1 };
        let changed = self.store.messages_changed_after(room.id, Rev(after), FEW);
        let mut messages = changed.await?;
        if !is_little {
            let newest = self.store.find_message(room.id, now.seq).await?;
            messages.retain(|message| message.seq != now.seq);
            messages.extend(newest);
        }
        messages.sort_by_key(|message| message.rev);
        Ok(messages)
    }

    fn tell_membership(&self, now: &MembershipNow) {
        let (room, user) = (now.room, now.user);
        self.hub.deliver(match now.is_marked {
            true => Event::RoomMarked {
                room,
                user,
                seen_seq: now.seen_seq,
            },
            false => Event::RoomRead {
                room,
                user,
                read_seq: now.seen_seq,
            },
        });
        self.hub.deliver(Event::RoomMuted {
            room,
            user,
            until: now.muted_until,
        });
    }

    /// Tells people whose sessions or privacy changed which sessions go on, and what holds now.
    async fn tell_standings(
        &self,
        look: &mut Look,
        people: &[UserId],
        now: UnixMillis,
    ) -> Result<()> {
        let mut known = HashMap::with_capacity(people.len());
        for people in people.chunks(TOGETHER) {
            for standing in self.store.standings(people, now).await? {
                let user = standing.user;
                let before = look.known.get(&user);
                if before.is_none_or(|(sessions, _)| *sessions != standing.sessions) {
                    let sessions = standing.sessions.clone();
                    self.hub.deliver(Event::SessionsCounted { user, sessions });
                }
                let privacy = standing.privacy;
                if before.is_none_or(|(_, before)| *before != privacy) {
                    self.presence.set_shown(user, privacy.presence);
                    self.hub.deliver(Event::PrivacyChanged { user, privacy });
                }
                known.insert(user, (standing.sessions, privacy));
            }
        }
        look.known = known;
        Ok(())
    }

    async fn tell_house(&self) -> Result<()> {
        let on = super::privacy::House::receipts(&self.store).await?;
        if on != self.has_receipts() {
            self.house.set_receipts(on);
            self.hub.deliver(Event::ReceiptsSwitched { on });
        }
        Ok(())
    }
}

/// What happened to a message, as far as it shows in its present state.
fn event(room: &Arc<Room>, message: Message, told: &Told, now: &RoomNow) -> Event {
    let (room, message, floors) = (room.clone(), Arc::new(message), now.floors);
    if message.body.is_none() {
        return Event::MessageDeleted {
            room,
            message,
            floors,
        };
    }
    match message.seq > told.seq {
        true => Event::MessagePosted {
            room,
            message,
            floors,
        },
        false => Event::MessageEdited {
            room,
            message,
            floors,
        },
    }
}
