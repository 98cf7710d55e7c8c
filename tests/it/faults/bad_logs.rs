//! Logs made by hand, each with one thing wrong: the checker finds it, and finds nothing in a good one.

use super::checker::{Finding, Kind, Steps, check};
use super::log::{Entry, Line};
use crate::support::ticks::Floors;

fn line(seq: u64, rev: u64, text: &str) -> Line {
    Line {
        seq,
        rev,
        text: Some(text.to_owned()),
    }
}

fn deleted(seq: u64, rev: u64) -> Line {
    Line {
        seq,
        rev,
        text: None,
    }
}

fn sent(key: &str, body: &str) -> Entry {
    Entry::Sent {
        key: key.to_owned(),
        body: body.to_owned(),
    }
}

fn acknowledged(key: &str, seq: u64, rev: u64) -> Entry {
    Entry::Acknowledged {
        key: key.to_owned(),
        seq,
        rev,
    }
}

fn changing(seq: u64, body: Option<&str>) -> Entry {
    Entry::Changing {
        seq,
        body: body.map(str::to_owned),
    }
}

fn changes(rev: u64, lines: &[Line]) -> Entry {
    Entry::Changes {
        rev,
        lines: lines.to_vec(),
    }
}

fn afresh(rev: u64, lines: &[Line]) -> Entry {
    Entry::Afresh {
        rev,
        lines: lines.to_vec(),
    }
}

fn opened(rev: u64) -> Entry {
    let by = "websocket";
    Entry::Opened { rev, by }
}

fn floors(delivered: u64, read: u64) -> Entry {
    Entry::Floors(Floors { delivered, read })
}

/// Ada posts three messages, edits the first, deletes the second.
fn ada() -> Vec<Entry> {
    vec![
        sent("a", "one"),
        acknowledged("a", 1, 1),
        sent("b", "two"),
        Entry::Failed { status: None },
        acknowledged("b", 2, 2),
        changing(1, Some("uno")),
        Entry::Changed { seq: 1, rev: 3 },
        sent("c", "three"),
        acknowledged("c", 3, 4),
        changing(2, None),
        Entry::Changed { seq: 2, rev: 5 },
    ]
}

/// Ben sees the first two, goes away and comes back.
fn ben() -> Vec<Entry> {
    vec![
        afresh(0, &[]),
        opened(0),
        floors(0, 0),
        changes(1, &[line(1, 1, "one")]),
        changes(2, &[line(2, 2, "two")]),
        floors(2, 1),
        opened(2),
        changes(4, &[line(1, 3, "uno"), line(3, 4, "three")]),
        floors(3, 3),
        changes(5, &[deleted(2, 5)]),
    ]
}

/// Cem's page came afresh in between.
fn cem() -> Vec<Entry> {
    vec![
        afresh(0, &[]),
        opened(0),
        afresh(3, &[line(2, 2, "two")]),
        changes(4, &[line(3, 4, "three")]),
        changes(5, &[deleted(2, 5)]),
    ]
}

fn history() -> Vec<Line> {
    vec![line(1, 3, "uno"), deleted(2, 5), line(3, 4, "three")]
}

/// What is found when Ben's log differs in this.
#[track_caller]
fn ben_finds(kind: Kind, at: usize, entries: &[Entry]) {
    let mut log = ben();
    log.splice(at..=at, entries.iter().cloned());
    finds(kind, &[ada(), log, cem()], &history());
}

#[track_caller]
fn ada_finds(kind: Kind, at: usize, entries: &[Entry]) {
    let mut log = ada();
    log.splice(at..=at, entries.iter().cloned());
    finds(kind, &[log, ben(), cem()], &history());
}

#[track_caller]
fn history_finds(kind: Kind, history: &[Line]) {
    finds(kind, &[ada(), ben(), cem()], history);
}

#[track_caller]
fn finds(kind: Kind, logs: &[Vec<Entry>], history: &[Line]) {
    let found = check(logs, history, Steps::One);
    assert!(
        found.iter().any(|finding| finding.kind == kind),
        "{found:?}"
    );
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(check(&[ada(), ben(), cem()], &history(), Steps::One), []);
}

#[test]
fn what_was_not_answered_may_be_there_or_not() {
    let mut log = ada();
    log.push(sent("d", "four"));
    assert_eq!(
        check(&[log.clone(), ben(), cem()], &history(), Steps::One),
        []
    );
    let there = [history(), vec![line(4, 6, "four")]].concat();
    assert_eq!(check(&[log], &there, Steps::One), []);
}

