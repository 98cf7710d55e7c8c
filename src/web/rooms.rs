//! The lobby and the room pages.

use std::sync::Arc;

use poem::{Request, Response, handler, web::Data};
use serde::{Deserialize, Serialize};

use super::{
    Site,
    error::Problem,
    extract::{CurrentUser, Look, Member, Wants},
    forms::{Fields, Form, Query},
    html,
    page::{self, Page},
    redirect,
    views::{ComposerView, Eyes, HistoryView, LobbyView, RoomView, SeenView},
};
use crate::{
    clock::UnixMillis,
    domain::receipts::Position,
    error::Error,
    ids::{Rev, RoomId, Seq},
    records::Floors,
};

/// Where the live element of a page begins.
#[derive(Debug, Serialize)]
struct Live {
    rev: Rev,
    delivered: Seq,
    read: Seq,
}

impl Live {
    fn new(rev: Rev, floors: Floors) -> Self {
        Self {
            rev,
            delivered: floors.delivered,
            read: floors.read,
        }
    }
}

#[derive(Serialize)]
struct LobbyPage {
    page: Page,
    lobby: LobbyView,
    live: Live,
}

/// A room's page, or without the lobby its pane alone.
#[derive(Serialize)]
struct RoomPage {
    page: Page,
    lobby: Option<LobbyView>,
    room: RoomView,
    history: HistoryView,
    composer: ComposerView,
    live: Live,
}

#[derive(Serialize)]
struct Older {
    history: HistoryView,
}

/// Which part of a room's history is asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Part {
    before: Option<String>,
    at: Option<String>,
}

/// What the form for a new room sends.
#[derive(Deserialize)]
pub struct NewRoom {
    name: String,
}

impl Fields for NewRoom {}

/// What choosing a person sends.
#[derive(Deserialize)]
pub struct NewDirect {
    username: String,
}

impl Fields for NewDirect {}

#[handler]
pub async fn show_lobby(
    Data(site): Data<&Arc<Site>>,
    user: CurrentUser,
    look: Look,
    wants: Wants,
) -> Result<Response, Problem> {
    let lobby = lobby_view(site, &user, &look, None).await?;
    let page = Page::of(site, user.user(), &look, page::title(lobby.total, None));
    let live = Live::new(Rev(0), Floors::default());
    let model = LobbyPage { page, lobby, live };
    let template = if wants.fragment() {
        "rooms/_empty.html"
    } else {
        "rooms/lobby.html"
    };
    Ok(html(site.templates.render(template, model)))
}

#[handler]
pub async fn show_room(
    req: &Request,
    Data(site): Data<&Arc<Site>>,
    member: Member,
    look: Look,
    wants: Wants,
    Query(part): Query<Part>,
) -> Result<Response, Problem> {
    let place = |text: Option<String>| {
        text.map(|text| Seq::parse(&text).map_err(|_| Problem::Malformed))
            .transpose()
    };
    let older_only = wants.fragment()
        && req
            .headers()
            .get("hx-target")
            .is_some_and(|target| target == "li#older");
    match (place(part.before)?, place(part.at)?) {
        (Some(before), None) if older_only => older(site, &member, &look, before).await,
        (before, at) => {
            room_page(
                site,
                &member,
                &look,
                &wants,
                before,
                at,
                ComposerView::empty(member.room.id),
            )
            .await
        }
    }
}

