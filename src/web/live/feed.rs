//! One reader's feed: which frames are due, in which order, and when it ends. The same for every transport, which only
//! has to bring them over; it knows nothing of sockets and streams.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{Connection, Reader, asked::Asked, frames::BEAT};
use crate::{
    clock::UnixMillis,
    error::Error,
    ids::{Rev, RoomId},
    realtime::{Event, Subscription, Wake},
};

/// How often every page gets a beat: one that has heard nothing for two of them drops its connection.
const PACE: Duration = Duration::from_secs(20);

/// How long what can wait (the lobby, the question) waits for a message to ride along with: in a busy room it costs no
/// wake and no write of its own.
const RIDE: Duration = Duration::from_millis(60);

/// Somebody at the door of the live channel who may come in.
pub(super) struct Visit {
    /// What they look at.
    pub reader: Reader,
    /// The time up to which their lobby is complete.
    pub at: UnixMillis,
    /// Their place among the connections.
    pub connection: Connection,
}

/// One reader's feed, until it ends.
pub(super) struct Feed {
    /// Whose it is.
    pub connection: Connection,
    reader: Reader,
    subscription: Subscription,
    asked: Asked,
    next_beat: Instant,
    /// When it ends because the server stops, or because the database has another past.
    leaves: Option<Instant>,
    /// What comes now is of another past than the page.
    is_over: bool,
}

/// What goes out.
#[derive(Debug)]
pub(super) enum Frame {
    /// A fragment, and the room's cursor if the fragment moves it.
    Fragment(Utf8Bytes, Option<Rev>),
    /// The question under this number whether everything before it has been received.
    Ask(u32),
    /// A fragment that says that the line stands.
    Beat(Utf8Bytes),
}

/// What woke a feed.
pub(super) enum Due {
    News(Wake),
    Time,
    Draining,
}

/// Why a feed ends on our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The session is over: the page goes to the sign-in page.
    SignedOut,
    /// The reader did not keep up; it comes back and catches up.
    TooSlow,
    /// Something did not work here; it comes back.
    TryAgain,
    /// The server stops; it comes back.
    Restart,
    /// Newer pages of the same session took its place; it comes back when it is looked at.
    Parked,
}

impl End {
    /// As logs, metrics and close frames spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed out",
            Self::TooSlow => "too slow",
            Self::TryAgain => "try again",
            Self::Restart => "restarting",
            Self::Parked => "parked",
        }
    }
}

impl From<Error> for End {
    fn from(err: Error) -> Self {
        tracing::debug!(error = %err, "a live connection could not be brought up to date");
        Self::TryAgain
    }
}

impl Feed {
    /// Listens, and says what was missed.
    ///
    /// # Errors
    /// The session is over, or the database does not answer. The connection is given back with the reason.
    pub async fn open(visit: Visit) -> Result<(Self, Vec<Frame>), (Connection, End)> {
        let Visit {
            mut reader,
            at,
            connection,
        } = visit;
        let subscription = reader.subscribe();
        connection.watch(subscription.backlog());
        let missed = async {
            if !reader.is_signed_in().await? {
                return Err(End::SignedOut);
            }
            Ok(reader.catch_up(at).await?)
        };
        let missed = match missed.await {
            Ok(missed) => missed,
            Err(end) => return Err((connection, end)),
        };
        let rev = reader.rev;
        let frames = missed
            .into_iter()
            .map(|html| Frame::Fragment(html, Some(rev)));
        let frames = frames.collect();
        // Those who came together do not all get their beats together.
        let next_beat = Instant::now() + PACE.mul_f64(rand::random_range(0.5..1.0));
        let feed = Self {
            connection,
            reader,
            subscription,
            asked: Asked::default(),
            next_beat,
            leaves: None,
            is_over: false,
        };
        Ok((feed, frames))
    }

    /// Where the page stands: its room, and the room's change number up to which it is complete.
    pub fn cursor(&self) -> (RoomId, Rev) {
        let room = self.reader.room.as_ref();
        room.map_or((RoomId(0), Rev(0)), |room| (room.id, self.reader.rev))
    }