#[test]
fn a_lost_message_is_found() {
    history_finds(Kind::Lost, &history()[..2]);
    ada_finds(Kind::Lost, 8, &[acknowledged("c", 4, 6)]);
}

#[test]
fn a_message_with_the_text_of_another_is_found() {
    let history = [line(1, 3, "uno"), deleted(2, 5), line(3, 4, "one")];
    history_finds(Kind::Lost, &history);
}

#[test]
fn a_lost_edit_and_a_lost_deletion_are_found() {
    let (uno, three) = (line(1, 3, "uno"), line(3, 4, "three"));
    history_finds(
        Kind::Lost,
        &[line(1, 1, "one"), deleted(2, 5), three.clone()],
    );
    history_finds(Kind::Lost, &[uno, line(2, 2, "two"), three]);
}

#[test]
fn a_doubled_message_is_found() {
    history_finds(
        Kind::Doubled,
        &[history(), vec![line(4, 6, "three")]].concat(),
    );
    history_finds(
        Kind::Doubled,
        &[history(), vec![line(3, 4, "three")]].concat(),
    );
    ada_finds(
        Kind::Doubled,
        8,
        &[acknowledged("c", 3, 4), acknowledged("c", 4, 6)],
    );
}

#[test]
fn a_change_shown_twice_is_found() {
    ben_finds(
        Kind::Doubled,
        9,
        &[changes(5, &[line(3, 4, "three"), deleted(2, 5)])],
    );
    ben_finds(
        Kind::Reordered,
        4,
        &[
            changes(2, &[line(2, 2, "two")]),
            changes(2, &[line(2, 2, "two")]),
        ],
    );
}

#[test]
fn another_order_is_found() {
    let history = [deleted(2, 5), line(1, 3, "uno"), line(3, 4, "three")];
    history_finds(Kind::Reordered, &history);
    ada_finds(Kind::Reordered, 4, &[acknowledged("b", 1, 2)]);
    ben_finds(Kind::Reordered, 3, &[changes(1, &[line(2, 1, "two")])]);
}

#[test]
fn a_hole_in_the_numbers_is_found() {
    history_finds(Kind::Holed, &[line(1, 3, "uno"), line(3, 4, "three")]);
    history_finds(Kind::Holed, &history()[1..]);
}

#[test]
fn a_step_over_a_change_is_found() {
    // In the middle of a channel, whatever it brings.
    ben_finds(
        Kind::Holed,
        4,
        &[changes(3, &[line(2, 2, "two"), line(1, 3, "uno")])],
    );
    // When he comes back, without a change that others saw.
    ben_finds(Kind::Holed, 7, &[changes(4, &[line(3, 4, "three")])]);
    // On a page that is older than it says.
    let page = [line(1, 1, "one"), line(2, 2, "two")];
    ben_finds(Kind::Holed, 6, &[afresh(3, &page), opened(3)]);
    ben_finds(
        Kind::Holed,
        6,
        &[afresh(4, &[line(1, 3, "uno"), line(3, 4, "three")])],
    );
}

#[test]
fn on_several_nodes_a_step_over_changes_brings_all_of_them() {
    let stepping = |brought: &[Line]| -> Vec<Finding> {
        let mut log = ben();
        log.splice(3..=4, [changes(2, brought)]);
        check(&[ada(), log, cem()], &history(), Steps::Several)
    };
    let (one, two) = (line(1, 1, "one"), line(2, 2, "two"));
    assert_eq!(stepping(&[one, two.clone()]), []);
    assert_eq!(stepping(&[two])[0].kind, Kind::Holed);
}

#[test]
fn a_receipt_that_falls_or_runs_ahead_is_found() {
    ben_finds(Kind::Fallen, 8, &[floors(1, 1)]);
    ben_finds(Kind::Fallen, 8, &[floors(3, 0)]);
    ben_finds(Kind::Fallen, 8, &[floors(4, 3)]);
}

#[test]
fn what_nobody_said_is_found() {
    history_finds(
        Kind::Invented,
        &[history(), vec![line(4, 6, "four")]].concat(),
    );
    ben_finds(Kind::Invented, 4, &[changes(2, &[line(2, 2, "too")])]);
    ben_finds(Kind::Invented, 4, &[changes(2, &[deleted(1, 2)])]);
}

#[test]
fn a_screen_that_stays_behind_is_found() {
    ben_finds(Kind::Stale, 9, &[]);
    ben_finds(Kind::Stale, 9, &[changes(5, &[line(2, 5, "two")])]);
}

#[test]
fn an_answer_that_nobody_should_get_is_found() {
    let (what, status) = ("a post", 500);
    ada_finds(Kind::Refused, 3, &[Entry::Refused { what, status }]);
}
