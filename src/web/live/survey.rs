//! Who is connected to a node, as it tells its administrator, here or on another node.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    connections::{Connections, Facts, Transport},
    totals::Total,
};
use crate::{clock::UnixMillis, ids::UserId, records::RoomKind};

/// How many connections of one node are listed, newest first; the totals count all.
const LISTED: usize = 500;

/// Who is connected to one node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Survey {
    /// What the node is called, where there may be others.
    pub node: Option<String>,
    /// Whose connections they are.
    pub people: Vec<UserId>,
    /// How many events wait for them.
    pub queued: usize,
    /// The totals by transport; the bytes count those that are open, too.
    pub totals: Vec<(Transport, Total)>,
    /// The newest, newest first.
    pub lines: Vec<Line>,
}

/// One connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// Its number on its node.
    pub id: u64,
    /// Whose.
    pub person: String,
    /// Where: of a chat of two only that it is one, for who writes to whom is nobody else's business.
    pub room: Option<String>,
    /// How.
    pub transport: Transport,
    /// Since when.
    pub since: UnixMillis,
    /// How many events wait for it.
    pub queued: usize,
    /// How many bytes it was sent.
    pub bytes: u64,
    /// When the browser last answered.
    pub heard: Option<UnixMillis>,
    /// From where.
    pub from: String,
}

impl Survey {
    /// Of all that are open here; `most` are listed at most.
    pub fn of(connections: &Connections, node: Option<String>) -> Self {
        let (open, totals) = connections.survey();
        let mut people: Vec<_> = open.iter().map(|it| it.opening.person.id).collect();
        people.sort();
        people.dedup();
        let total = |transport| {
            let open = open.iter().filter(|it| it.opening.transport == transport);
            let sent = open.map(|it| it.bytes()).sum::<u64>();
            let total = totals.of(transport);
            let bytes = total.bytes + sent;
            (transport, Total { bytes, ..total })
        };
        Self {
            node,
            people,
            queued: open.iter().map(|it| it.queued()).sum(),
            totals: Transport::ALL.map(total).to_vec(),
            lines: open.iter().rev().take(LISTED).map(line).collect(),
        }
    }

    /// How many are open.
    pub fn open(&self) -> u64 {
        self.totals.iter().map(|(_, total)| total.open()).sum()
    }
}

fn line(facts: &Arc<Facts>) -> Line {
    let opening = &facts.opening;
    let room = opening.room.as_ref().map(|room| match &room.kind {
        RoomKind::Public { name } => name.to_string(),
        RoomKind::Direct { .. } => "A chat".into(),
    });
    Line {
        id: facts.id,
        person: opening.person.name.to_string(),
        room,
        transport: opening.transport,
        since: opening.since,
        queued: facts.queued(),
        bytes: facts.bytes(),
        heard: facts.heard(),
        from: opening.from.to_string(),
    }
}
