//! How far people were reached and have read: two watermarks per person and room, and what the ticks make of them.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

pub use crate::store::membership::{Position, Receipt, Receipts, When};

use super::{Chat, rooms::Lobby};
use crate::{
    clock::UnixMillis,
    error::{Error, Result},
    ids::{RoomId, Seq, UserId},
    realtime::Event,
    records::{Floors, Message, Room},
    store::Write,
};

/// How many deliveries wait to be committed together; more are dropped and told again by the next connection.
const MOST_WAITING: usize = 100_000;

/// How far back somebody else's message is looked for when a whole room is marked as unread.
const NEARBY: i64 = 500;

/// How long somebody does not want to be told of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mute {
    /// Eight hours: a working day, a night.
    Hours,
    /// A week.
    Week,
    /// Until they want to be told again.
    Always,
    /// Not at all.
    Off,
}

impl Mute {
    /// When there is no end.
    pub const FOR_EVER: UnixMillis = UnixMillis(253_402_300_800_000);

    /// As forms spell it.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "8h" => Ok(Self::Hours),
            "week" => Ok(Self::Week),
            "always" => Ok(Self::Always),
            "off" => Ok(Self::Off),
            _ => Err(Error::invalid("for", "Choose 8 hours, a week or always.")),
        }
    }

    fn until(self, now: UnixMillis) -> UnixMillis {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        match self {
            Self::Hours => now.plus(HOUR * 8),
            Self::Week => now.plus(HOUR * 24 * 7),
            Self::Always => Self::FOR_EVER,
            Self::Off => UnixMillis(0),
        }
    }
}

/// Deliveries that wait to be committed together, the furthest per person and room.
#[derive(Debug, Clone, Default)]
pub(super) struct Deliveries(Arc<Mutex<BTreeMap<(RoomId, UserId), Seq>>>);

impl Chat {
    /// How far `user` has seen the room, and until when they muted it.
    pub async fn seen_seq(&self, room: &Room, user: UserId) -> Result<(Seq, UnixMillis)> {
        self.store.find_seen(room.id, user).await
    }

    /// Where each room of `user`'s ends and how far they were reached and have read.
    pub async fn positions(&self, user: UserId) -> Result<Vec<Position>> {
        self.store.positions(user).await
    }

    /// What concerns one person when they come back: their positions, and what changed in their lobby at or after
    /// `since`. A few are looked up at a time, the others wait their turn.
    pub async fn standing(
        &self,
        user: UserId,
        since: UnixMillis,
    ) -> Result<(Vec<Position>, Lobby)> {
        let _turn = self.turns.acquire().await;
        let positions = self.positions(user).await?;
        Ok((positions, self.lobby(user, since).await?))
    }

    /// How far everybody in the room was reached and has read.
    pub async fn floors(&self, room: &Room) -> Result<Floors> {
        self.store.find_floors(room.id).await
    }

    /// Notes that `user` has read the room up to `seq`. Never falls, never passes the room's end.
    /// Whoever comes to a room for the first time has all of it behind them.
    pub async fn mark_read(&self, room: Arc<Room>, user: UserId, seq: Seq) -> Result<()> {
        let room = room.id;
        let read = Write::Read { room, user, seq };
        self.writer.write(read).await.map(|_| ())
    }

    /// As [`Chat::mark_read`], together with what others read within a moment: one commit for a room full of people
    /// who all look. The first of them does not wait.
    pub async fn mark_read_with_others(
        &self,
        room: Arc<Room>,
        user: UserId,
        seq: Seq,
    ) -> Result<()> {
        let read = (room.id, user, seq);
        let is_due = match self.reads.come(read, Instant::now()) {
            Some(turn) => turn.comes().await,
            None => true,
        };
        if is_due {
            self.mark_read(room, user, seq).await?;
        }
        Ok(())
    }

    /// Marks the room as unread from the message `seq` on, for `user` alone: their receipts stay. What they read before
    /// and was not committed yet is so now, or it would take the mark away.
    pub async fn mark_unread(&self, room: &Arc<Room>, user: UserId, seq: Seq) -> Result<()> {
        if let Some(read) = self.reads.take(room.id, user) {
            self.mark_read(room.clone(), user, read).await?;
        }
        let mark = Write::Mark {
            room: room.id,
            user,
            seq: Seq(seq.0 - 1),
        };
        self.writer.write(mark).await.map(|_| ())
    }

    /// Marks the room as unread from the newest message of somebody else on, if there is one nearby.
    pub async fn mark_newest_unread(&self, room: &Arc<Room>, user: UserId) -> Result<()> {
        let last = self.store.find_last_of_others(room.id, user, NEARBY);
        match last.await? {
            Some(seq) => self.mark_unread(room, user, seq).await,
            None => Ok(()),
        }
    }

    /// Does not tell `user` of the room for `mute`.
    pub async fn mute(&self, room: &Room, user: UserId, mute: Mute) -> Result<UnixMillis> {
        let until = mute.until(self.clock.now());
        self.store.mute(room.id, user, until).await?;
        self.bus.publish(Event::RoomMuted {
            room: room.id,
            user,
            until,
        });
        Ok(until)
    }

    /// Who has received and read `author`'s own message.
    ///
    /// # Errors
    /// `NotFound` when it is not theirs, deleted or not there.
    pub async fn receipts(
        &self,
        room: &Room,
        author: UserId,
        seq: Seq,
    ) -> Result<(Message, Receipts)> {
        let message = self.own_message(room, author, seq).await?;
        let receipts = self.store.find_receipts(room.id, seq, author).await?;
        Ok((message, receipts))
    }

    /// Notes that a client of `user`'s has received these rooms up to here. It is committed with others, soon.
    pub fn note_delivered(&self, user: UserId, received: BTreeMap<RoomId, Seq>) {
        let mut waiting = self.deliveries.lock();
        for (room, seq) in received {
            let is_full = waiting.len() >= MOST_WAITING;
            match waiting.entry((room, user)) {
                Entry::Occupied(mut known) => *known.get_mut() = seq.max(*known.get()),
                Entry::Vacant(_) if is_full => {}
                Entry::Vacant(new) => {
                    new.insert(seq);
                }
            }
        }
    }

    /// Commits the deliveries that wait.
    ///
    /// # Errors
    /// As [`crate::store::Writer::write`]; the next connection tells of them again.
    pub async fn commit_deliveries(&self) -> Result<()> {
        let waiting = std::mem::take(&mut *self.deliveries.lock());
        if waiting.is_empty() {
            return Ok(());
        }
        self.writer
            .write(Write::Delivered(waiting))
            .await
            .map(|_| ())
    }
}

impl Deliveries {
    /// Forgets what waits.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(RoomId, UserId), Seq>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
