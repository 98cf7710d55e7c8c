//! What handlers take from a request: who asks, in which room, for a page or a fragment, from where.
//! Forms and queries are read by [`forms`](super::forms).

use std::sync::Arc;

use poem::{
    FromRequest, Request, RequestBody,
    http::{HeaderMap, Method, header},
};
use tower_sessions::{Session, session::Id};

pub use super::client_address::ClientAddress;
use super::{Site, error::Problem, zone::Zone};
use crate::{
    domain::accounts::SESSION_USER,
    error::Error,
    ids::{RoomId, Seq, UserId},
    records::{Person, Room, User},
};

/// Who is signed in. Without a session the answer is 401, or the way to the sign-in page.
#[derive(Debug, Clone)]
pub struct CurrentUser {
    user: Arc<User>,
    session: Id,
}

impl CurrentUser {
    /// Who, and their name.
    pub fn person(&self) -> &Person {
        &self.user.person
    }

    /// Who, with what they let others see.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// By which session.
    pub fn session(&self) -> Id {
        self.session
    }

    /// Who.
    pub fn id(&self) -> UserId {
        self.user.person.id
    }
}

impl<'a> FromRequest<'a> for CurrentUser {
    async fn from_request(req: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(current_user(req).await?)
    }
}

async fn current_user(req: &Request) -> Result<CurrentUser, Problem> {
    let site = site(req)?;
    let session = session(req)?;
    let id = session.id().ok_or(Problem::SignedOut)?;
    if let Some(user) = site.signed_in.get(&id) {
        return Ok(CurrentUser { user, session: id });
    }
    let failed =
        |err: tower_sessions::session::Error| Problem::from(Error::Unavailable(err.to_string()));
    let user = session
        .get::<i64>(SESSION_USER)
        .await
        .map_err(failed)?
        .ok_or(Problem::SignedOut)?;
    let user = match site.app.chat.user(UserId(user)).await {
        Err(Error::NotFound) => return Err(Problem::SignedOut),
        Ok(user) if user.is_banned => return Err(Problem::SignedOut),
        found => Arc::new(found?),
    };
    site.signed_in.insert(id, user.clone());
    Ok(CurrentUser { user, session: id })
}

/// Someone in a room that is for them. A room that is not is a 404, exactly as one that does not exist.
#[derive(Debug, Clone)]
pub struct Member {
    /// Who.
    pub user: CurrentUser,
    /// Where.
    pub room: Arc<Room>,
}

impl<'a> FromRequest<'a> for Member {
    async fn from_request(req: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let user = current_user(req).await?;
        let id = req
            .raw_path_param("id")
            .and_then(|id| RoomId::parse(id).ok())
            .ok_or(Problem::from(Error::NotFound))?;
        let room = site(req)?
            .app
            .chat
            .room_for(user.id(), id)
            .await
            .map_err(Problem::from)?;
        Ok(Self { user, room })
    }
}

/// The message that the address names.
#[derive(Debug, Clone, Copy)]
pub struct Place(pub Seq);

impl<'a> FromRequest<'a> for Place {
    async fn from_request(req: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let seq = req
            .raw_path_param("seq")
            .and_then(|seq| Seq::parse(seq).ok());
        Ok(Self(seq.ok_or(Problem::from(Error::NotFound))?))
    }
}

/// What the asker can use: a fragment for htmx, or a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wants {
    /// htmx swaps the answer into a page.
    Fragment,
    /// A browser shows the answer, and could come back to `path` after signing in.
    Page {
        /// The local path asked for, if it can be asked for again.
        path: Option<String>,
    },
}

impl Wants {
    /// Read from a request's head. A history restore asks for a page also through htmx.
    pub fn of(req: &Request) -> Self {
        let has = |name: &str, value: &str| req.headers().get(name).is_some_and(|it| it == value);
        if has("hx-request", "true") && !has("hx-request-type", "full") {
            return Self::Fragment;
        }
        let path = req
            .original_uri()
            .path_and_query()
            .map(|path| path.as_str());
        let comes_back =
            req.method() == Method::GET && !path.is_some_and(|path| path.starts_with("/live"));
        Self::Page {
            path: path.filter(|_| comes_back).map(Into::into),
        }
    }

    /// Whether htmx asks.
    pub fn fragment(&self) -> bool {
        *self == Self::Fragment
    }
}

impl<'a> FromRequest<'a> for Wants {
    async fn from_request(req: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self::of(req))
    }
}

/// How the viewer wants pages to look: colours, and the calendar that days and times are told by.
#[derive(Debug, Clone)]
pub struct Look {
    /// Colours.
    pub theme: Theme,
    /// Calendar.
    pub zone: Zone,
}

/// The colours of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// As cookies and templates spell it; `Auto` for anything else.
    pub fn parse(text: &str) -> Self {
        match text {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }

    /// As cookies and templates spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Default for Look {
    fn default() -> Self {
        Self {
            theme: Theme::Auto,
            zone: Zone::named("UTC"),
        }
    }
}

impl<'a> FromRequest<'a> for Look {
    async fn from_request(req: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let theme = cookie(req.headers(), "theme").map_or(Theme::Auto, |text| Theme::parse(&text));
        let zone = Zone::named(&cookie(req.headers(), "tz").unwrap_or_default());
        Ok(Self { theme, zone })
    }
}

/// The value of the first cookie of this name.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|header| header.to_str().ok());
    let found = all
        .flat_map(cookie::Cookie::split_parse_encoded)
        .flatten()
        .find(|cookie| cookie.name() == name);
    found.map(|cookie| cookie.value().to_string())
}

/// The site that serves this request.
pub fn site(req: &Request) -> Result<&Arc<Site>, Problem> {
    req.data::<Arc<Site>>()
        .ok_or_else(|| Error::Internal("a request without its site".into()).into())
}

/// The session of this request, which may be empty.
pub fn session(req: &Request) -> Result<&Session, Problem> {
    req.data::<Session>()
        .ok_or_else(|| Error::Internal("a request without its session".into()).into())
}
