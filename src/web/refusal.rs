//! Refusals by `Host`, `Origin` or `Sec-Fetch-Site`: what they say to the person who sees one, to whoever runs the
//! server, and to the log. Nearly all of them come from a proxy that is not set up yet, and each says how to do that.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use poem::http::{HeaderMap, HeaderName, header};
use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::names::{Authority, Origin};
use crate::config::Config;

/// How much of a header is shown in the log, in characters.
const SHOWN: usize = 120;
/// How long the same refusal is not told again, and how many different ones are remembered for that.
const AGAIN: Duration = Duration::from_secs(60);
const REMEMBERED: usize = 256;
/// How many lines the log takes of all of them together: so many at once, then one each [`PACE`].
const AT_ONCE: u32 = 20;
const PACE: Duration = Duration::from_secs(6);

/// What is wrong with where a request is for, or where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// It does not say for which host it is.
    NoHost,
    /// It is for a host that this is not.
    Host,
    /// The page behind it is of another origin than the host that it is for, and nothing says that this is on purpose.
    Origin,
    /// The browser hides which page is behind it.
    HiddenOrigin,
    /// It does not say which page is behind it, and a browser would have.
    NoOrigin,
    /// The browser says that a page of another site is behind it.
    OtherSite,
}

/// A request that is refused, with what it said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    wrong: Wrong,
    host: Option<String>,
    origin: Option<String>,
    fetch_site: Option<String>,
    expected: String,
    advice: String,
}

impl Refusal {
    /// A refusal of a request with these headers.
    pub fn new(wrong: Wrong, config: &Config, headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| {
            let value = headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let (host, origin) = (text(header::HOST), text(header::ORIGIN));
        Self {
            advice: advice(wrong, config, host.as_deref(), origin.as_deref()),
            expected: expected(wrong, config, host.as_deref()),
            fetch_site: text(HeaderName::from_static("sec-fetch-site")),
            wrong,
            host,
            origin,
        }
    }

    /// Whether the request came to the wrong place, rather than from one.
    pub fn is_misdirected(&self) -> bool {
        matches!(self.wrong, Wrong::NoHost | Wrong::Host)
    }

    /// What to tell the person: a heading and a sentence.
    pub fn words(&self) -> (&'static str, &'static str) {
        match self.wrong {
            Wrong::NoHost | Wrong::Host => (
                "Wrong address",
                "This server does not answer under that name.",
            ),
            Wrong::Origin => (
                "Refused",
                "This server does not know the address that you opened, so it takes what you send for a request of \
                 another site. Nothing was changed.",
            ),
            Wrong::HiddenOrigin | Wrong::NoOrigin => (
                "Refused",
                "Your browser did not say which page this came from. Nothing was changed.",
            ),
            Wrong::OtherSite => (
                "Refused",
                "This request came from another site. Open the page here and try again.",
            ),
        }
    }

    /// What the page tells whoever runs the server. Nothing of what the request said is in it: the log has that.
    pub fn advice(&self) -> &'static str {
        match self.wrong {
            Wrong::NoHost => {
                "The request does not say which server it is for: let the proxy pass the Host header on (nginx: \
                 proxy_set_header Host $host;)."
            }
            Wrong::Host => {
                "If people are to open it by this address, start Tertulia with --public-url and the address, or with \
                 --host and its name if it is one of several. If only a proxy calls it so, let the proxy pass the Host \
                 header on (nginx: proxy_set_header Host $host;)."
            }
            Wrong::Origin => {
                "The page has another address than the one that its request came for. Start Tertulia with --public-url \
                 and the address that people open, and let the proxy pass the Host header on (nginx: proxy_set_header \
                 Host $host;)."
            }
            Wrong::HiddenOrigin => HIDDEN,
            Wrong::NoOrigin => NO_ORIGIN,
            Wrong::OtherSite => OTHER_SITE,
        }
    }

    fn log(&self, request_id: &str, more: u64) {
        let shown = |text: &Option<String>| {
            let text = text.as_deref().unwrap_or("none");
            text.chars().take(SHOWN).collect::<String>()
        };
        let header = match self.wrong {
            Wrong::NoHost | Wrong::Host => "Host",
            Wrong::Origin | Wrong::HiddenOrigin | Wrong::NoOrigin => "Origin",
            Wrong::OtherSite => "Sec-Fetch-Site",
        };
        let (host, origin) = (shown(&self.host), shown(&self.origin));
        let (fetch_site, expected, advice) =
            (shown(&self.fetch_site), &self.expected, &self.advice);
        tracing::warn!(
            request.id = request_id, ?host, ?origin, sec_fetch_site = ?fetch_site, more_before = more,
            "refused by its {header}; expected {expected}. {advice}"
        );
    }
}

