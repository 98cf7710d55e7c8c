//! What is checked before anything is sent, over every transport: who comes, from which page, into which room, and
//! whether they may. It knows nothing of what they get then.

use std::{sync::Arc, time::Duration};

use poem::Request;
use serde::Deserialize;

use super::{
    Reader,
    connections::{Opening, Transport},
    feed::Visit,
    frames::Tops,
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

/// Which room, how far the page has seen it and the lobby, and which rows stand at the top of its lists.
#[derive(Debug, Default, Deserialize)]
pub struct Position {
    room: Option<String>,
    rev: Option<String>,
    at: Option<String>,
    chats: Option<String>,
    rooms: Option<String>,
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
    let room = match position.room.as_deref() {
        Some(id) => {
            let id = RoomId::parse(id).map_err(|_| Error::NotFound)?;
            Some(site.app.chat.room_for(user.id(), id).await?)
        }
        None => None,
    };
    let rev = Rev(number(position.rev.as_deref())?);
    let resumed = room.as_ref().and_then(|room| last_seen(req, room.id));
    // A page that does not say when it was made gets no lobby lines but those that change from now on.
    let now = site.app.clock.now();
    let at = position.at.as_deref();
    let at = at.map_or(Ok(now.0), |at| number(Some(at)))?;
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
    let top = |id: Option<&str>| id.and_then(|id| RoomId::parse(id).ok());
    let tops = Tops {
        chats: top(position.chats.as_deref()),
        rooms: top(position.rooms.as_deref()),
    };
    let reader = Reader::new(site.clone(), who, look.zone, room, rev).topped(tops);
    Ok(Visit {
        reader,
        at: UnixMillis(at),
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
