//! What should be true of receipts: a model that remembers who was in a room when, and what each of them did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tertulia::records::{Audience, Floors, Room, Ticks};

/// One person in a room, as far as the model saw it happen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    joined: i64,
    pub delivered: i64,
    read: i64,
    /// What lies behind this was marked as unread.
    marked: Option<i64>,
}

impl Member {
    /// Whoever comes when the room ends at `last` has all of it behind them.
    pub fn coming(last: i64) -> Member {
        Member {
            joined: last,
            delivered: last,
            read: last,
            marked: None,
        }
    }

    /// The last message that is not unread.
    pub fn seen(&self) -> i64 {
        self.marked.unwrap_or(self.read)
    }
}

/// What happened in one room.
pub struct Told {
    pub room: Arc<Room>,
    /// The people who may be in it.
    pub admitted: Vec<usize>,
    pub members: BTreeMap<usize, Member>,
    /// Those who send no read receipts, now.
    silent: BTreeSet<usize>,
    /// Who wrote the messages, from the first on, and whose receipts count for them.
    messages: Vec<(usize, Audience)>,
    /// Messages that were read by all whose receipts counted then: that is never taken back.
    read: BTreeSet<i64>,
    pub floors: Floors,
}

impl Told {
    /// A room in which nothing was said yet.
    pub fn new(room: Arc<Room>, admitted: Vec<usize>, members: &[usize]) -> Told {
        Told {
            room,
            admitted,
            members: members
                .iter()
                .map(|who| (*who, Member::coming(0)))
                .collect(),
            silent: BTreeSet::new(),
            messages: Vec::new(),
            read: BTreeSet::new(),
            floors: Floors::default(),
        }
    }

    pub fn last(&self) -> i64 {
        self.messages.len() as i64
    }

    pub fn posts(&mut self, who: usize) {
        let before = self.last();
        let member = self.members.entry(who).or_insert(Member::coming(before));
        (member.delivered, member.read) = (before + 1, before + 1);
        member.marked = None;
        self.messages.push((who, Audience::Nobody));
        let audience = match (self.audience(before + 1), self.readers(before + 1)) {
            (all, _) if all.is_empty() => Audience::Nobody,
            (_, readers) if readers.is_empty() => Audience::Silent,
            _ => Audience::Readers,
        };
        self.messages[before as usize].1 = audience;
    }

    pub fn reads(&mut self, who: usize, seq: i64) {
        let last = self.last();
        let member = self.members.entry(who).or_insert(Member::coming(last));
        member.read = member.read.max(seq.min(last));
        member.delivered = member.delivered.max(member.read);
        member.marked = None;
    }

    /// What is unread anyway stays so; whoever is not in the room has nothing to mark.
    pub fn marks(&mut self, who: usize, seq: i64) {
        if let Some(member) = self.members.get_mut(&who) {
            member.marked = Some(member.seen().min(seq - 1));
        }
    }

    pub fn receives(&mut self, who: usize, seq: i64) {
        if let Some(member) = self.members.get_mut(&who) {
            member.delivered = member.delivered.max(seq);
        }
    }

    /// Whoever hides what they read no longer counts; a message that only they could still have read waits for nobody.
    pub fn sends(&mut self, who: usize, receipts: bool) {
        match receipts {
            true => self.silent.remove(&who),
            false => self.silent.insert(who),
        };
        for seq in 1..=self.last() {
            if self.waits_for_readers(seq) && self.readers(seq).is_empty() && !receipts {
                self.messages[seq as usize - 1].1 = Audience::Silent;
            }
        }
    }

    /// After each thing that somebody does: what has been read by now. One who sends receipts alone has nobody to
    /// read for.
    pub fn notes_what_is_read(&mut self) {
        let members = self.members.keys();
        if members.filter(|who| !self.silent.contains(who)).count() < 2 {
            return;
        }
        for seq in 1..=self.last() {
            let readers = self.readers(seq);
            let all = readers.iter().all(|member| member.read >= seq);
            if self.waits_for_readers(seq) && !readers.is_empty() && all {
                self.read.insert(seq);
            }
        }
    }

    fn waits_for_readers(&self, seq: i64) -> bool {
        self.audience_of(seq) == Audience::Readers && !self.read.contains(&seq)
    }

    /// Whose receipts count for the message.
    pub fn audience_of(&self, seq: i64) -> Audience {
        self.messages[seq as usize - 1].1
    }

    /// Whether its author sees how far others have read.
    pub fn author_sees_reads(&self, seq: i64) -> bool {
        !self.silent.contains(&self.messages[seq as usize - 1].0)
    }

    /// The ticks of a message as its author sees them, from nothing but what each of its audience did.
    pub fn ticks(&self, seq: i64) -> Ticks {
        let audience = self.audience(seq);
        if audience.is_empty() {
            Ticks::Sent
        } else if self.read.contains(&seq) && self.author_sees_reads(seq) {
            Ticks::Read
        } else if audience.iter().all(|(_, member)| member.delivered >= seq) {
            Ticks::Delivered
        } else {
            Ticks::Sent
        }
    }

    /// Everybody but the author who was in the room before the message.
    fn audience(&self, seq: i64) -> Vec<(usize, Member)> {
        let author = self.messages[seq as usize - 1].0;
        let others = self.members.iter().filter(|(who, _)| **who != author);
        others
            .map(|(who, member)| (*who, *member))
            .filter(|(_, member)| member.joined < seq)
            .collect()
    }

    /// Those of them who send read receipts now.
    fn readers(&self, seq: i64) -> Vec<Member> {
        let audience = self.audience(seq).into_iter();
        let readers = audience.filter(|(who, _)| !self.silent.contains(who));
        readers.map(|(_, member)| member).collect()
    }
}
