//! Holds the logs of all clients of a room against its final history: what was promised, and was it kept?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::log::{Entry, Line};

mod screens;

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    pub words: String,
}

/// Which promise was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What was acknowledged is not there.
    Lost,
    /// Something is there twice, or was shown twice.
    Doubled,
    /// Not everybody has the same order, or it is not the order in which somebody spoke.
    Reordered,
    /// A number is missing, or a change was not shown.
    Holed,
    /// A receipt went back, or passed the room's end.
    Fallen,
    /// Something is there that nobody said.
    Invented,
    /// A screen is not what the database says.
    Stale,
    /// An answer that nobody should get.
    Refused,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.words)
    }
}

/// How changes come once a channel is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// One by one: all come from one server.
    One,
    /// Several at once when one was late: they come from several nodes.
    Several,
}

/// Every broken promise in one room. `history` is all that the room has in the end, in the order in which it was read.
pub fn check(logs: &[Vec<Entry>], history: &[Line], steps: Steps) -> Vec<Finding> {
    let mut check = Check::new(logs, history);
    check.steps = steps;
    check.numbers();
    check.texts();
    for (client, log) in logs.iter().enumerate() {
        check.answers(client, log);
        check.stream(client, log);
        check.floors(client, log);
        check.screen(client, log);
    }
    check.found
}

struct Check<'a> {
    steps: Steps,
    history: &'a [Line],
    places: BTreeMap<u64, &'a Line>,
    /// Every text that somebody wanted to be there, by their message's key.
    sent: BTreeMap<&'a str, &'a str>,
    /// What authors wanted to make of their messages, by place, and whether that was acknowledged.
    wanted: BTreeMap<u64, (Option<&'a str>, bool)>,
    /// Everything that was ever said, posts and edits.
    said: BTreeSet<&'a str>,
    /// The message that each change is of, as anybody saw it.
    changes: BTreeMap<u64, u64>,
    found: Vec<Finding>,
}

impl<'a> Check<'a> {
    fn new(logs: &'a [Vec<Entry>], history: &'a [Line]) -> Check<'a> {
        let mut check = Check {
            steps: Steps::One,
            history,
            places: history.iter().map(|line| (line.seq, line)).collect(),
            sent: BTreeMap::new(),
            wanted: BTreeMap::new(),
            said: BTreeSet::new(),
            changes: BTreeMap::new(),
            found: Vec::new(),
        };
        for line in history {
            check.learn("the history", line.rev, line.seq);
        }
        for (client, log) in logs.iter().enumerate() {
            let who = format!("client {client}");
            log.iter().for_each(|entry| check.read(&who, entry));
        }
        check
    }

    /// Takes in what somebody wanted and which changes they know of.
    fn read(&mut self, who: &str, entry: &'a Entry) {
        match entry {
            Entry::Sent { key, body } => {
                self.sent.insert(key, body);
                self.said.insert(body);
            }
            Entry::Changing { seq, body } => {
                self.wanted.insert(*seq, (body.as_deref(), false));
                self.said.extend(body.as_deref());
            }
            Entry::Changed { seq, rev } => {
                if let Some((_, acknowledged)) = self.wanted.get_mut(seq) {
                    *acknowledged = true;
                }
                self.learn(who, *rev, *seq);
            }
            Entry::Acknowledged { seq, rev, .. } => self.learn(who, *rev, *seq),
            Entry::Afresh { lines, .. } | Entry::Changes { lines, .. } => {
                lines
                    .iter()
                    .for_each(|line| self.learn(who, line.rev, line.seq));
            }
            _ => {}
        }
    }

    fn learn(&mut self, who: &str, rev: u64, seq: u64) {
        let known = *self.changes.entry(rev).or_insert(seq);
        if known != seq {
            let words =
                format!("change {rev} is of message {seq} to {who}, and of {known} to others");
            self.find(Kind::Reordered, words);
        }
    }

    fn find(&mut self, kind: Kind, words: String) {
        self.found.push(Finding { kind, words });
    }

    /// Places are 1, 2, 3 …
    fn numbers(&mut self) {
        let mut before = 0;
        for line in self.history {
            let seq = line.seq;
            if seq == before {
                self.find(Kind::Doubled, format!("the history has {seq} twice"));
            } else if seq < before {
                self.find(
                    Kind::Reordered,
                    format!("the history has {seq} after {before}"),
                );
            } else if seq > before + 1 {
                self.find(
                    Kind::Holed,
                    format!("the history goes from {before} to {seq}"),
                );
            }
            before = seq;
        }
    }

    /// Everything stored was said by somebody, and is there once.
    fn texts(&mut self) {
        let mut places = BTreeMap::new();
        for line in self.history {
            self.is_said("the history", line);
            let Some(text) = &line.text else { continue };
            if let Some(other) = places.insert(text, line.seq) {
                let words = format!("{text:?} stands at {other} and at {}", line.seq);
                self.find(Kind::Doubled, words);
            }
        }
    }

    /// Whether somebody wanted this to be seen.
    fn is_said(&mut self, who: &str, line: &Line) {
        let said = match &line.text {
            Some(text) => self.said.contains(text.as_str()),
            None => matches!(self.wanted.get(&line.seq), Some((None, _))),
        };
        if !said {
            self.find(
                Kind::Invented,
                format!("nobody said what {who} has as {line:?}"),
            );
        }
    }

    /// What was acknowledged is there, once, at its place and with its text; in the order in which it was sent.
    fn answers(&mut self, client: usize, log: &[Entry]) {
        let (mut places, mut last) = (BTreeMap::new(), 0);
        for entry in log {
            if let Entry::Refused { what, status } = entry {
                self.find(
                    Kind::Refused,
                    format!("client {client} got {status} for {what}"),
                );
            }
            let Entry::Acknowledged { key, seq, rev } = entry else {
                continue;
            };
            let words = format!("client {client} was told of {key} at {seq}");
            if let Some(other) = places.insert(key, *seq).filter(|other| other != seq) {
                self.find(Kind::Doubled, format!("{words} and at {other}"));
            } else if *seq <= last {
                self.find(Kind::Reordered, format!("{words} after {last}"));
            }
            last = last.max(*seq);
            let Some(line) = self.places.get(seq).copied() else {
                self.find(Kind::Lost, format!("{words}, which is not there"));
                continue;
            };
            if line.rev < *rev || !self.may_be(key, line) {
                self.find(
                    Kind::Lost,
                    format!("{words} (change {rev}), where {line:?} is"),
                );
            }
        }
    }

    /// Whether the message with this key may look like this in the end.
    fn may_be(&self, key: &str, line: &Line) -> bool {
        let (text, posted) = (line.text.as_deref(), self.sent.get(key).copied());
        match self.wanted.get(&line.seq) {
            Some((wanted, true)) => text == *wanted,
            Some((wanted, false)) => text == *wanted || text == posted,
            None => text == posted,
        }
    }
}
