//! Clients that never give up: they send until they are answered, come back when they are cut off, and write down
//! everything that happens to them.

use std::time::Duration;

use reqwest::Method;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::channel::{Channel, Closed, Heard};
use super::log::{Entry, Line, Log};
use crate::support::actor::{new_key, seq_of};
use crate::support::ask::Ask;
use crate::support::dice::Dice;
use crate::support::sight::{cursor_in, messages_in};
use crate::support::ticks::floors_in;
use crate::support::{Answer, Person, RoomId};

/// How long a client waits for an answer before it tries again, while the first try may still be on its way.
const IMPATIENCE: Duration = Duration::from_secs(2);
/// The first and the longest pause between two tries, in milliseconds.
const PAUSES: (usize, usize) = (50, 800);

/// Somebody in one room.
#[derive(Clone)]
pub struct Client {
    pub person: Person,
    pub room: RoomId,
    pub log: Log,
    pub seed: u64,
}

/// Pauses that grow with every failure, each a part of its longest by chance.
#[derive(Default)]
struct Backoff(u32);

impl Backoff {
    async fn pause(&mut self, dice: &mut Dice) {
        let longest = (PAUSES.0 << self.0.min(10)).min(PAUSES.1);
        self.0 += 1;
        sleep(Duration::from_millis(dice.roll(longest) as u64 + 1)).await;
    }
}

impl Client {
    /// Posts, changes what it posted and reads, until it is told to be quiet; what was begun is finished.
    pub async fn talks(self, quiet: CancellationToken) {
        let mut dice = Dice(self.seed);
        let mut own = Vec::new();
        for n in 1.. {
            let pause = Duration::from_millis(50 + dice.roll(350) as u64);
            if quiet.run_until_cancelled(sleep(pause)).await.is_none() {
                return;
            }
            match dice.roll(20) {
                0 if !own.is_empty() => {
                    let seq = own.swap_remove(dice.roll(own.len()));
                    let body = format!("{} changes {n}", self.person.name());
                    self.changes(&mut dice, seq, Some(body)).await;
                }
                1 if !own.is_empty() => {
                    let seq = own.swap_remove(dice.roll(own.len()));
                    self.changes(&mut dice, seq, None).await;
                }
                2 | 3 => self.reads(&mut dice).await,
                _ => {
                    let body = format!("{} says {n}", self.person.name());
                    own.extend(self.posts(&mut dice, body).await);
                }
            }
        }
    }

    async fn posts(&self, dice: &mut Dice, body: String) -> Option<u64> {
        let (path, key) = (format!("/rooms/{}/messages", self.room), new_key());
        self.log.note(Entry::Sent {
            key: key.clone(),
            body: body.clone(),
        });
        let form = [("body", body.as_str()), ("key", key.as_str())];
        let ask = || self.person.asks(Method::POST, &path).form(&form);
        let answer = self.insists(dice, "a post", ask).await?;
        let (seq, rev) = (seq_of(&answer), rev_of(&answer));
        self.log.note(Entry::Acknowledged { key, seq, rev });
        Some(seq)
    }

    async fn changes(&self, dice: &mut Dice, seq: u64, body: Option<String>) {
        let path = format!("/rooms/{}/messages/{seq}", self.room);
        self.log.note(Entry::Changing {
            seq,
            body: body.clone(),
        });
        let ask = || match &body {
            Some(body) => self.person.asks(Method::PUT, &path).form(&[("body", body)]),
            None => self.person.asks(Method::DELETE, &path),
        };
        if let Some(answer) = self.insists(dice, "a change", ask).await {
            let rev = rev_of(&answer);
            self.log.note(Entry::Changed { seq, rev });
        }
    }

    /// Has read all that is on the screen.
    pub async fn reads(&self, dice: &mut Dice) {
        let path = format!("/rooms/{}/read", self.room);
        if let Some((last, _)) = self.log.view().lines.pop_last() {
            let form = [("seq", last.to_string())];
            let form = form.each_ref().map(|(name, seq)| (*name, seq.as_str()));
            let ask = || self.person.asks(Method::POST, &path).form(&form);
            self.insists(dice, "a receipt", ask).await;
        }
    }