    /// Waits until something is due. Dropping the future loses nothing.
    pub async fn due(&self) -> Due {
        let draining = &self.reader.site.app.draining;
        tokio::select! {
            biased;
            () = draining.cancelled(), if self.leaves.is_none() => Due::Draining,
            wake = self.subscription.next() => Due::News(wake),
            () = sleep_until(self.next_time()) => Due::Time,
        }
    }

    /// Waits until the reader has fallen too far behind; for whoever is busy sending.
    pub async fn cut(&self) {
        self.subscription.cut().await;
    }

    /// What is to go out now, in order.
    ///
    /// # Errors
    /// Why this is the end.
    pub async fn take(&mut self, due: Due) -> Result<Vec<Frame>, End> {
        let now = Instant::now();
        let mut frames = Vec::new();
        match due {
            Due::News(Wake::Cut) => return Err(End::TooSlow),
            Due::News(Wake::News(waiting)) => {
                frames.reserve(waiting.len() + 2);
                for news in waiting {
                    if matches!(news.event, Event::PastChanged) {
                        self.leave(now);
                        self.is_over = true;
                    }
                    if self.is_over {
                        return Ok(Vec::new());
                    }
                    if self.reader.is_signed_out_by(&news).await? {
                        // It may have ended on another node.
                        let signed_in = &self.reader.site.signed_in;
                        signed_in.remove(&self.reader.session);
                        return Err(End::SignedOut);
                    }
                    let before = self.reader.rev;
                    if let Some(html) = self.reader.take(&news).await? {
                        let moved = Some(self.reader.rev).filter(|rev| *rev != before);
                        frames.push(Frame::Fragment(html, moved));
                    }
                }
            }
            Due::Draining => self.leave(now),
            Due::Time if self.leaves.is_some_and(|at| at <= now) => return Err(End::Restart),
            Due::Time => {}
        }
        if !self.is_over {
            self.take_timely(now, &mut frames).await?;
        }
        Ok(frames)
    }

    /// It is to end soon, not together with all others.
    fn leave(&mut self, now: Instant) {
        let spread = self.reader.site.connections.spread();
        self.leaves = Some(now + spread.mul_f64(rand::random()));
    }

    /// The browser has received everything before the question with this number.
    pub fn received(&mut self, number: u32) {
        if let Some(received) = self.asked.answer(number) {
            self.reader.received(received);
        }
        self.heard();
    }

    /// The browser has given a sign of life.
    pub fn heard(&self) {
        self.connection.heard(self.reader.site.app.clock.now());
    }

    /// When to wake for the lobby frame, the question, the beat or the end.
    fn next_time(&self) -> Instant {
        if let Some(leaves) = self.leaves.filter(|_| self.is_over) {
            return leaves;
        }
        let ask = self.asked.due().filter(|_| self.reader.awaits_receipt());
        let ride = |due: Option<Instant>| due.map(|due| due + RIDE);
        let times = [ride(self.reader.lobby_due()), ride(ask), self.leaves];
        times
            .into_iter()
            .flatten()
            .fold(self.next_beat, Instant::min)
    }

    /// The lobby frame, the question and the beat, if they are due: they go out with whatever else does, in one flush.
    async fn take_timely(&mut self, now: Instant, frames: &mut Vec<Frame>) -> Result<(), End> {
        if self.reader.lobby_due().is_some_and(|due| due <= now) {
            let lobby = self.reader.take_lobby();
            frames.extend(lobby.map(|html| Frame::Fragment(html, None)));
        }
        if self.next_beat <= now {
            self.next_beat = now + PACE;
            let days = self.reader.take_new_day().await?;
            frames.extend(days.into_iter().map(|html| Frame::Fragment(html, None)));
            frames.push(Frame::Beat(Utf8Bytes::from_static(BEAT)));
            frames.extend(self.asked.unanswered().map(Frame::Ask));
        }
        if self.reader.awaits_receipt() && self.asked.due().is_some_and(|due| due <= now) {
            frames.push(Frame::Ask(self.asked.ask(self.reader.take_sent())));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
