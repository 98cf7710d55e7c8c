//! What others wrote into the database, told to those who listen here.
//!
//! On a shared database other nodes write; what they say of it over the bus can be late or lost, and without Redis they
//! say nothing. So each node looks every few seconds, and every moment while it does not hear the others. Into a file of
//! SQLite's the commands of the program write: once a second it is asked whether anybody did, and only then looked. What
//! is found and was not told is told then: nothing depends on Redis but how soon it is known.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Chat;
use crate::{
    clock::UnixMillis,
    error::{Error, Result},
    ids::{Rev, UserId},
    realtime::{Event, Redis, Told, topics_of},
    records::{Message, Privacy, Room, RoomKind},
    store::{
        news::{MembershipNow, RoomNow},
        stamp::BEHIND,
    },
};

/// How often the database is looked into while other nodes are heard, and while they are not.
const CALM: Duration = Duration::from_secs(3);
const ALERT: Duration = Duration::from_millis(600);
/// How often a file of SQLite's is asked whether somebody else wrote to it.
const ASKED: Duration = Duration::from_secs(1);
/// How far apart two looks are at least.
const APART: Duration = Duration::from_millis(200);
/// How often it is looked who is still signed in: people are out within five seconds, also when a command shut them out.
const SESSIONS: Duration = Duration::from_millis(2_500);
/// How far the clocks of two machines should not be apart.
const CLOCKS: Duration = Duration::from_secs(5);
/// How many rooms, memberships and people one look takes, and how many people it asks about at once.
const MOST: u32 = 5_000;
const TOGETHER: usize = 1_000;
/// How many changes of one room are told one by one; who missed more catches up anyway.
const FEW: u32 = 50;

/// Somebody's sessions, as the store names them, and what they let others see.
type Standing = (Arc<[Arc<str>]>, Privacy);

/// What is known from the last look.
struct PollState {
    /// Up to when everything committed was stamped then.
    mark: Option<UnixMillis>,
    /// Whether other nodes were heard.
    was_heard: bool,
    /// When it was last looked who is signed in.
    sessions_at: Option<Instant>,
    /// The sessions that were last told, and what people let others see.
    standings: HashMap<UserId, Standing>,
    /// On SQLite, the number that changes when somebody else writes.
    version: Option<(u64, i64)>,
}

impl PollState {
    /// Other nodes are heard now, or not. What was said around a change may be lost.
    fn turn(&mut self, is_heard: bool) {
        if std::mem::replace(&mut self.was_heard, is_heard) != is_heard {
            self.sessions_at = None;
        }
    }

    fn is_time_for_sessions(&self) -> bool {
        self.sessions_at.is_none_or(|at| at.elapsed() >= SESSIONS)
    }
}

impl Chat {
    /// Looks for what others wrote and could not say. Ends when `stopping` is cancelled.
    pub async fn reconcile(self, redis: Option<Redis>, stopping: CancellationToken) {
        let mut state = PollState {
            mark: None,
            was_heard: false,
            sessions_at: None,
            standings: HashMap::new(),
            version: None,
        };
        match self.store.is_shared() {
            true => {
                if redis.is_none() {
                    tracing::info!(
                        "several nodes on this database hear of each other within a second; with --redis at once"
                    );
                }
                self.compare_clocks().await;
            }
            false => state.version = self.store.writes_of_others().await.ok(),
        }
        let watch = async {
            loop {
                match self.look(redis.as_ref(), &mut state).await {
                    Ok(()) => {}
                    Err(Error::Internal(err)) => {
                        tracing::error!(error = err, "what others wrote cannot be found out");
                    }
                    Err(err) => {
                        tracing::debug!(error = %err, "what others wrote is not known yet");
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

    /// Waits until it is time, or until there is a reason; then looks.
    async fn look(&self, redis: Option<&Redis>, state: &mut PollState) -> Result<()> {
        if !self.store.is_shared() {
            return self.look_into_file(state).await;
        }
        let is_fresh = || redis.is_some_and(Redis::is_fresh);
        let pace = if is_fresh() { CALM } else { ALERT };
        if timeout(pace, self.hub.missed()).await.is_ok() {
            state.sessions_at = None;
        }
        state.turn(is_fresh());
        self.look_for_changes(state).await
    }

    async fn look_into_file(&self, state: &mut PollState) -> Result<()> {
        sleep(ASKED).await;
        let version = self.store.writes_of_others().await?;
        match state.version.replace(version) {
            Some(before) if before != version => {
                tracing::debug!("somebody else wrote to the database");
                state.sessions_at = None;
                // What fails here is looked for again.
                let looked = self.look_for_changes(state).await;
                looked.inspect_err(|_| state.version = Some(before))
            }
            _ => {
                state.mark = Some(self.store.mark().await?);
                Ok(())
            }
        }
    }

    async fn look_for_changes(&self, state: &mut PollState) -> Result<()> {
        self.store.check_version().await?;
        // When the database's clock was set back since, stamps begin again behind the last mark.
        let mark = self.store.mark().await?;
        let since = state.mark.map_or(mark, |before| before.min(mark));
        let since = since.minus(BEHIND);
        let people = self.hub.people();
        if state.is_time_for_sessions() {
            self.tell_standings(state, &people, self.clock.now())
                .await?;
            self.tell_house().await?;
            state.sessions_at = Some(Instant::now());
        }
        for (person, joined) in self.store.people_since(since, MOST).await? {
            self.hub.deliver(Event::PersonJoined { person, joined });
        }
        for room in self.store.rooms_changed(since, MOST).await? {
            self.tell_room(&room).await?;
        }
        for people in people.chunks(TOGETHER) {
            let moved = self.store.memberships_changed(people, since, MOST);
            for membership in moved.await? {
                self.tell_membership(&membership);
            }
        }
        state.mark = Some(mark);
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
                let created = now.changed;
                self.hub.deliver(Event::RoomCreated { room, created });
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
        state: &mut PollState,
        people: &[UserId],
        now: UnixMillis,
    ) -> Result<()> {
        let mut known = HashMap::with_capacity(people.len());
        for people in people.chunks(TOGETHER) {
            for standing in self.store.standings(people, now).await? {
                let user = standing.user;
                let before = state.standings.get(&user);
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
        state.standings = known;
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
