//! Sessions on poem: the cookie in, `tower_sessions::Session` for the handlers, the cookie out.
//!
//! A request that does not touch its session costs no query.

use std::sync::Arc;

use cookie::{Cookie, SameSite, time::Duration as CookieDuration};
use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response,
    http::{HeaderValue, header},
};
use tower_sessions::{Expiry, Session, session::Id};

use super::{Site, error::Problem, extract};
use crate::error::Error;

/// How long somebody stays signed in.
const LIFETIME: time::Duration = time::Duration::days(30);

/// Gives every request its session.
pub struct Sessions(pub Arc<Site>);

impl<E: Endpoint> Middleware<E> for Sessions {
    type Output = SessionsEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        SessionsEndpoint {
            inner,
            site: self.0.clone(),
        }
    }
}

/// An endpoint whose requests have sessions.
pub struct SessionsEndpoint<E> {
    inner: E,
    site: Arc<Site>,
}

impl<E: Endpoint> Endpoint for SessionsEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut req: Request) -> poem::Result<Response> {
        let name = &self.site.cookie_name;
        let id = extract::cookie(req.headers(), name).and_then(|text| text.parse::<Id>().ok());
        let session = Session::new(
            id,
            self.site.app.sessions.clone(),
            Some(Expiry::OnInactivity(LIFETIME)),
        );
        req.extensions_mut().insert(session.clone());
        let mut answer = self.inner.call(req).await?.into_response();
        let ended = id.is_some() && session.is_empty().await;
        if (ended || session.is_modified()) && !answer.status().is_server_error() {
            let cookie = keep(&self.site, &session, id, ended).await?;
            let cookie = HeaderValue::from_str(&cookie.to_string())
                .map_err(|err| Problem::from(Error::Internal(err.to_string())))?;
            answer.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(answer)
    }
}

/// Saves a changed session, or forgets one that has ended, and says so to the browser.
async fn keep(
    site: &Site,
    session: &Session,
    before: Option<Id>,
    ended: bool,
) -> Result<Cookie<'static>, Problem> {
    let failed =
        |err: tower_sessions::session::Error| Problem::from(Error::Unavailable(err.to_string()));
    if let Some(before) = before {
        site.signed_in.remove(&before);
    }
    let base = |value: String| {
        Cookie::build((site.cookie_name.clone(), value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(site.https)
    };
    if ended {
        return Ok(base(String::new()).max_age(CookieDuration::ZERO).build());
    }
    session.save().await.map_err(failed)?;
    let id = session
        .id()
        .ok_or_else(|| Problem::from(Error::Internal("a saved session has no id".into())))?;
    Ok(base(id.to_string())
        .max_age(CookieDuration::seconds(LIFETIME.whole_seconds()))
        .build())
}
