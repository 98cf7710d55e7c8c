//! The ways from one conversation to another by the keyboard: the switcher, and the chat before or after the open one.
//! It knows the lobby as it is shown, not how it came to be.

use std::sync::Arc;

use poem::{
    IntoResponse, Request, Response, handler,
    http::{StatusCode, Uri},
    web::{Data, Path},
};
use serde::{Deserialize, Serialize};

use super::{
    Site,
    error::Problem,
    extract::{CurrentUser, Look},
    forms::Query,
    html, redirect,
    rooms::lobby_view,
    views::RowView,
};
use crate::ids::RoomId;

/// The most lines that the switcher shows: who looks for more writes another letter.
const MOST: usize = 12;

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
pub struct Words {
    #[serde(default)]
    q: String,
}

#[derive(Serialize)]
struct Found {
    words: String,
    rows: Vec<RowView>,
}

/// The chats, rooms and people whose names have the words in them, the newest first.
#[handler]
pub async fn switcher(
    Data(site): Data<&Arc<Site>>,
    user: CurrentUser,
    look: Look,
    Query(Words { q: words }): Query<Words>,
) -> Result<Response, Problem> {
    let lobby = lobby_view(site, &user, &look, None).await?;
    let rows = lobby.find(&words, MOST);
    Ok(html(
        site.templates
            .render("rooms/_switcher.html", Found { words, rows }),
    ))
}

/// The chat before or after the open one, in the order of the lobby; or the nearest one with something unread, all
/// around. Nothing, when there is none.
#[handler]
pub async fn go(
    req: &Request,
    Data(site): Data<&Arc<Site>>,
    user: CurrentUser,
    look: Look,
    Path(way): Path<String>,
) -> Result<Response, Problem> {
    let lobby = lobby_view(site, &user, &look, None).await?;
    let open = open_room(req);
    let next = match way.as_str() {
        "next" => lobby.after(open),
        "previous" => lobby.before(open),
        "next-unread" => lobby.unread_after(open),
        "previous-unread" => lobby.unread_before(open),
        _ => return Err(crate::error::Error::NotFound.into()),
    };
    Ok(match next {
        Some(room) => redirect(&format!("/rooms/{room}")),
        // The page would put this address into its history, though it shows what it showed.
        None => StatusCode::NO_CONTENT
            .with_header("hx-push-url", "false")
            .into_response(),
    })
}

/// Which room the page shows that asks, as it says itself.
fn open_room(req: &Request) -> Option<RoomId> {
    let page = req.header("hx-current-url").or(req.header("referer"))?;
    let page = page.parse::<Uri>().ok()?;
    RoomId::parse(page.path().strip_prefix("/rooms/")?).ok()
}
