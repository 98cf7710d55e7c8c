//! Holds the logs of all clients of a room against its final history: what was promised, and was it kept?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::log::{Entry, Line, View};

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

/// Every broken promise in one room. `history` is all that the room has in the end, in the order in which it was read.
pub fn check(logs: &[Vec<Entry>], history: &[Line]) -> Vec<Finding> {
    let mut check = Check::new(logs, history);
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

    /// A channel shows every change after its cursor, each once, and moves by one but for its first step.
    fn stream(&mut self, client: usize, log: &[Entry]) {
        let who = format!("client {client}");
        let (mut cursor, mut is_first) = (0, true);
        for entry in log {
            match entry {
                Entry::Opened { .. } => is_first = true,
                Entry::Afresh { rev, lines } => {
                    lines.iter().for_each(|line| self.is_said(&who, line));
                    let holed = lines.windows(2).find(|two| two[1].seq != two[0].seq + 1);
                    if let Some(two) = holed {
                        let words = format!(
                            "{who} got a page that goes from {} to {}",
                            two[0].seq, two[1].seq
                        );
                        self.find(Kind::Holed, words);
                    }
                    let from = lines.first().map_or(u64::MAX, |line| line.seq);
                    self.shows_all(&format!("{who}'s page at {rev}"), (0, *rev), from, lines);
                    (cursor, is_first) = (*rev, false);
                }
                Entry::Changes { rev, lines } => {
                    lines.iter().for_each(|line| self.is_said(&who, line));
                    self.step(&who, (cursor, *rev), is_first, lines);
                    (cursor, is_first) = (*rev, false);
                }
                _ => {}
            }
        }
    }

    fn step(&mut self, who: &str, (cursor, rev): (u64, u64), is_first: bool, lines: &[Line]) {
        let words = format!("{who} went from {cursor} to {rev}");
        if rev <= cursor {
            self.find(Kind::Reordered, words.clone());
        } else if rev != cursor + 1 && !is_first {
            self.find(Kind::Holed, format!("{words} in the middle"));
        }
        for line in lines {
            if line.rev <= cursor {
                self.find(Kind::Doubled, format!("{words} with {line:?}"));
            } else if line.rev > rev {
                self.find(Kind::Reordered, format!("{words} with {line:?}"));
            }
        }
        self.shows_all(&words, (cursor, rev), 0, lines);
    }

    /// Every known change after `cursor` up to `rev` of a message from `from` on is in `lines`, or a later one of the same.
    fn shows_all(&mut self, words: &str, (cursor, rev): (u64, u64), from: u64, lines: &[Line]) {
        if rev <= cursor {
            return;
        }
        let shown: BTreeMap<_, _> = lines.iter().map(|line| (line.seq, line.rev)).collect();
        let due = self.changes.range(cursor + 1..=rev);
        let missing = due
            .filter(|(_, seq)| **seq >= from)
            .find(|(change, seq)| shown.get(seq).is_none_or(|rev| rev < change));
        if let Some((change, seq)) = missing {
            let words = format!("{words} without change {change} (message {seq})");
            self.find(Kind::Holed, words);
        }
    }

    /// Receipts never fall and never pass the room's end.
    fn floors(&mut self, client: usize, log: &[Entry]) {
        let floors = log.iter().filter_map(|entry| match entry {
            Entry::Floors(floors) => Some((floors.delivered, floors.read)),
            _ => None,
        });
        let (end, mut before) = (self.history.len() as u64, (0, 0));
        for now in floors {
            if now.0 < before.0 || now.1 < before.1 || now.0.max(now.1) > end {
                let words =
                    format!("client {client}: floors {now:?} after {before:?}, the end is {end}");
                self.find(Kind::Fallen, words);
            }
            before = now;
        }
    }

    /// In the end, the screen is what the database says.
    fn screen(&mut self, client: usize, log: &[Entry]) {
        if !log
            .iter()
            .any(|entry| matches!(entry, Entry::Opened { .. }))
        {
            return;
        }
        let view = View::after(log.iter());
        let end = self.history.iter().map(|line| line.rev).max().unwrap_or(0);
        if view.rev != end {
            let words = format!("client {client} stands at {}, the room at {end}", view.rev);
            self.find(Kind::Stale, words);
        }
        let differing = self
            .history
            .iter()
            .find(|line| match view.lines.get(&line.seq) {
                Some(seen) => seen != *line,
                None => line.seq >= view.from,
            });
        if let Some(line) = differing {
            let seen = view.lines.get(&line.seq);
            self.find(
                Kind::Stale,
                format!("client {client} sees {seen:?} as {line:?}"),
            );
        }
    }
}
