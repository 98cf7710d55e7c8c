//! What clients were shown: every change, once and in order, and in the end what the database says.

use std::collections::BTreeMap;

use super::{Check, Kind, Steps};
use crate::faults::log::{Entry, Line, View};

impl Check<'_> {
    /// A channel shows every change after its cursor, each once, and on one server moves by one but for its first step.
    pub(super) fn stream(&mut self, client: usize, log: &[Entry]) {
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
        } else if rev != cursor + 1 && !is_first && self.steps == Steps::One {
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
    pub(super) fn floors(&mut self, client: usize, log: &[Entry]) {
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
    pub(super) fn screen(&mut self, client: usize, log: &[Entry]) {
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
