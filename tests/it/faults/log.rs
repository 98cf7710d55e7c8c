//! What each client of a run wrote down, in the order in which it happened to that client.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::Shown;
use crate::support::ticks::Floors;

/// A message as somebody saw it; without a text when it was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub seq: u64,
    pub rev: u64,
    pub text: Option<String>,
}

impl From<Shown> for Line {
    fn from(shown: Shown) -> Line {
        Line {
            seq: shown.seq,
            rev: shown.rev,
            text: (!shown.deleted).then_some(shown.text),
        }
    }
}

/// One thing that happened to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// It is about to post this, and will try until it is answered.
    Sent { key: String, body: String },
    /// The message with this key was answered as stored.
    Acknowledged { key: String, seq: u64, rev: u64 },
    /// It is about to give its message another text, or to delete it, and will try until that is answered.
    Changing { seq: u64, body: Option<String> },
    /// That was answered as stored.
    Changed { seq: u64, rev: u64 },
    /// No answer came, or one that says to try again.
    Failed { status: Option<u16> },
    /// An answer came that nobody should get.
    Refused { what: &'static str, status: u16 },
    /// Its channel opened with this cursor, by this transport.
    Opened { rev: u64, by: &'static str },
    /// What is shown from now on is this and nothing else: a page was loaded, or the newest page came afresh.
    Afresh { rev: u64, lines: Vec<Line> },
    /// These changes came, and the cursor stands here now.
    Changes { rev: u64, lines: Vec<Line> },
    /// Everybody has come as far as this.
    Floors(Floors),
}

/// The log of one client; clones write into the same.
#[derive(Debug, Clone)]
pub struct Log {
    began: Instant,
    entries: Arc<Mutex<Vec<(Duration, Entry)>>>,
}

impl Log {
    /// An empty log; times are counted from `began`.
    pub fn new(began: Instant) -> Log {
        Log {
            began,
            entries: Arc::default(),
        }
    }

    /// Writes down what happens now.
    pub fn note(&self, entry: Entry) {
        let mut entries = self.entries.lock().expect("no panic while held");
        entries.push((self.began.elapsed(), entry));
    }

    /// Everything so far.
    pub fn entries(&self) -> Vec<Entry> {
        let entries = self.entries.lock().expect("no panic while held");
        entries.iter().map(|(_, entry)| entry.clone()).collect()
    }

    /// Everything so far, a line each, for whoever looks into a failed run.
    pub fn text(&self) -> String {
        let entries = self.entries.lock().expect("no panic while held");
        let line =
            |(at, entry): &(Duration, Entry)| format!("{:9.3}  {entry:?}\n", at.as_secs_f64());
        entries.iter().map(line).collect()
    }

    /// What the client has on its screen now.
    pub fn view(&self) -> View {
        let entries = self.entries.lock().expect("no panic while held");
        View::after(entries.iter().map(|(_, entry)| entry))
    }
}

/// What a client has on its screen.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct View {
    pub rev: u64,
    /// The place from which on every message is there; what was changed further above may be there too.
    pub from: u64,
    pub lines: BTreeMap<u64, Line>,
    pub floors: Option<Floors>,
}

impl View {
    /// The screen after all this happened.
    pub fn after<'a>(entries: impl Iterator<Item = &'a Entry>) -> View {
        let mut view = View::default();
        for entry in entries {
            match entry {
                Entry::Afresh { rev, lines } => {
                    view.rev = *rev;
                    view.from = lines.first().map_or(1, |line| line.seq);
                    view.lines = lines.iter().map(|line| (line.seq, line.clone())).collect();
                }
                Entry::Changes { rev, lines } => {
                    view.rev = *rev;
                    let changed = lines.iter().map(|line| (line.seq, line.clone()));
                    view.lines.extend(changed);
                }
                Entry::Floors(floors) => view.floors = Some(*floors),
                _ => {}
            }
        }
        view
    }
}
