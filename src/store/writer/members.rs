//! Who is in a room when something is posted there: how far its ticks can come.

use std::collections::{BTreeSet, HashSet};

use sea_orm::{DatabaseTransaction, FromQueryResult, Value};

use super::setback::Attempt;
use crate::{
    ids::{RoomId, UserId},
    records::Audience,
    store::statement,
};

/// Members of a room, as many as it takes to tell what audience an author has.
#[derive(Debug, Default)]
pub(super) struct Members {
    any: Vec<UserId>,
    readers: Vec<UserId>,
}

impl Members {
    /// Who is there besides `author`.
    pub fn audience(&self, author: UserId) -> Audience {
        let has_other = |members: &[UserId]| members.iter().any(|member| *member != author);
        match (has_other(&self.any), has_other(&self.readers)) {
            (false, _) => Audience::Nobody,
            (true, false) => Audience::Silent,
            (true, true) => Audience::Readers,
        }
    }

    /// Who posts is in the room.
    pub fn add(&mut self, author: UserId, sends_receipts: bool) {
        for (list, fits) in [(&mut self.any, true), (&mut self.readers, sends_receipts)] {
            if fits && !list.contains(&author) {
                list.push(author);
            }
        }
    }
}

#[derive(FromQueryResult)]
struct MemberRow {
    user_id: i64,
    sends_receipts: bool,
}

/// Two members of a room and two who send read receipts, if it has as many.
pub(super) async fn some_members(tx: &DatabaseTransaction, room: RoomId) -> Attempt<Members> {
    let sql = "\
SELECT * FROM (SELECT user_id, sends_receipts FROM memberships
  WHERE room_id = $1 AND joined IS NOT NULL LIMIT 2) AS two
UNION ALL
SELECT * FROM (SELECT user_id, sends_receipts FROM memberships
  WHERE room_id = $1 AND joined IS NOT NULL AND sends_receipts = TRUE LIMIT 2) AS readers";
    let rows = MemberRow::find_by_statement(statement(tx, sql, [room.0.into()]))
        .all(tx)
        .await?;
    let mut members = Members::default();
    for row in rows {
        members.add(UserId(row.user_id), row.sends_receipts);
    }
    Ok(members)
}

#[derive(FromQueryResult)]
struct SilentRow {
    id: i64,
}

/// Those of `users` who send no read receipts.
pub(super) async fn silent(
    tx: &DatabaseTransaction,
    users: BTreeSet<UserId>,
) -> Attempt<HashSet<UserId>> {
    if users.is_empty() {
        return Ok(HashSet::new());
    }
    let places: Vec<String> = (1..=users.len()).map(|i| format!("${i}")).collect();
    let sql = format!(
        "SELECT id FROM users WHERE sends_receipts = FALSE AND id IN ({})",
        places.join(", ")
    );
    let values = users.into_iter().map(|user| Value::from(user.0));
    let rows = SilentRow::find_by_statement(statement(tx, &sql, values))
        .all(tx)
        .await?;
    Ok(rows.into_iter().map(|row| UserId(row.id)).collect())
}
