//! What every request passes on its way in and every answer on its way out.
//!
//! In: a host that is ours, a method that exists, no other site's page behind a change. Out: the baseline headers,
//! a request id, errors as a page or a fragment, one log line for what went wrong.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::FutureExt;
use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header},
};

use super::{
    Site,
    error::{self, Problem},
    extract::Wants,
    names::{is_our_host, is_our_origin},
    refusal::{Refusal, Wrong},
};
use crate::{error::Error, listener::BASELINE};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// How much of a path is in the log, and of each of its words, in bytes: no secret in a link is shorter than this.
const LONGEST_PATH: usize = 200;
const LONGEST_WORD: usize = 20;

/// Guards everything behind it.
pub struct Guard(pub Arc<Site>);

impl<E: Endpoint> Middleware<E> for Guard {
    type Output = GuardEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        GuardEndpoint {
            inner,
            site: self.0.clone(),
        }
    }
}

/// A guarded endpoint: it always has an answer.
pub struct GuardEndpoint<E> {
    inner: E,
    site: Arc<Site>,
}

impl<E: Endpoint> Endpoint for GuardEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut req: Request) -> poem::Result<Response> {
        let asked = Asked::of(&req);
        let wants = Wants::of(&req);
        let is_asset = req.uri().path().starts_with("/assets/");
        req.extensions_mut().insert(self.site.clone());
        self.site.proxies.name_untrusted(&self.site, &req);
        let outcome = match admit(&self.site, &req) {
            Ok(()) => AssertUnwindSafe(self.inner.call(req)).catch_unwind().await,
            Err(problem) => Ok(Err(problem.into())),
        };
        let (mut answer, problem) = match outcome {
            Ok(Ok(answer)) => (answer.into_response(), None),
            Ok(Err(err)) => self.explain(&wants, &asked.id, Problem::from_poem(err)),
            Err(_) => {
                let problem = Error::Internal("a handler panicked".into());
                self.explain(&wants, &asked.id, problem.into())
            }
        };
        dress(&self.site, answer.headers_mut(), &asked.id, is_asset);
        let status = answer.status().as_u16();
        self.site.answers.count(status);
        asked.log(&self.site, status, problem.as_ref());
        Ok(answer)
    }
}

impl<E> GuardEndpoint<E> {
    fn explain(&self, wants: &Wants, id: &str, problem: Problem) -> (Response, Option<Problem>) {
        let answer = error::render(&self.site, wants, id, &problem);
        (answer, Some(problem))
    }
}

/// What the log says of a request.
struct Asked {
    id: String,
    method: Method,
    path: String,
    since: Instant,
}

impl Asked {
    fn of(req: &Request) -> Self {
        Self {
            id: format!("{:016x}", rand::random::<u64>()),
            method: req.method().clone(),
            path: without_secrets(req.uri().path()),
            since: Instant::now(),
        }
    }

    /// One line for whatever was not answered as asked, under the number that the answer bears.
    fn log(&self, site: &Site, status: u16, problem: Option<&Problem>) {
        let Self {
            id,
            method,
            path,
            since,
        } = self;
        let took = since.elapsed();
        match problem {
            Some(problem) if problem.is_fault() => tracing::error!(
                request.id = id, %method, ?path, status, ?took, error = %problem, "a request failed"
            ),
            Some(Problem::Refused(refusal)) if site.refusals.tell(refusal, id) => {}
            Some(problem) if status >= 400 => tracing::info!(
                request.id = id, %method, ?path, status, ?took, why = %problem, "not answered as asked"
            ),
            None if status >= 400 => {
                tracing::info!(request.id = id, %method, ?path, status, ?took, "not answered as asked");
            }
            _ => tracing::debug!(request.id = id, %method, ?path, status, ?took, "answered"),
        }
    }
}

/// A path as the log may have it: cut, and without the long words that a link for one person may have in it.
fn without_secrets(path: &str) -> String {
    let words = path
        .split('/')
        .map(|word| match word.len() <= LONGEST_WORD {
            true => word,
            false => "…",
        });
    let path = words.collect::<Vec<_>>().join("/");
    path.chars().take(LONGEST_PATH).collect()
}

