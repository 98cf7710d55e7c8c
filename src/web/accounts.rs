//! Signing in and out; the colours of the pages.

use cookie::{Cookie, SameSite, time::Duration};
use poem::{
    IntoResponse, Request, Response, handler,
    http::{HeaderValue, StatusCode, header},
    web::Data,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tower_sessions::Session;

use super::{
    Site,
    error::Problem,
    extract::{self, ClientAddress, CurrentUser, Look, Theme, Wants},
    forms::{Fields, Form, Query},
    html,
    page::Page,
    redirect, security,
};
use crate::{
    domain::{
        accounts::{Credentials, SESSION_USER, Sessions},
        names,
    },
    error::Error,
    ids::{RoomId, UserId},
};

/// What is said after a new password was set by a link.
const CHANGED: &str = "Your password was changed. Sign in with it.";

/// A form that came back: what was typed, and what to say about it.
#[derive(Debug, Default, Serialize)]
struct FormView<'a> {
    username: &'a str,
    next: &'a str,
    error: Option<&'static str>,
    notice: Option<&'static str>,
}

#[derive(Serialize)]
struct SignInPage<'a> {
    page: Page,
    form: &'a FormView<'a>,
}

/// What the sign-in form sends.
#[derive(Deserialize)]
pub struct SignIn {
    username: String,
    password: String,
    #[serde(default)]
    next: String,
}

impl Fields for SignIn {
    const LIMIT: usize = 8 * 1024;
}

/// Where to go after signing in; whether it follows a new password.
#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
    changed: Option<String>,
}

#[handler]
pub async fn sign_in_page(
    Data(site): Data<&Arc<Site>>,
    Query(query): Query<Next>,
    look: Look,
) -> Result<Response, Problem> {
    if site.app.chat.is_fresh().await? {
        return Ok(redirect("/signup"));
    }
    let form = FormView {
        next: local_path(&query.next),
        notice: query.changed.map(|_| CHANGED),
        ..FormView::default()
    };
    Ok(sign_in_form(site, &look, &form))
}

#[handler]
pub async fn sign_in(
    req: &Request,
    Data(site): Data<&Arc<Site>>,
    address: ClientAddress,
    look: Look,
    Form(form): Form<SignIn>,
) -> Result<Response, Problem> {
    let folded = names::fold(&form.username);
    site.limits.sign_in(address, &folded).await?;
    let chat = &site.app.chat;
    let signed_in = chat.sign_in(&form.username, &form.password).await;
    // Asked for known and unknown names alike, so that it tells nothing by the time that it takes.
    let known = chat.user_named(&form.username).await.ok();
    let known = known.as_ref().map(|user| &user.person);
    let user = match signed_in {
        Ok(Some(by)) if enter(req, site, &by).await? => by.id,
        Ok(_) => {
            security::tell("sign_in_failed", known, address);
            let counted = site.limits.wrong_password(address, &folded).await;
            if counted.is_err() {
                security::tell("sign_in_locked", known, address);
            }
            counted?;
            return Ok(not_signed_in(site, &look, &form));
        }
        Err(err) => {
            if matches!(err, Error::Forbidden { .. }) {
                security::tell("sign_in_refused", known, address);
            }
            return Err(err.into());
        }
    };
    security::tell("signed_in", known, address);
    let next = local_path(&form.next);
    let is_theirs = is_open_to(site, user, next).await?;
    Ok(redirect(if is_theirs { next } else { "/" }))
}

fn not_signed_in(site: &Site, look: &Look, form: &SignIn) -> Response {
    let view = FormView {
        username: &form.username,
        next: local_path(&form.next),
        error: Some(Problem::WrongPassword.words().1),
        notice: None,
    };
    let mut answer = sign_in_form(site, look, &view);
    answer.set_status(StatusCode::UNPROCESSABLE_ENTITY);
    answer
}

