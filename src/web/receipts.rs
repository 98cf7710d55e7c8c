//! How far somebody has read, what they mark as unread, what they do not want to be told of; and how far others
//! have come with a message.

use std::sync::Arc;

use poem::{IntoResponse, Response, handler, http::StatusCode, web::Data};
use serde::{Deserialize, Serialize};

use super::{
    Site,
    error::Problem,
    extract::{Look, Member, Place, Wants},
    forms::{Fields, Form},
    html,
    page::Page,
    redirect,
    rooms::eyes,
    views::{InfoView, MenuView, RoomView},
};
use crate::{domain::receipts::Mute, error::Error, ids::Seq};

/// What a page sends once its room was looked at.
#[derive(Deserialize)]
pub struct ReadUpTo {
    seq: String,
}

impl Fields for ReadUpTo {}

/// For how long a room is muted.
#[derive(Deserialize)]
pub struct MuteFor {
    r#for: String,
}

impl Fields for MuteFor {}

#[derive(Serialize)]
struct InfoFragment {
    info: InfoView,
}

#[derive(Serialize)]
struct InfoPage {
    page: Page,
    room: RoomView,
    info: InfoView,
}

#[derive(Serialize)]
struct Menu {
    room: MenuView,
}

#[handler]
pub async fn read(
    Data(site): Data<&Arc<Site>>,
    member: Member,
    Form(form): Form<ReadUpTo>,
) -> Result<StatusCode, Problem> {
    site.limits.receipt(member.user.id()).await?;
    let seq =
        Seq::parse(&form.seq).map_err(|_| Error::invalid("seq", "This is no message's number."))?;
    let user = member.user.id();
    site.app
        .chat
        .mark_read_with_others(member.room, user, seq)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who has read one's own message, and whom it has reached.
#[handler]
pub async fn info(
    Data(site): Data<&Arc<Site>>,
    member: Member,
    Place(seq): Place,
    look: Look,
    wants: Wants,
) -> Result<Response, Problem> {
    let Member { user, room } = member;
    let (message, receipts) = site.app.chat.receipts(&room, user.id(), seq).await?;
    let info = InfoView::new(&message, receipts, eyes(site, &user, &look));
    if wants.fragment() {
        let fragment = InfoFragment { info };
        return Ok(html(site.templates.render("messages/_info.html", fragment)));
    }
    let page = Page::of(site, user.user(), &look, "Message info · Tertulia".into());
    let room = RoomView::new(&room, user.id());
    let model = InfoPage { page, room, info };
    Ok(html(site.templates.render("messages/info.html", model)))
}

/// Marks the room as unread from one message on, and leaves it: an open conversation would be read again at once.
#[handler]
pub async fn mark_unread(
    Data(site): Data<&Arc<Site>>,
    member: Member,
    Place(seq): Place,
) -> Result<Response, Problem> {
    let Member { user, room } = member;
    site.limits.receipt(user.id()).await?;
    site.app.chat.message(&room, seq).await?;
    site.app.chat.mark_unread(&room, user.id(), seq).await?;
    Ok(redirect("/"))
}

/// Marks the room as unread from the newest message of somebody else on, and leaves it.
#[handler]
pub async fn mark_room_unread(
    Data(site): Data<&Arc<Site>>,
    member: Member,
) -> Result<Response, Problem> {
    let Member { user, room } = member;
    site.limits.receipt(user.id()).await?;
    site.app.chat.mark_newest_unread(&room, user.id()).await?;
    Ok(redirect("/"))
}

#[handler]
pub async fn mute(
    Data(site): Data<&Arc<Site>>,
    member: Member,
    look: Look,
    wants: Wants,
    Form(form): Form<MuteFor>,
) -> Result<Response, Problem> {
    let Member { user, room } = member;
    site.limits.receipt(user.id()).await?;
    let mute = Mute::parse(&form.r#for)?;
    let until = site.app.chat.mute(&room, user.id(), mute).await?;
    if !wants.fragment() {
        return Ok(redirect(&format!("/rooms/{}", room.id)));
    }
    let room = MenuView::new(room.id, until, eyes(site, &user, &look));
    let menu = site.templates.render("rooms/_menu.html", Menu { room });
    Ok(html(menu).into_response())
}
