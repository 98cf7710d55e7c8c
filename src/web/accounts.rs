//! Signing up, in and out; the colours of the pages.

use cookie::{Cookie, SameSite, time::Duration};
use poem::{
    IntoResponse, Request, Response, handler,
    http::{HeaderValue, StatusCode, header},
    web::Data,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::{
    Site,
    error::Problem,
    extract::{self, ClientAddress, CurrentUser, Look, Theme, Wants},
    forms::{Fields, Form, Query},
    html,
    page::Page,
    redirect,
};
use crate::{
    config::Signup,
    domain::{
        accounts::{SESSION_USER, Sessions},
        names,
    },
    error::Error,
    ids::{RoomId, UserId},
};

/// A form that came back: what was typed, and what to say about it.
#[derive(Debug, Default, Serialize)]
struct FormView<'a> {
    username: &'a str,
    next: &'a str,
    error: Option<&'static str>,
}

#[derive(Serialize)]
struct SignInPage<'a> {
    page: Page,
    form: &'a FormView<'a>,
}

#[derive(Serialize)]
struct SignUpPage<'a> {
    page: Page,
    form: &'a FormView<'a>,
    first: bool,
    open: bool,
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

/// What the sign-up form sends.
#[derive(Deserialize)]
pub struct SignUp {
    username: String,
    password: String,
}

impl Fields for SignUp {
    const LIMIT: usize = 8 * 1024;
}

/// Where to go after signing in.
#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
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
    let Some(user) = site
        .app
        .chat
        .sign_in(&form.username, &form.password)
        .await?
    else {
        site.limits.wrong_password(address, &folded).await?;
        let view = FormView {
            username: &form.username,
            next: local_path(&form.next),
            error: Some(Problem::WrongPassword.words().1),
        };
        let mut answer = sign_in_form(site, &look, &view);
        answer.set_status(StatusCode::UNPROCESSABLE_ENTITY);
        return Ok(answer);
    };
    enter(req, user.0).await?;
    let next = local_path(&form.next);
    let is_theirs = is_open_to(site, user, next).await?;
    Ok(redirect(if is_theirs { next } else { "/" }))
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
pub async fn sign_up_page(Data(site): Data<&Arc<Site>>, look: Look) -> Result<Response, Problem> {
    sign_up_form(site, &look, &FormView::default()).await
}

#[handler]
pub async fn sign_up(
    req: &Request,
    Data(site): Data<&Arc<Site>>,
    address: ClientAddress,
    look: Look,
    Form(form): Form<SignUp>,
) -> Result<Response, Problem> {
    site.limits.sign_up(address).await?;
    if site.app.config.signup == Signup::Closed && !site.app.chat.is_fresh().await? {
        return Err(Error::Forbidden {
            words: "Sign-up is closed here. Ask whoever runs this chat.",
        }
        .into());
    }
    let (words, status) = match site.app.chat.sign_up(&form.username, &form.password).await {
        Ok(user) => {
            enter(req, user.person.id.0).await?;
            return Ok(redirect("/"));
        }
        Err(Error::Invalid { words, .. }) => (words, StatusCode::UNPROCESSABLE_ENTITY),
        Err(Error::Conflict { words }) => (words, StatusCode::CONFLICT),
        Err(err) => return Err(err.into()),
    };
    let view = FormView {
        username: &form.username,
        error: Some(words),
        ..FormView::default()
    };
    let mut answer = sign_up_form(site, &look, &view).await?;
    answer.set_status(status);
    Ok(answer)
}

#[handler]
pub async fn sign_out(
    req: &Request,
    Data(site): Data<&Arc<Site>>,
    user: Result<CurrentUser, poem::Error>,
) -> Result<Response, Problem> {
    let failed = |err: tower_sessions::session::Error| Error::Unavailable(err.to_string());
    extract::session(req)?.flush().await.map_err(failed)?;
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

/// Binds a fresh session id to this person: whoever knew the old id knows nothing.
async fn enter(req: &Request, user: i64) -> Result<(), Problem> {
    let session = extract::session(req)?;
    let failed =
        |err: tower_sessions::session::Error| Problem::from(Error::Unavailable(err.to_string()));
    session.cycle_id().await.map_err(failed)?;
    session.insert(SESSION_USER, user).await.map_err(failed)
}

fn sign_in_form(site: &Site, look: &Look, form: &FormView<'_>) -> Response {
    let page = Page::anonymous(site, look, "Sign in · Tertulia".into());
    html(
        site.templates
            .render("accounts/signin.html", SignInPage { page, form }),
    )
}

async fn sign_up_form(site: &Site, look: &Look, form: &FormView<'_>) -> Result<Response, Problem> {
    let first = site.app.chat.is_fresh().await?;
    let open = first || site.app.config.signup == Signup::Open;
    let page = Page::anonymous(site, look, "Create an account · Tertulia".into());
    Ok(html(site.templates.render(
        "accounts/signup.html",
        SignUpPage {
            page,
            form,
            first,
            open,
        },
    )))
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