/// A room's page or its conversation pane: the newest messages, those before one, or those around one.
pub async fn room_page(
    site: &Arc<Site>,
    member: &Member,
    look: &Look,
    wants: &Wants,
    before: Option<Seq>,
    at: Option<Seq>,
    composer: ComposerView,
) -> Result<Response, Problem> {
    let Member { user, room } = member;
    let (chat, version) = (&site.app.chat, site.version());
    let eyes = Eyes {
        floors: chat.floors(room).await?,
        ..eyes(site, user, look)
    };
    let (seen_seq, muted_until) = chat.seen_seq(room, user.id()).await?;
    let (history, rev) = match (before, at) {
        (_, Some(at)) => {
            let found = chat.around(room, at).await?;
            (
                HistoryView::new(room, &found, eyes).around(room, at, &found),
                found.rev,
            )
        }
        (Some(before), None) => {
            let found = chat.before(room, before).await?;
            (
                HistoryView::new(room, &found, eyes).around(room, before, &found),
                found.rev,
            )
        }
        (None, None) => {
            let found = chat.newest(room, seen_seq).await?;
            let last = found.messages.last().map_or(Seq(0), |last| last.seq);
            (
                HistoryView::new(room, &found, eyes).with_divider(seen_seq, last, &found),
                found.rev,
            )
        }
    };
    let presence = match room.peer(user.id()) {
        Some(peer) => Some(SeenView::new(chat.seen(peer.id).await?, eyes)),
        None => None,
    };
    let head = RoomView::new(room, user.id()).opened(presence, muted_until, eyes);
    let live = Live::new(rev, eyes.floors.seen_by(eyes.sees_reads));
    if wants.fragment() {
        let total = total(site, user).await?;
        let page = Page::of(
            site,
            user.user(),
            look,
            page::title(total, Some(&head.name)),
        );
        let model = RoomPage {
            page,
            lobby: None,
            room: head,
            history,
            composer,
            live,
        };
        return Ok(html(
            site.templates.render("rooms/_conversation.html", model),
        ));
    }
    let lobby = lobby_view(site, user, look, Some(room.id))
        .await?
        .of(version);
    let page = Page::of(
        site,
        user.user(),
        look,
        page::title(lobby.total, Some(&head.name)),
    );
    let model = RoomPage {
        page,
        lobby: Some(lobby),
        room: head,
        history,
        composer,
        live,
    };
    Ok(html(site.templates.render("rooms/room.html", model)))
}

async fn older(
    site: &Arc<Site>,
    member: &Member,
    look: &Look,
    before: Seq,
) -> Result<Response, Problem> {
    let chat = &site.app.chat;
    let found = chat.before(&member.room, before).await?;
    let eyes = Eyes {
        floors: chat.floors(&member.room).await?,
        ..eyes(site, &member.user, look)
    };
    let history = HistoryView::new(&member.room, &found, eyes);
    Ok(html(
        site.templates
            .render("messages/_history.html", Older { history }),
    ))
}

#[handler]
pub async fn create_room(
    Data(site): Data<&Arc<Site>>,
    user: CurrentUser,
    Form(form): Form<NewRoom>,
) -> Result<Response, Problem> {
    site.limits.room(user.id()).await?;
    let id = site.app.chat.create_room(&form.name).await?;
    Ok(redirect(&format!("/rooms/{id}")))
}

#[handler]
pub async fn open_direct(
    Data(site): Data<&Arc<Site>>,
    user: CurrentUser,
    Form(form): Form<NewDirect>,
) -> Result<Response, Problem> {
    site.limits.room(user.id()).await?;
    let id = site.app.chat.open_direct(user.id(), &form.username).await?;
    Ok(redirect(&format!("/rooms/{id}")))
}

/// How the viewer of this request sees things, now.
pub fn eyes<'a>(site: &'a Site, user: &CurrentUser, look: &'a Look) -> Eyes<'a> {
    Eyes {
        user: user.id(),
        zone: &look.zone,
        now: site.app.clock.now(),
        floors: Floors::default(),
        sees_reads: site.app.chat.sees_reads(user.user().privacy),
        presence: Some(site.app.chat.presence()).filter(|_| user.user().privacy.presence),
    }
}

/// The lobby as this person sees it, with the room `open` highlighted.
pub async fn lobby_view(
    site: &Site,
    user: &CurrentUser,
    look: &Look,
    open: Option<RoomId>,
) -> Result<LobbyView, Error> {
    let version = site.version();
    let lobby = site.app.chat.lobby(user.id(), UnixMillis(0)).await?;
    Ok(LobbyView::new(&lobby, open, eyes(site, user, look)).of(version))
}

async fn total(site: &Site, user: &CurrentUser) -> Result<i64, Error> {
    let (positions, now) = (
        site.app.chat.positions(user.id()).await?,
        site.app.clock.now(),
    );
    let told = positions.iter().filter(|it| !it.is_muted(now));
    Ok(told.map(Position::unread).sum())
}
