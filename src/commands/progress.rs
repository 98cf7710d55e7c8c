//! How far long work has come, in one line: rewritten on a terminal, now and then a new one elsewhere.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::store::progress::{Progress, Unit};

/// How often a line is rewritten on a terminal.
const REWRITTEN: Duration = Duration::from_millis(200);
/// How often there is a new line elsewhere: a log is read later.
const WRITTEN: Duration = Duration::from_secs(10);
/// Before that, how long there is still to go is a guess.
const GUESS: Duration = Duration::from_secs(1);
/// Puts the cursor to the beginning of the line, and empties it.
const EMPTY_LINE: &str = "\r\u{1b}[2K";

/// The line on standard output.
#[derive(Debug)]
pub struct ProgressLine {
    is_terminal: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    what: String,
    begun: Instant,
    shown: Instant,
    is_open: bool,
}

impl Default for ProgressLine {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            is_terminal: io::stdout().is_terminal(),
            state: Mutex::new(State {
                what: String::new(),
                begun: now,
                shown: now,
                is_open: false,
            }),
        }
    }
}

impl ProgressLine {
    /// Shows how far it is, if it is time to. The beginning and the end of a table are always shown.
    pub fn show(&self, progress: &Progress) {
        let mut state = self.state.lock().expect("nobody panics in here");
        let now = Instant::now();
        let is_new = state.what != progress.what;
        if is_new {
            self.close(&mut state);
            state.what.clone_from(&progress.what);
            (state.begun, state.shown) = (now, now);
        }
        let is_done = progress.done >= progress.of && progress.unit != Unit::Steps;
        let is_an_end = progress.unit == Unit::Rows && (is_new || is_done);
        let pause = if self.is_terminal { REWRITTEN } else { WRITTEN };
        let is_time = now.duration_since(state.shown) >= pause || (self.is_terminal && is_new);
        if is_an_end || is_time || (is_done && state.is_open) {
            state.shown = now;
            let line = line(progress, now.duration_since(state.begun));
            self.write(&mut state, &line);
            if is_done {
                self.close(&mut state);
            }
        }
    }

    /// Ends the line, so that something else can be said.
    pub fn end(&self) {
        let mut state = self.state.lock().expect("nobody panics in here");
        self.close(&mut state);
        state.what.clear();
    }

    fn write(&self, state: &mut State, line: &str) {
        let mut out = io::stdout().lock();
        // Whoever has closed our output does not want to know.
        let _ = match self.is_terminal {
            true => write!(out, "{EMPTY_LINE}{line}").and_then(|()| out.flush()),
            false => writeln!(out, "{line}"),
        };
        state.is_open = self.is_terminal;
    }

    fn close(&self, state: &mut State) {
        if std::mem::take(&mut state.is_open) {
            let _ = writeln!(io::stdout());
        }
    }
}

fn line(progress: &Progress, taken: Duration) -> String {
    let Progress {
        what,
        done,
        of,
        unit,
    } = progress;
    match unit {
        Unit::Rows => format!("  {what}: {done} of {of}{}", left(*done, *of, taken)),
        Unit::Bytes => format!(
            "  {what}: {} of {} MB{}",
            done / 1_000_000,
            of.div_ceil(1_000_000),
            left(*done, *of, taken)
        ),
        Unit::Steps => format!("  {what}: step {done} of {of}, {} s", taken.as_secs()),
    }
}

/// How long it will still take, when it goes on as it did.
fn left(done: u64, of: u64, taken: Duration) -> String {
    if done == 0 || done >= of || taken < GUESS {
        return String::new();
    }
    let left = taken.as_secs_f64() * (of - done) as f64 / done as f64;
    match left.ceil() as u64 {
        seconds @ 0..=99 => format!(", {seconds} s left"),
        seconds => format!(", {} min left", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_is_done_and_how_long_the_rest_will_take() {
        let rows = |done| Progress {
            what: "messages".into(),
            done,
            of: 1000,
            unit: Unit::Rows,
        };
        let ten = Duration::from_secs(10);
        assert_eq!(line(&rows(250), ten), "  messages: 250 of 1000, 30 s left");
        assert_eq!(line(&rows(10), ten), "  messages: 10 of 1000, 17 min left");
        assert_eq!(line(&rows(1000), ten), "  messages: 1000 of 1000");
        let file = Progress {
            what: "tertulia.db".into(),
            done: 3_000_000,
            of: 12_500_000,
            unit: Unit::Bytes,
        };
        let two = Duration::from_secs(2);
        assert_eq!(line(&file, two), "  tertulia.db: 3 of 13 MB, 7 s left");
        let step = Progress {
            what: "bringing the database up to date".into(),
            done: 1,
            of: 2,
            unit: Unit::Steps,
        };
        assert_eq!(
            line(&step, two),
            "  bringing the database up to date: step 1 of 2, 2 s"
        );
    }
}