    /// Asks until there is an answer: that it is done, or one that nobody should get.
    async fn insists<'a>(
        &self,
        dice: &mut Dice,
        what: &'static str,
        ask: impl Fn() -> Ask<'a>,
    ) -> Option<Answer> {
        let mut backoff = Backoff::default();
        loop {
            let tried = timeout(IMPATIENCE, ask().htmx("ol#messages").tries()).await;
            let status = match tried.ok().and_then(Result::ok) {
                Some(answer) if matches!(answer.status, 200 | 204) => return Some(answer),
                answer => answer.map(|answer| answer.status),
            };
            if !self.may_try_again(what, status) {
                return None;
            }
            backoff.pause(dice).await;
        }
    }

    /// Writes down what is not the answer hoped for; tells whether it is one that may pass.
    fn may_try_again(&self, what: &'static str, status: Option<u16>) -> bool {
        // A debug build reads its templates from files, which may have run out; other faults stand in the server's log.
        let passes = |status| status == 503 || (cfg!(debug_assertions) && status == 500);
        match status {
            Some(status) if !passes(status) => {
                self.log.note(Entry::Refused { what, status });
                false
            }
            status => {
                self.log.note(Entry::Failed { status });
                true
            }
        }
    }

    /// Listens to its room and comes back whenever the channel ends, until it is told that this was all.
    pub async fn listens(self, over: CancellationToken) {
        let mut dice = Dice(!self.seed);
        over.run_until_cancelled(async {
            let (mut rev, mut backoff) = (0, Backoff::default());
            self.log.note(Entry::Afresh { rev, lines: vec![] });
            loop {
                if let Some(channel) = self.opens(&mut dice, rev).await {
                    backoff = Backoff::default();
                    let by = channel.transport();
                    self.log.note(Entry::Opened { rev, by });
                    rev = self.hears(channel, rev).await;
                }
                backoff.pause(&mut dice).await;
                rev = self.perhaps_reloads(&mut dice, rev).await;
            }
        })
        .await;
    }

    /// The channel from this cursor on, by either transport, if there is a way to the server.
    async fn opens(&self, dice: &mut Dice, rev: u64) -> Option<Channel> {
        let is_stream = dice.roll(2) == 0;
        let opening = async {
            match is_stream {
                true => Channel::stream(&self.person, self.room, rev).await,
                false => Channel::socket(&self.person, self.room, rev).await,
            }
        };
        let status = match timeout(IMPATIENCE, opening).await {
            Ok(Ok(channel)) => return Some(channel),
            Ok(Err(Closed(status))) => status,
            Err(_) => None,
        };
        // A proxy that takes the upgrade out makes it a request that the server does not understand.
        let is_stripped = !is_stream && status == Some(400);
        self.may_try_again("the channel", status.filter(|_| !is_stripped));
        None
    }

    /// Writes down what comes until the channel ends; brings back the cursor.
    async fn hears(&self, mut channel: Channel, mut rev: u64) -> u64 {
        while let Some(heard) = channel.next().await {
            match heard {
                Heard::Fragment(frame) => rev = self.takes(&frame).unwrap_or(rev),
                Heard::Ask(connection, number) => self.answers(&connection, &number).await,
            }
        }
        rev
    }

    /// Tells the server that it was received. Once only: after a failure, the next connection is asked again.
    async fn answers(&self, connection: &str, number: &str) {
        let form = [("connection", connection), ("number", number)];
        let ask = self.person.asks(Method::POST, "/live/received").form(&form);
        let tried = timeout(IMPATIENCE, ask.tries()).await;
        let status = tried.ok().and_then(Result::ok).map(|answer| answer.status);
        if status != Some(204) {
            self.may_try_again("what was received", status);
        }
    }

    /// Writes down what a frame says; brings back the cursor if it moves.
    fn takes(&self, frame: &str) -> Option<u64> {
        if frame.contains("id=\"floors\"") {
            let floors = floors_in(frame).expect("floors are two numbers");
            self.log.note(Entry::Floors(floors));
        }
        if !frame.contains("id=\"cursor\"") {
            return None;
        }
        let rev = cursor_in(frame).expect("a cursor is a number");
        let lines = messages_in(frame).into_iter().map(Line::from).collect();
        let is_afresh = frame.contains("hx-target=\"#messages\" hx-swap=\"innerHTML\"");
        self.log.note(match is_afresh {
            true => Entry::Afresh { rev, lines },
            false => Entry::Changes { rev, lines },
        });
        Some(rev)
    }

    /// Some come back with the page that they had, some load it again, some begin with nothing.
    async fn perhaps_reloads(&self, dice: &mut Dice, rev: u64) -> u64 {
        let (rev, lines) = match dice.roll(8) {
            0 => (0, Vec::new()),
            1 => {
                let path = format!("/rooms/{}", self.room);
                let tried = timeout(IMPATIENCE, self.person.asks(Method::GET, &path).tries()).await;
                let page = match tried.ok().and_then(Result::ok) {
                    Some(page) if page.status == 200 => page,
                    other => {
                        self.may_try_again("a page", other.map(|page| page.status));
                        return rev;
                    }
                };
                let rev = cursor_in(&page.body).expect("a room's page carries the cursor");
                (rev, page.messages().into_iter().map(Line::from).collect())
            }
            _ => return rev,
        };
        self.log.note(Entry::Afresh { rev, lines });
        rev
    }
}

fn rev_of(answer: &Answer) -> u64 {
    answer.header("x-rev").parse().expect("X-Rev is a number")
}
