//! Whether each room of the two databases counts 1, 2, 3 … without holes, and both alike.

use sea_orm::ConnectionTrait;

use super::unreadable;
use crate::store::check;

/// Refuses a database, called `which`, in which a room's numbers have a hole.
pub(super) async fn must_be_right(db: &impl ConnectionTrait, which: &str) -> Result<(), String> {
    let faults = check::numbers(db).await.map_err(unreadable)?;
    match faults.first() {
        Some(fault) => Err(format!("in {which}, {fault}. Nothing was kept")),
        None => Ok(()),
    }
}

/// Refuses two databases whose rooms do not end alike.
pub(super) async fn must_agree(
    old: &impl ConnectionTrait,
    new: &impl ConnectionTrait,
) -> Result<(), String> {
    let old = check::rooms(old).await.map_err(unreadable)?;
    let new = check::rooms(new).await.map_err(unreadable)?;
    match old == new {
        true => Ok(()),
        false => Err("the rooms of the two databases do not end alike. Nothing was kept".into()),
    }
}