fn expected(wrong: Wrong, config: &Config, host: Option<&str>) -> String {
    let public = config.public_url.as_ref().map(ToString::to_string);
    let hosts = config.hosts.iter().map(|host| host.as_str().to_owned());
    match wrong {
        Wrong::NoHost | Wrong::Host => {
            let public = config.public_url.as_ref().map(|it| it.authority.clone());
            let names = public.into_iter().chain(hosts);
            let plain = "localhost or an address".to_owned();
            names.chain([plain]).collect::<Vec<_>>().join(", ")
        }
        Wrong::Origin | Wrong::HiddenOrigin | Wrong::NoOrigin => {
            let host = host.and_then(Authority::parse);
            let host = host.map(|host| format!("that of {host}"));
            host.into_iter()
                .chain(public)
                .chain(hosts)
                .collect::<Vec<_>>()
                .join(", ")
        }
        Wrong::OtherSite => "same-origin".into(),
    }
}

/// What nginx has to be told; most other proxies pass the name on by themselves.
const PASS_HOST_ON: &str =
    "let the proxy pass the Host header on (nginx: proxy_set_header Host $host;)";

/// The same for the log, with the names that came.
fn advice(wrong: Wrong, config: &Config, host: Option<&str>, origin: Option<&str>) -> String {
    let public = config.public_url.as_ref();
    match wrong {
        Wrong::NoHost => {
            format!("The request does not say which server it is for: {PASS_HOST_ON}.")
        }
        Wrong::Host => match (host.and_then(Authority::parse), public) {
            (None, _) => format!("The request names no host that could be one: {PASS_HOST_ON}."),
            (Some(host), None) => format!(
                "If people are to open it as {host}, start Tertulia with --public-url https://{host} (http:// without \
                 TLS), or with --host {} for one name of several. If only a proxy calls it so, {PASS_HOST_ON}.",
                host.name
            ),
            (Some(host), Some(public)) => format!(
                "Its address is {public}. If people are to open it as {host} too, start Tertulia with --host {}. If \
                 only a proxy calls it so, {PASS_HOST_ON}.",
                host.name
            ),
        },
        Wrong::Origin => match (
            origin.and_then(Origin::parse),
            host.and_then(Authority::parse),
        ) {
            (Some(origin), Some(host)) => foreign_origin(&origin, &host, public.is_some()),
            _ => "The request names no page on the web.".into(),
        },
        Wrong::HiddenOrigin => HIDDEN.into(),
        Wrong::NoOrigin => NO_ORIGIN.into(),
        Wrong::OtherSite => OTHER_SITE.into(),
    }
}

const HIDDEN: &str = "Browsers hide the page when a proxy sets Referrer-Policy to no-referrer, or when it is shown inside \
    another one: let the proxy leave that header as Tertulia sends it.";
const NO_ORIGIN: &str = "Browsers send Origin: if this was one, let the proxy pass that header on.";
const OTHER_SITE: &str = "Nothing needs to be set if that is another site's page. If it is a page of this chat under \
    another name, let people open it under one name only.";

fn foreign_origin(origin: &Origin, host: &Authority, has_public_url: bool) -> String {
    let or_host = match has_public_url {
        true => format!(
            " (or with --host {} for one name of several)",
            origin.at.name
        ),
        false => String::new(),
    };
    // Without its port nginx's $host is another origin.
    let pass_on = match origin.at.port {
        Some(_) => PASS_HOST_ON.replace("$host", "$http_host"),
        None => PASS_HOST_ON.into(),
    };
    format!(
        "The page is of {origin}, but its request came for {host}. If people open the chat as {origin}, start Tertulia \
         with --public-url {origin}{or_host}, and {pass_on}."
    )
}

/// Tells the log of refusals: the same at most once a minute, all of them at a pace that no flood can change.
#[derive(Debug)]
pub struct RefusalLog {
    told: Cache<(Wrong, Option<String>, Option<String>), Instant>,
    pace: DefaultDirectRateLimiter,
    untold: AtomicU64,
}

impl Default for RefusalLog {
    fn default() -> Self {
        let quota = Quota::with_period(PACE).expect("the pace is not zero");
        let at_once = AT_ONCE.try_into().expect("so many is not zero");
        Self {
            told: Cache::new(REMEMBERED),
            pace: RateLimiter::direct(quota.allow_burst(at_once)),
            untold: AtomicU64::new(0),
        }
    }
}

impl RefusalLog {
    /// Writes its line if it is time for one; returns whether it did.
    pub fn tell(&self, refusal: &Refusal, request_id: &str) -> bool {
        let short =
            |text: &Option<String>| text.as_ref().map(|it| it.chars().take(SHOWN).collect());
        let key = (refusal.wrong, short(&refusal.host), short(&refusal.origin));
        let was_told = self.told.get(&key).is_some_and(|at| at.elapsed() < AGAIN);
        if was_told || self.pace.check().is_err() {
            self.untold.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.told.insert(key, Instant::now());
        refusal.log(request_id, self.untold.swap(0, Ordering::Relaxed));
        true
    }
}
