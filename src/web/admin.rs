//! What only the administrator sees: who is connected, and how well. The same totals for machines, as `/metrics`.

use std::{
    fmt::Write as _,
    net::IpAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use poem::{FromRequest, Request, RequestBody, Response, handler, http::header, web::Data};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    Site,
    error::Problem,
    extract::{ClientAddress, CurrentUser, Look, Wants},
    html,
    live::{Survey, Transport},
    page::Page,
    views::ConnectionsView,
};
use crate::{domain::neighbours::Question, error::Error, realtime::Redis, records::Role};

/// Somebody who looks after the house. For everybody else there is nothing here.
#[derive(Debug)]
pub struct Administrator(pub CurrentUser);

impl<'a> FromRequest<'a> for Administrator {
    async fn from_request(req: &'a Request, body: &mut RequestBody) -> poem::Result<Self> {
        let nothing = || Problem::from(Error::NotFound);
        let user = CurrentUser::from_request(req, body).await;
        let user = user.map_err(|_| nothing())?;
        match user.user().role {
            Role::Administrator => Ok(Self(user)),
            Role::Member => Err(nothing().into()),
        }
    }
}

/// Whoever may read the metrics: a program on this machine that no proxy speaks for, or one with the token.
#[derive(Debug)]
pub struct Meter;

impl<'a> FromRequest<'a> for Meter {
    async fn from_request(req: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let site = super::extract::site(req)?;
        if has_token(site, req) || is_local(site, req) {
            Ok(Self)
        } else {
            Err(Problem::from(Error::NotFound).into())
        }
    }
}

#[derive(Serialize)]
struct ConnectionsPage {
    page: Page,
    connections: ConnectionsView,
}

#[derive(Serialize)]
struct ConnectionsFragment {
    connections: ConnectionsView,
}

#[handler]
pub fn connections(
    Data(site): Data<&Arc<Site>>,
    Administrator(user): Administrator,
    look: Look,
    wants: Wants,
) -> Response {
    let chat = &site.app.chat;
    let others = chat.ask_neighbours();
    let others = others
        .iter()
        .filter_map(|(_, told)| serde_json::from_str(told.get()).ok());
    let surveys: Vec<_> = [survey(site)].into_iter().chain(others).collect();
    let (_, past) = site.connections.survey();
    let (is_up, now) = (chat.redis().map(Redis::is_up), site.app.clock.now());
    let connections = ConnectionsView::new(&surveys, &past, is_up, (&look.zone, now));
    html(if wants.fragment() {
        let model = ConnectionsFragment { connections };
        site.templates.render("admin/_connections.html", model)
    } else {
        let page = Page::of(site, user.user(), &look, "Connections · Tertulia".into());
        let model = ConnectionsPage { page, connections };
        site.templates.render("admin/connections.html", model)
    })
}

/// Who is connected to this node.
fn survey(site: &Site) -> Survey {
    let node = site.app.chat.redis().map(|redis| redis.node().to_string());
    Survey::of(&site.connections, node)
}

/// Does what other nodes ask for. Ends when the server stops.
pub async fn answer_neighbours(site: Arc<Site>) {
    let (chat, stopping) = (&site.app.chat, &site.app.stopping);
    while let Some(questions) = stopping.run_until_cancelled(chat.questions()).await {
        for question in &questions {
            if let Question::Received {
                user,
                connection,
                number,
            } = *question
            {
                site.connections.received(user, connection, number);
            }
        }
        if questions.contains(&Question::WhoIsThere) {
            tell_neighbours(&site);
        }
    }
}

fn tell_neighbours(site: &Site) {
    match serde_json::value::to_raw_value(&survey(site)) {
        Ok(told) => site.app.chat.tell_neighbours(told),
        Err(err) => tracing::warn!(error = %err, "who is connected cannot be told"),
    }
}

#[handler]
pub fn metrics(Data(site): Data<&Arc<Site>>, _: Meter) -> Response {
    Response::builder()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(exposition(site))
}

/// The text format of Prometheus, version 0.0.4.
fn exposition(site: &Site) -> String {
    let (open, totals) = site.connections.survey();
    let bytes_of = |transport| {
        let open = open.iter().filter(|it| it.opening.transport == transport);
        totals.of(transport).bytes + open.map(|it| it.bytes()).sum::<u64>()
    };
    let mut text = Exposition::default();
    text.by_transport(
        "live_connections",
        "gauge",
        "Live connections that are open.",
        |it| totals.of(it).open(),
    );
    text.by_transport(
        "live_opened_total",
        "counter",
        "Live connections opened.",
        |it| totals.of(it).opened,
    );
    text.by_transport(
        "live_sent_bytes_total",
        "counter",
        "Bytes of frames sent.",
        bytes_of,
    );
    text.head(
        "live_ended_total",
        "counter",
        "Live connections that have ended, by reason.",
    );
    for (why, count) in &totals.ended {
        text.line("live_ended_total", &format!("{{reason=\"{why}\"}}"), *count);
    }
    let queued = open.iter().map(|it| it.queued() as u64).sum();
    text.head(
        "live_queued_events",
        "gauge",
        "Events that wait for readers.",
    );
    text.line("live_queued_events", "", queued);
    if let Some(redis) = site.app.chat.redis() {
        text.redis(redis);
    }
    text.head("draining", "gauge", "1 while the server is about to stop.");
    text.line("draining", "", site.app.draining.is_cancelled().into());
    text.0
}

#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            self.0,
            "# HELP tertulia_{name} {help}\n# TYPE tertulia_{name} {kind}"
        );
    }

    fn line(&mut self, name: &str, labels: &str, value: u64) {
        let _ = writeln!(self.0, "tertulia_{name}{labels} {value}");
    }

    /// How well other nodes hear this one, and it them.
    fn redis(&mut self, redis: &Redis) {
        self.head(
            "redis_up",
            "gauge",
            "1 while nodes hear each other over Redis, 0 while they look into the database instead.",
        );
        self.line("redis_up", "", redis.is_up().into());
        let counts = redis.counts();
        for (name, help, count) in [
            (
                "redis_published_total",
                "Words that Redis took for other nodes.",
                &counts.published,
            ),
            (
                "redis_lost_total",
                "Words for other nodes that it did not take.",
                &counts.lost,
            ),
            ("redis_heard_total", "Words of other nodes.", &counts.heard),
            (
                "redis_dropped_total",
                "Words of other nodes that could not be read or taken.",
                &counts.dropped,
            ),
        ] {
            self.head(name, "counter", help);
            self.line(name, "", count.load(Relaxed));
        }
    }

    fn by_transport(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        value: impl Fn(Transport) -> u64,
    ) {
        self.head(name, kind, help);
        for transport in Transport::ALL {
            let label = format!("{{transport=\"{}\"}}", transport.as_str());
            self.line(name, &label, value(transport));
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
/// name that people typed.
fn is_local(site: &Site, req: &Request) -> bool {
    let proxied = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    let by_itself = proxied
        .iter()
        .all(|name| req.headers().get(*name).is_none());
    let host = req.header(header::HOST).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let here = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
    by_itself && here && ClientAddress::exact(site, req).is_loopback()
}

/// Notes regularly how many are connected. Ends when the server stops.
pub async fn keep_samples(site: Arc<Site>) {
    let mut ticks = tokio::time::interval(super::live::SAMPLE);
    while site
        .app
        .stopping
        .run_until_cancelled(ticks.tick())
        .await
        .is_some()
    {
        site.connections.sample();
    }
}