/// What programs ask that watch over the server. They know it by its address or not at all, and speak HTTP/1.0.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

fn admit(site: &Site, req: &Request) -> Result<(), Problem> {
    let (path, method) = (req.uri().path(), req.method());
    let is_reading = matches!(*method, Method::GET | Method::HEAD);
    // A refusal's page needs its style sheet, which is the same for everybody.
    if is_reading && (PROBES.contains(&path) || path.starts_with("/assets/")) {
        return Ok(());
    }
    let host = req.headers().get(header::HOST);
    // RFC 9112 section 3.2.
    if host.is_none() && req.version() == Version::HTTP_11 {
        return Err(Problem::Malformed);
    }
    let refuse = |wrong| Err(refuse(site, req, wrong));
    let name = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    match *req.method() {
        _ if host.is_none() => refuse(Wrong::NoHost),
        _ if !is_our_host(&site.app.config, name) => refuse(Wrong::Host),
        Method::GET | Method::HEAD => Ok(()),
        Method::POST | Method::PUT | Method::DELETE => from_here(site, req),
        _ => Err(Problem::Method),
    }
}

/// The refusal of a request.
fn refuse(site: &Site, req: &Request, wrong: Wrong) -> Problem {
    let refusal = Refusal::new(wrong, &site.app.config, req.headers());
    Problem::Refused(Box::new(refusal))
}

/// Refuses a request that a page of another site is behind, by `Sec-Fetch-Site` or by `Origin`. Programs that send
/// neither are no browsers, which is whom other sites could use.
///
/// # Errors
/// `Refused`.
pub fn from_here(site: &Site, req: &Request) -> Result<(), Problem> {
    let (origin, site_word) = (text(req, header::ORIGIN), text(req, SEC_FETCH_SITE));
    let is_elsewhere = !matches!(site_word, None | Some("same-origin" | "none"));
    match origin {
        Some("null") if !is_elsewhere => Err(refuse(site, req, Wrong::HiddenOrigin)),
        _ if is_elsewhere => Err(refuse(site, req, Wrong::OtherSite)),
        Some(origin) => is_ours(site, req, origin),
        None => Ok(()),
    }
}

/// The same for what every browser sends `Origin` with, so that nobody may leave it out.
///
/// # Errors
/// `Refused`.
pub fn from_our_page(site: &Site, req: &Request) -> Result<(), Problem> {
    match text(req, header::ORIGIN) {
        None => Err(refuse(site, req, Wrong::NoOrigin)),
        Some("null") => Err(refuse(site, req, Wrong::HiddenOrigin)),
        Some(origin) => is_ours(site, req, origin),
    }
}

fn is_ours(site: &Site, req: &Request, origin: &str) -> Result<(), Problem> {
    let host = text(req, header::HOST).unwrap_or_default();
    match is_our_origin(&site.app.config, origin, host) {
        true => Ok(()),
        false => Err(refuse(site, req, Wrong::Origin)),
    }
}

/// A header's text; of one that is none, a word that is nobody's.
fn text(req: &Request, name: HeaderName) -> Option<&str> {
    let value = req.headers().get(name)?;
    Some(value.to_str().unwrap_or("unreadable"))
}

/// Gives an answer the baseline, its id, and the word on whether it may be kept.
fn dress(site: &Site, headers: &mut HeaderMap, id: &str, is_asset: bool) {
    for (name, value) in BASELINE {
        // A page may ask for less to be told of it, not for more.
        let own = headers.entry(name);
        own.or_insert(HeaderValue::from_static(value));
    }
    if site.https {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    if !is_asset || !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::VARY, HeaderValue::from_static("HX-Request"));
    }
    headers.insert(
        "x-request-id",
        HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("unknown")),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_the_log_is_short_and_has_no_secret_in_it() {
        assert_eq!(without_secrets("/rooms/7/messages"), "/rooms/7/messages");
        let link = "/password/0123456789abcdef0123456789abcdef";
        assert_eq!(without_secrets(link), "/password/…");
        assert_eq!(without_secrets(&"/a".repeat(1000)).len(), LONGEST_PATH);
    }
}
