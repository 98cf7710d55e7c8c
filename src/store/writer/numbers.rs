//! The numbers that a batch takes in each room, and the messages that get them.
//!
//! They come from the room's own row (`UPDATE … RETURNING`), so they are without holes and in commit order on both
//! databases: whoever holds the row commits before anyone else can take the next number.

use std::collections::BTreeMap;

use sea_orm::{DatabaseTransaction, FromQueryResult};

use super::{
    NewMessage,
    members::{Members, some_members},
    plan::Plan,
    setback::Attempt,
};
use crate::{
    clock::UnixMillis,
    error::Error,
    ids::{Rev, RoomId, Seq, UserId},
    records::{Message, Previous},
    store::statement,
};

/// A room's end before this batch, moved along while its writes are numbered.
pub(super) struct End {
    pub seq: i64,
    pub rev: i64,
    /// The stamp of what is written in it by this batch, later than all before it there.
    pub at: UnixMillis,
    previous: Option<Previous>,
    members: Members,
}

#[derive(FromQueryResult)]
struct Taken {
    last_seq: i64,
    last_rev: i64,
    changed: i64,
}

#[derive(FromQueryResult)]
struct Last {
    author_id: i64,
    created: i64,
}

/// Takes all numbers that the plans need, room by room in the order of their ids (so two nodes cannot deadlock).
pub(super) async fn take_numbers(
    tx: &DatabaseTransaction,
    now: UnixMillis,
    plans: &[Plan<'_>],
) -> Attempt<BTreeMap<RoomId, End>> {
    let mut needs: BTreeMap<RoomId, (i64, i64)> = BTreeMap::new();
    for plan in plans {
        match plan {
            Plan::Post(new, _) => {
                let need = needs.entry(new.room.id).or_default();
                (need.0, need.1) = (need.0 + 1, need.1 + 1);
            }
            Plan::Edit(room, ..) | Plan::Delete(room, _) => {
                needs.entry(room.id).or_default().1 += 1
            }
            Plan::Settled(_)
            | Plan::Same(_)
            | Plan::Read(..)
            | Plan::Mark(..)
            | Plan::Delivered(_) => {}
        }
    }
    let mut ends = BTreeMap::new();
    for (room, (posts, changes)) in needs {
        let sql = "UPDATE rooms SET last_seq = last_seq + $1, last_rev = last_rev + $2, \
            changed = CASE WHEN changed < $3 THEN $3 ELSE changed + 1 END \
            WHERE id = $4 RETURNING last_seq, last_rev, changed";
        let values = [posts.into(), changes.into(), now.0.into(), room.0.into()];
        let taken = Taken::find_by_statement(statement(tx, sql, values))
            .one(tx)
            .await?;
        let taken = taken.ok_or_else(|| Error::Internal(format!("room {room} has no row")))?;
        let seq = taken.last_seq - posts;
        let mut last = None;
        let members = match posts {
            0 => Members::default(),
            _ => some_members(tx, room).await?,
        };
        if posts > 0 && seq > 0 {
            let sql = "SELECT author_id, created FROM messages WHERE room_id = $1 AND seq = $2";
            let wanted = statement(tx, sql, [room.0.into(), seq.into()]);
            last = Last::find_by_statement(wanted).one(tx).await?;
        }
        let previous = last.map(|last| Previous {
            author: UserId(last.author_id),
            created: UnixMillis(last.created),
        });
        ends.insert(
            room,
            End {
                seq,
                rev: taken.last_rev - changes,
                at: UnixMillis(taken.changed),
                previous,
                members,
            },
        );
    }
    Ok(ends)
}

/// A message at the room's end.
pub(super) fn numbered(end: &mut End, new: &NewMessage, sends_receipts: bool) -> Message {
    (end.seq, end.rev) = (end.seq + 1, end.rev + 1);
    let previous = end.previous.replace(Previous {
        author: new.author.id,
        created: end.at,
    });
    let audience = end.members.audience(new.author.id);
    end.members.add(new.author.id, sends_receipts);
    Message {
        room: new.room.id,
        seq: Seq(end.seq),
        rev: Rev(end.rev),
        author: new.author.clone(),
        body: Some(new.body.as_str().into()),
        created: end.at,
        edited: None,
        previous,
        audience,
    }
}
