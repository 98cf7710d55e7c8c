//! What templates show of a message's receipts: who has read it, whom it has reached, and when. They know nothing of
//! how receipts come to be.

use serde::Serialize;

use super::Eyes;
use crate::{
    domain::receipts::{Receipt, Receipts, When},
    ids::{RoomId, Seq},
    records::Message,
    web::{
        markup,
        page::{hue, initials},
        zone::iso,
    },
};

const HIDDEN: &str = "Read receipts are off, yours or everyone's: who has read this is not shown.";

/// One message and its receipts, as `messages/_info.html` shows them.
#[derive(Debug, Serialize)]
pub struct InfoView {
    room_id: RoomId,
    seq: Seq,
    html: String,
    time: String,
    day: String,
    permalink: String,
    note: Option<&'static str>,
    groups: Vec<GroupView>,
}

#[derive(Debug, Serialize)]
struct GroupView {
    key: &'static str,
    title: &'static str,
    people: Vec<ReceiptView>,
    more: i64,
}

#[derive(Debug, Serialize)]
struct ReceiptView {
    name: String,
    initials: String,
    hue: i64,
    when: Option<String>,
    iso: Option<String>,
}

impl InfoView {
    /// What `eyes` see of the receipts of their own `message`.
    pub fn new(message: &Message, receipts: Receipts, eyes: Eyes<'_>) -> Self {
        let body = message.body.as_deref();
        Self {
            room_id: message.room,
            seq: message.seq,
            html: body.map(markup::render).unwrap_or_default(),
            time: eyes.zone.time(message.created),
            day: eyes.zone.day_label(message.created, eyes.now),
            permalink: format!("/rooms/{}?at={}", message.room, message.seq),
            note: (!eyes.sees_reads).then_some(HIDDEN),
            groups: groups(receipts, eyes),
        }
    }
}

/// Who has read it, whom else it has reached, who is left. Whoever does not see who has read sees them as reached.
fn groups(receipts: Receipts, eyes: Eyes<'_>) -> Vec<GroupView> {
    let Receipts {
        listed,
        mut read,
        mut delivered,
        waiting,
    } = receipts;
    if !eyes.sees_reads {
        (read, delivered) = (0, delivered + read);
    }
    let (mut readers, mut reached, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for receipt in &listed {
        match (receipt.read.filter(|_| eyes.sees_reads), receipt.delivered) {
            (Some(when), _) => readers.push(person(receipt, when, eyes)),
            (None, Some(when)) => reached.push(person(receipt, when, eyes)),
            (None, None) => others.push(person(receipt, None, eyes)),
        }
    }
    let group = |key, title, people: Vec<_>, all: i64| GroupView {
        key,
        title,
        more: all - i64::try_from(people.len()).unwrap_or(all),
        people,
    };
    let all = [
        group("read", "Read by", readers, read),
        group("delivered", "Delivered to", reached, delivered),
        group("waiting", "Not yet", others, waiting),
    ];
    let is_shown = |group: &GroupView| match group.key {
        "read" => eyes.sees_reads,
        "waiting" => waiting > 0,
        _ => true,
    };
    all.into_iter().filter(is_shown).collect()
}

fn person(receipt: &Receipt, when: Option<When>, eyes: Eyes<'_>) -> ReceiptView {
    let name = &receipt.person.name;
    let at = when.map(|when| match when {
        When::At(at) | When::By(at) => at,
    });
    ReceiptView {
        name: name.to_string(),
        initials: initials(name),
        hue: hue(receipt.person.id.0),
        when: when.map(|when| match when {
            When::At(at) => eyes.zone.moment_label(at, eyes.now),
            When::By(at) => format!("by {}", eyes.zone.moment_label(at, eyes.now)),
        }),
        iso: at.map(iso),
    }
}
