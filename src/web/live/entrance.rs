//! What is checked before anything is sent, over every transport: who comes, from which page, into which room, and
//! whether they may. It knows nothing of what they get then.

use std::{sync::Arc, time::Duration};

use poem::Request;
use serde::Deserialize;

use super::{
    Afresh, Reader,
    connections::{Opening, Transport},
    feed::Visit,
};
use crate::{
    clock::UnixMillis,
    error::Error,
    ids::{Rev, RoomId},
    web::{
        Site,
        error::Problem,
        extract::{ClientAddress, CurrentUser, Look},
    },
};

/// Which room, how far the page has seen it and the lobby, and of which build and which past it is. Who does not say the
/// last is taken at their word.
#[derive(Debug, Default, Deserialize)]
pub struct Position {
    room: Option<String>,
    rev: Option<String>,
    at: Option<String>,
    version: Option<String>,
}

/// Lets somebody in.
///
/// # Errors
/// `NotFound` for a room that is not for them, `TooMany` for one connection too many, `Stopping`, `Malformed`.
pub(super) async fn admit(
    site: &Arc<Site>,
    req: &Request,
    (user, look): (&CurrentUser, Look),
    position: &Position,
    transport: Transport,
) -> Result<Visit, Problem> {
    if site.app.draining.is_cancelled() {
        return Err(Problem::Stopping);
    }
    // Before anything is read that it names.
    let version = site.version();
    let mut afresh = position
        .version
        .as_deref()
        .filter(|known| *known != version)
        .map(|known| Afresh {
            is_other_build: !site.is_of_this_build(known),
            is_gone: false,
        });
    let room = match position.room.as_deref() {
        Some(id) => {
            let id = RoomId::parse(id).map_err(|_| Error::NotFound)?;
            match (site.app.chat.room_for(user.id(), id).await, &mut afresh) {
                (Err(Error::NotFound), Some(afresh)) => {
                    afresh.is_gone = true;
                    None
                }
                (room, _) => Some(room?),
            }
        }
        None => None,
    };
    let rev = Rev(number(position.rev.as_deref())?);
    let resumed = room.as_ref().and_then(|room| last_seen(req, room.id));
    // Who does not say what they know of the lobby gets what changed in it a moment ago.
    let now = site.app.clock.now();
    let at = position.at.as_deref();
    let at = match at {
        Some(at) => UnixMillis(number(Some(at))?),
        None => site.app.chat.lobby_cursor().await?,
    };
    site.limits.connect(user.id()).await?;
    let opening = Opening {
        person: user.person().clone(),
        session: user.session(),
        room: room.clone(),
        transport,
        from: ClientAddress::exact(site, req),
        since: now,
    };
    let most = site.limits.most_connections();
    let connection = site.connections.open(opening, most).ok_or(Error::TooMany {
        retry_after: Duration::from_secs(30),
    })?;
    let (who, rev) = ((user.user(), user.session()), resumed.unwrap_or(rev));
    let reader = Reader::new(site.clone(), who, look.zone, room, rev).of(version, afresh);
    Ok(Visit {
        reader,
        at,
        connection,
    })
}

/// Up to where a stream of this room was followed that broke off: `Last-Event-ID` is `ROOM:REV`. It is newer than what
/// the page's address says.
fn last_seen(req: &Request, room: RoomId) -> Option<Rev> {
    let (of, rev) = req.header("last-event-id")?.split_once(':')?;
    if RoomId::parse(of).ok()? != room {
        return None;
    }
    number(Some(rev)).ok().map(Rev)
}

fn number(text: Option<&str>) -> Result<i64, Problem> {
    match text {
        None | Some("0") => Ok(0),
        Some(text) => Rev::parse(text)
            .map(|rev| rev.0)
            .map_err(|_| Problem::Malformed),
    }
}
