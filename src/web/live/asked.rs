//! Whether a browser has received what was sent to it. Knows nothing of what that means for ticks, nor of how it is asked.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::ids::{RoomId, Seq};

/// How long after asking whether the browser has received something it is asked again at the earliest.
const ASK: Duration = Duration::from_secs(1);

/// The question whether the browser has received what was sent, which goes out behind it: a ping over a WebSocket,
/// which browsers answer by themselves with the same payload (RFC 6455, 5.5.3), an event that the page's script answers
/// over a stream. One at a time, at most once a second.
pub(super) struct Asked {
    number: u32,
    open: Option<BTreeMap<RoomId, Seq>>,
    next: Instant,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            number: 0,
            open: None,
            next: Instant::now(),
        }
    }
}

impl Asked {
    /// When the next question may be asked, unless one is open.
    pub fn due(&self) -> Option<Instant> {
        self.open.is_none().then_some(self.next)
    }

    /// Asks whether all of `sent` has been received; returns the question's number, which is never 0.
    pub fn ask(&mut self, sent: BTreeMap<RoomId, Seq>) -> u32 {
        self.number = self.number.wrapping_add(1).max(1);
        self.open = Some(sent);
        self.next = Instant::now() + ASK;
        self.number
    }

    /// The number of the open question: its answer may have been lost on the way.
    pub fn unanswered(&self) -> Option<u32> {
        self.open.as_ref().map(|_| self.number)
    }

    /// What has been received, if this answers the open question.
    pub fn answer(&mut self, number: u32) -> Option<BTreeMap<RoomId, Seq>> {
        let is_ours = number == self.number;
        self.open.take_if(|_| is_ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_question_at_a_time_and_only_its_own_answer_counts() {
        let mut asked = Asked::default();
        assert_eq!(asked.due(), Some(Instant::now()));
        let question = asked.ask(BTreeMap::from([(RoomId(7), Seq(3))]));
        assert_eq!(asked.due(), None);
        assert_eq!(asked.unanswered(), Some(question));
        assert_eq!(asked.answer(question + 1), None, "of another question");
        let received = asked.answer(question).expect("its own answer");
        assert_eq!(received[&RoomId(7)], Seq(3));
        assert_eq!(asked.answer(question), None, "once");
        assert_eq!(asked.due(), Some(Instant::now() + ASK));
    }
}
