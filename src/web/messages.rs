//! Posting, editing, deleting. Each answers htmx with the same fragment that everyone else gets live.

use std::sync::Arc;

use poem::{
    Response, handler,
    http::{HeaderValue, StatusCode},
    web::Data,
};
use serde::{Deserialize, Serialize};

use super::{
    Site,
    error::Problem,
    extract::{Look, Member, Place, Wants},
    forms::{Fields, Form},
    html,
    page::Page,
    redirect,
    rooms::{eyes, room_page},
    views::{ComposerView, MessageView, MessagesFrame, RoomView},
};
use crate::{
    domain::{body::MessageBody, messages::Key},
    error::Error,
    records::Message,
};

/// What the composer sends: 10,000 characters take at most 120,000 bytes as percent signs.
#[derive(Deserialize)]
pub struct NewMessage {
    body: String,
    key: String,
}

impl Fields for NewMessage {
    const LIMIT: usize = 128 * 1024;
}

/// What the edit form sends.
#[derive(Deserialize)]
pub struct NewText {
    body: String,
}

impl Fields for NewText {
    const LIMIT: usize = 128 * 1024;
}

#[derive(Serialize)]
struct EditForm<'a> {
    body: &'a str,
    error: Option<&'static str>,
}

#[derive(Serialize)]
struct EditFragment<'a> {
    message: MessageView,
    form: EditForm<'a>,
}

#[derive(Serialize)]
struct EditPage<'a> {
    page: Page,
    room: RoomView,
    message: MessageView,
    form: EditForm<'a>,
}

#[handler]
pub async fn post(
    Data(site): Data<&Arc<Site>>,
    member: Member,
    look: Look,
    wants: Wants,
    Form(form): Form<NewMessage>,
) -> Result<Response, Problem> {
    site.limits.post(member.user.id()).await?;
    let parsed = Key::parse(&form.key).and_then(|key| Ok((MessageBody::parse(&form.body)?, key)));
    let (body, key) = match parsed {
        Err(Error::Invalid { words, .. }) if !wants.fragment() => {
            let composer = ComposerView::refused(member.room.id, form.body, words);
            let mut answer = room_page(site, &member, &look, &wants, None, None, composer).await?;
            answer.set_status(StatusCode::UNPROCESSABLE_ENTITY);
            return Ok(answer);
        }
        parsed => parsed?,
    };
    let author = member.user.person().clone();
    let message = site
        .app
        .chat
        .post(member.room.clone(), author, body, key)
        .await?;
    Ok(answer(site, &member, &look, &wants, &message))
}

#[handler]
pub async fn show(
    Data(site): Data<&Arc<Site>>,
    member: Member,
    Place(seq): Place,
    look: Look,
    wants: Wants,
) -> Result<Response, Problem> {
    let message = site.app.chat.message(&member.room, seq).await?;
    Ok(answer(site, &member, &look, &wants, &message))
}

#[handler]
pub async fn edit_form(
    Data(site): Data<&Arc<Site>>,
    member: Member,
    Place(seq): Place,
    look: Look,
    wants: Wants,
) -> Result<Response, Problem> {
    let message = site
        .app
        .chat
        .own_message(&member.room, member.user.id(), seq)
        .await?;
    let body = message.body.as_deref().unwrap_or_default().to_string();
    Ok(edit_page(
        site, &member, &look, &wants, &message, &body, None,
    ))
}

#[handler]
pub async fn edit(
    Data(site): Data<&Arc<Site>>,
    member: Member,
    Place(seq): Place,
    look: Look,
    wants: Wants,
    Form(form): Form<NewText>,
) -> Result<Response, Problem> {
    let author = member.user.id();
    site.limits.post(author).await?;
    let body = match MessageBody::parse(&form.body) {
        Err(Error::Invalid { words, .. }) if !wants.fragment() => {
            let message = site.app.chat.own_message(&member.room, author, seq).await?;
            let mut answer = edit_page(
                site,
                &member,
                &look,
                &wants,
                &message,
                &form.body,
                Some(words),
            );
            answer.set_status(StatusCode::UNPROCESSABLE_ENTITY);
            return Ok(answer);
        }
        parsed => parsed?,
    };
    let message = site
        .app
        .chat
        .edit(member.room.clone(), author, seq, body)
        .await?;
    Ok(answer(site, &member, &look, &wants, &message))
}

#[handler]
pub async fn delete(
    Data(site): Data<&Arc<Site>>,
    member: Member,
    Place(seq): Place,
    look: Look,
    wants: Wants,
) -> Result<Response, Problem> {
    site.limits.post(member.user.id()).await?;
    let message = site
        .app
        .chat
        .delete(member.room.clone(), member.user.id(), seq)
        .await?;
    Ok(answer(site, &member, &look, &wants, &message))
}

/// A changed message for who changed it: the fragment, or the way back to it. The room's cursor is not theirs to move:
/// what others wrote before it may still be on its way.
fn answer(site: &Site, member: &Member, look: &Look, wants: &Wants, message: &Message) -> Response {
    let mut answer = if wants.fragment() {
        let messages = [MessageView::new(
            &member.room,
            message,
            eyes(site, &member.user, look),
        )];
        html(site.templates.render(
            "live/_messages.html",
            MessagesFrame {
                messages: &messages,
                rev: None,
            },
        ))
    } else {
        redirect(&format!("/rooms/{}#message-{}", message.room, message.seq))
    };
    answer
        .headers_mut()
        .insert("x-seq", HeaderValue::from(message.seq.0));
    answer
        .headers_mut()
        .insert("x-rev", HeaderValue::from(message.rev.0));
    answer
}

fn edit_page(
    site: &Site,
    member: &Member,
    look: &Look,
    wants: &Wants,
    message: &Message,
    body: &str,
    error: Option<&'static str>,
) -> Response {
    let form = EditForm { body, error };
    let message = MessageView::new(&member.room, message, eyes(site, &member.user, look));
    if wants.fragment() {
        return html(
            site.templates
                .render("messages/_edit.html", EditFragment { message, form }),
        );
    }
    let room = RoomView::new(&member.room, member.user.id());
    let page = Page::of(
        site,
        member.user.user(),
        look,
        "Edit message · Tertulia".into(),
    );
    html(site.templates.render(
        "messages/edit.html",
        EditPage {
            page,
            room,
            message,
            form,
        },
    ))
}
