//! `/metrics`: how the server is, for programs that watch over it. Who may read it, and what is in it.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use poem::{FromRequest, Request, RequestBody, Response, handler, http::header, web::Data};
use sha2::{Digest, Sha256};

use super::{
    Site,
    client_address::{Peer, peer},
    error::Problem,
    extract,
    live::Transport,
};
use crate::{domain::Condition, error::Error, realtime::Redis, version::VERSION};

mod exposition;
mod process;

use exposition::{Exposition, Kind::Counter, Kind::Gauge};

/// How many requests were answered, by the first digit of the status.
#[derive(Debug, Default)]
pub struct Answers([AtomicU64; 5]);

impl Answers {
    const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

    /// One more.
    pub fn count(&self, status: u16) {
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(count) = self.0.get(class) {
            count.fetch_add(1, Relaxed);
        }
    }
}

/// Whoever may read the metrics: one with the token, or a program on this machine that no proxy speaks for.
#[derive(Debug)]
pub struct Meter;

impl<'a> FromRequest<'a> for Meter {
    async fn from_request(req: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let site = extract::site(req)?;
        if has_token(site, req) || is_local(site, req) {
            Ok(Self)
        } else {
            Err(Problem::from(Error::NotFound).into())
        }
    }
}

/// Compared by their hashes, which tell nothing by the time that it takes.
fn has_token(site: &Site, req: &Request) -> bool {
    let hash = |text: &str| Sha256::digest(text.as_bytes());
    let given = req.header(header::AUTHORIZATION);
    let given = given.and_then(|text| text.strip_prefix("Bearer "));
    let token = site.app.config.metrics_token.as_deref();
    token
        .zip(given)
        .is_some_and(|(token, given)| hash(token) == hash(given))
}

/// Whether a program on this machine asks for itself. A proxy here asks for others: it says so, or it passes on the
/// name that people typed. Where there is a proxy by the settings, none is taken at its word.
fn is_local(site: &Site, req: &Request) -> bool {
    let config = &site.app.config;
    let has_proxy = config.public_url.is_some() || !config.trusted_proxies.is_empty();
    if has_proxy || site.has_unix_socket {
        return false;
    }
    let proxied = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    let by_itself = proxied
        .iter()
        .all(|name| req.headers().get(*name).is_none());
    let host = req.header(header::HOST).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let here = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
    let is_here = matches!(peer(req), Peer::Address(address) if address.is_loopback());
    by_itself && here && is_here
}

#[handler]
pub async fn metrics(Data(site): Data<&Arc<Site>>, _: Meter) -> Response {
    let condition = site.app.chat.condition().await;
    Response::builder()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(exposition(site, condition))
}

fn exposition(site: &Site, condition: Condition) -> String {
    let mut text = Exposition::default();
    add_build(&mut text);
    add_database(&mut text, site, condition);
    add_answers(&mut text, &site.answers);
    add_live(&mut text, site);
    if let Some(redis) = site.app.chat.redis() {
        add_redis(&mut text, redis);
    }
    text.one(
        ("tertulia_draining", Gauge),
        "1 while the server is about to stop.",
        u8::from(site.app.draining.is_cancelled()),
    );
    process::add(&mut text);
    text.into_text()
}

fn add_build(text: &mut Exposition) {
    let name = "tertulia_build_info";
    text.metric(name, Gauge, "Always 1; its label says what was built.");
    text.labelled(name, ("version", VERSION.as_str()), 1);
}

fn add_database(text: &mut Exposition, site: &Site, condition: Condition) {
    text.one(
        ("tertulia_database_up", Gauge),
        "1 while the database can be read; without it no page is served.",
        u8::from(condition.reading.is_ok()),
    );
    text.one(
        ("tertulia_posts_refused", Gauge),
        "1 while posts cannot be stored; /readyz says why.",
        u8::from(condition.writing.is_err()),
    );
    let health = site.app.chat.health();
    text.one(
        ("tertulia_posts_total", Counter),
        "Messages that this process has stored.",
        health.posts(),
    );
    let name = "tertulia_failed_writes_total";
    text.metric(name, Counter, "Writes of which nothing was stored, by why.");
    for (cause, count) in health.failed() {
        text.labelled(
            name,
            ("cause", &cause.as_str().replace([' ', '-'], "_")),
            count,
        );
    }
    if let Some(disk) = condition.disk {
        text.one(
            ("tertulia_disk_free_bytes", Gauge),
            "Room that is left where the database file is.",
            disk.free,
        );
        text.one(
            ("tertulia_disk_size_bytes", Gauge),
            "Size of the file system that has the database file.",
            disk.size,
        );
    }
}

fn add_answers(text: &mut Exposition, answers: &Answers) {
    let name = "tertulia_http_responses_total";
    text.metric(name, Counter, "Requests answered, by class of status.");
    for (class, count) in Answers::CLASSES.iter().zip(&answers.0) {
        text.labelled(name, ("class", class), count.load(Relaxed));
    }
}

fn add_live(text: &mut Exposition, site: &Site) {
    let (open, totals) = site.connections.survey();
    let bytes_of = |transport| {
        let open = open.iter().filter(|it| it.opening.transport == transport);
        totals.of(transport).bytes + open.map(|it| it.bytes()).sum::<u64>()
    };
    let mut by_transport = |name, kind, help, value: &dyn Fn(Transport) -> u64| {
        text.metric(name, kind, help);
        for transport in Transport::ALL {
            text.labelled(name, ("transport", transport.as_str()), value(transport));
        }
    };
    by_transport(
        "tertulia_live_connections",
        Gauge,
        "Live connections that are open.",
        &|it| totals.of(it).open(),
    );
    by_transport(
        "tertulia_live_opened_total",
        Counter,
        "Live connections opened.",
        &|it| totals.of(it).opened,
    );
    by_transport(
        "tertulia_live_sent_bytes_total",
        Counter,
        "Bytes of frames sent.",
        &bytes_of,
    );
    let name = "tertulia_live_ended_total";
    text.metric(
        name,
        Counter,
        "Live connections that have ended, by reason.",
    );
    for (why, count) in &totals.ended {
        text.labelled(name, ("reason", why), *count);
    }
    text.one(
        ("tertulia_live_queued_events", Gauge),
        "Events that wait for readers.",
        open.iter().map(|it| it.queued() as u64).sum::<u64>(),
    );
}

/// How well other nodes hear this one, and it them.
fn add_redis(text: &mut Exposition, redis: &Redis) {
    text.one(
        ("tertulia_redis_up", Gauge),
        "1 while nodes hear each other over Redis, 0 while they look into the database instead.",
        u8::from(redis.is_up()),
    );
    let counts = redis.counts();
    for (name, help, count) in [
        (
            "tertulia_redis_published_total",
            "Words that Redis took for other nodes.",
            &counts.published,
        ),
        (
            "tertulia_redis_lost_total",
            "Words for other nodes that it did not take.",
            &counts.lost,
        ),
        (
            "tertulia_redis_heard_total",
            "Words of other nodes.",
            &counts.heard,
        ),
        (
            "tertulia_redis_dropped_total",
            "Words of other nodes that could not be read or taken.",
            &counts.dropped,
        ),
    ] {
        text.one((name, Counter), help, count.load(Relaxed));
    }
}
