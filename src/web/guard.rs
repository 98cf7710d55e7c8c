//! What every request passes on its way in and every answer on its way out.
//!
//! In: a host that is ours, a method that exists, no other site's page behind a change. Out: the baseline headers,
//! a request id, errors as a page or a fragment, one log line for what went wrong.

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::FutureExt;
use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
};

use super::{
    Site,
    error::{self, Problem},
    extract::Wants,
};
use crate::{error::Error, listener::BASELINE};

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
        let id = format!("{:016x}", rand::random::<u64>());
        let (wants, started) = (Wants::of(&req), Instant::now());
        let (method, path) = (req.method().clone(), req.uri().path().to_string());
        let is_asset = req.uri().path().starts_with("/assets/");
        req.extensions_mut().insert(self.site.clone());
        let outcome = match admit(&self.site, &req) {
            Ok(()) => AssertUnwindSafe(self.inner.call(req)).catch_unwind().await,
            Err(problem) => Ok(Err(problem.into())),
        };
        let mut answer = match outcome {
            Ok(Ok(answer)) => answer.into_response(),
            Ok(Err(err)) => error::render(&self.site, &wants, &id, &Problem::from_poem(err)),
            Err(_) => error::render(
                &self.site,
                &wants,
                &id,
                &Error::Internal("a handler panicked".into()).into(),
            ),
        };
        dress(&self.site, answer.headers_mut(), &id, is_asset);
        let (status, took) = (answer.status().as_u16(), started.elapsed());
        tracing::debug!(request.id = %id, %method, path = ?path, status, ?took, "answered");
        Ok(answer)
    }
}

fn admit(site: &Site, req: &Request) -> Result<(), Problem> {
    let host = req
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let host = host.to_ascii_lowercase();
    if !is_ours(site, &host) {
        return Err(Problem::Misdirected);
    }
    match *req.method() {
        Method::GET | Method::HEAD => Ok(()),
        Method::POST | Method::PUT | Method::DELETE if is_cross_site(req.headers(), &host) => {
            Err(Problem::CrossSite)
        }
        Method::POST | Method::PUT | Method::DELETE => Ok(()),
        _ => Err(Problem::Method),
    }
}

/// The configured name, or one that no other site's DNS can point here: loopback names and plain addresses.
fn is_ours(site: &Site, host: &str) -> bool {
    if site
        .app
        .config
        .public_url
        .as_ref()
        .is_some_and(|public| public.authority == host)
    {
        return true;
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.ends_with(".localhost") || address.parse::<IpAddr>().is_ok()
}

/// Whether a page of another origin is behind a change: by `Sec-Fetch-Site` or by `Origin` against the host.
pub fn is_cross_site(headers: &HeaderMap, host: &str) -> bool {
    let text = |name: HeaderName| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or("unreadable"))
    };
    let foreign_fetch = text(HeaderName::from_static("sec-fetch-site"))
        .is_some_and(|site| !matches!(site, "same-origin" | "none"));
    let foreign_origin = text(header::ORIGIN).is_some_and(|origin| !is_origin_of(origin, host));
    foreign_fetch || foreign_origin
}

/// Whether `origin` is the origin of pages that come from `host`.
pub fn is_origin_of(origin: &str, host: &str) -> bool {
    let authority = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
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
    fn an_origin_is_scheme_and_host() {
        assert!(is_origin_of(
            "http://ada.localhost:8000",
            "ada.localhost:8000"
        ));
        assert!(is_origin_of("https://Chat.example.org", "chat.example.org"));
        for origin in [
            "null",
            "",
            "http://evil",
            "http://ada.localhost:8000.evil",
            "http://ada.localhost",
            "//ada.localhost:8000",
        ] {
            assert!(!is_origin_of(origin, "ada.localhost:8000"), "{origin}");
        }
    }

    #[test]
    fn a_change_from_another_site_is_known_by_either_header() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs
                .iter()
                .map(|(name, value)| {
                    (
                        HeaderName::from_static(name),
                        HeaderValue::from_static(value),
                    )
                })
                .collect::<HeaderMap>()
        };
        let host = "127.0.0.1:8000";
        assert!(!is_cross_site(&headers(&[]), host));
        assert!(!is_cross_site(
            &headers(&[
                ("sec-fetch-site", "same-origin"),
                ("origin", "http://127.0.0.1:8000")
            ]),
            host
        ));
        for pair in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "null"),
            ("origin", "http://evil"),
        ] {
            assert!(is_cross_site(&headers(&[pair]), host), "{pair:?}");
        }
    }
}