/// Whether somebody may see this path: it may come from the page of whoever sat here before.
async fn is_open_to(site: &Site, user: UserId, path: &str) -> Result<bool, Error> {
    let Some(room) = path.strip_prefix("/rooms/") else {
        return Ok(true);
    };
    let id = room.split(['/', '?', '#']).next().unwrap_or_default();
    let Ok(id) = RoomId::parse(id) else {
        return Ok(false);
    };
    match site.app.chat.room_for(user, id).await {
        Ok(_) => Ok(true),
        Err(Error::NotFound) => Ok(false),
        Err(err) => Err(err),
    }
}

#[handler]
pub async fn sign_out(
    req: &Request,
    Data(site): Data<&Arc<Site>>,
    user: Result<CurrentUser, poem::Error>,
) -> Result<Response, Problem> {
    extract::session(req)?.flush().await.map_err(not_kept)?;
    if let Ok(user) = user {
        site.signed_in.remove(&user.session());
        let session = Sessions::name(&user.session());
        site.app.chat.session_ended(user.id(), &session);
    }
    Ok(redirect("/signin"))
}

/// What the theme switch sends.
#[derive(Deserialize)]
pub struct ThemeForm {
    theme: String,
}

impl Fields for ThemeForm {}

#[handler]
pub async fn set_theme(
    Data(site): Data<&Arc<Site>>,
    wants: Wants,
    Form(form): Form<ThemeForm>,
) -> Result<Response, Problem> {
    let theme = Theme::parse(&form.theme);
    let cookie = Cookie::build(("theme", theme.as_str()))
        .path("/")
        .same_site(SameSite::Lax)
        .secure(site.https);
    let cookie = cookie
        .http_only(true)
        .max_age(Duration::days(365))
        .build()
        .to_string();
    let mut answer = if wants.fragment() {
        let refresh = StatusCode::NO_CONTENT.with_header("hx-refresh", "true");
        refresh.into_response()
    } else {
        redirect("/")
    };
    let cookie = HeaderValue::from_str(&cookie).map_err(|err| Error::Internal(err.to_string()))?;
    answer.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(answer)
}

/// Signs somebody in, unless what they signed in by has ended meanwhile: a password that is changed, or an account that
/// is closed, while it is being checked opens nothing.
async fn enter(req: &Request, site: &Site, by: &Credentials) -> Result<bool, Problem> {
    let session = bind(req, by.id).await?;
    session.save().await.map_err(not_kept)?;
    if site.app.chat.still_signs_in(by).await? {
        return Ok(true);
    }
    session.flush().await.map_err(not_kept)?;
    Ok(false)
}

/// Binds a fresh session id to this person: whoever knew the old id knows nothing.
pub(super) async fn bind(req: &Request, user: UserId) -> Result<&Session, Problem> {
    let session = extract::session(req)?;
    session.cycle_id().await.map_err(not_kept)?;
    session
        .insert(SESSION_USER, user.0)
        .await
        .map_err(not_kept)?;
    Ok(session)
}

fn not_kept(err: tower_sessions::session::Error) -> Problem {
    Error::Unavailable(err.to_string()).into()
}

fn sign_in_form(site: &Site, look: &Look, form: &FormView<'_>) -> Response {
    let page = Page::anonymous(site, look, "Sign in · Tertulia".into());
    html(
        site.templates
            .render("accounts/signin.html", SignInPage { page, form }),
    )
}

/// `next` if it is a path of this site, else the lobby: never another host, another scheme or a broken header.
fn local_path(next: &str) -> &str {
    let is_local = next.starts_with('/') && !next.starts_with("//");
    let is_plain = next
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_local && is_plain { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_signing_in_one_stays_on_this_site() {
        assert_eq!(local_path("/rooms/7?at=3"), "/rooms/7?at=3");
        for next in [
            "",
            "//evil",
            "/\\evil",
            "https:evil",
            "javascript:alert(1)",
            "/x\r\nSet-Cookie: a=b",
            "rooms/7",
            "/é",
        ] {
            assert_eq!(local_path(next), "/", "{next:?}");
        }
    }
}
