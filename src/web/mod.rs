//! How browsers see the chat. The only home of `poem` and `minijinja`.
//!
//! [`routes`] is the one table of addresses. A handler reads its request, asks the domain, renders the answer.

use std::{io, sync::Arc, time::Duration};

use poem::{
    Endpoint, EndpointExt, Response, Route, get,
    http::{HeaderValue, StatusCode, header},
    post,
};
use quick_cache::sync::Cache;
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;
use tower_sessions::session::Id;

use crate::{
    app::{App, StartError},
    ids::UserId,
    listener::{Https, Listener, LocalAddress, openable},
    records::User,
    systemd::InheritedSockets,
    version::FINGERPRINT,
};

mod acceptor;
mod accounts;
mod addresses;
mod admin;
mod assets;
mod client_address;
mod error;
mod extract;
mod forms;
mod forwarded;
mod guard;
mod gzip;
mod health;
mod limits;
mod live;
mod markup;
mod messages;
mod metrics;
mod names;
mod page;
mod password;
mod people;
mod presence;
mod receipts;
mod refusal;
mod rooms;
mod security;
mod session;
mod settings;
mod signup;
mod switcher;
mod templates;
mod views;
mod zone;

use acceptor::Acceptor;
use addresses::Listening;
use client_address::ProxyNotes;
use limits::Limits;
use live::Connections;
use metrics::Answers;
use refusal::RefusalLog;
use templates::Templates;

/// Under which target the web server logs.
pub const SERVER_LOG: &str = "poem::server";

/// How long live connections may take to end once the server is to stop, the last close frames included.
const LAST_FRAMES: Duration = Duration::from_secs(12);
/// How long a request that is running may then take to finish.
const LAST_ANSWERS: Duration = Duration::from_secs(8);
/// How long committing what was accepted may take after that.
const LAST_COMMITS: Duration = Duration::from_secs(8);
/// How often the rate limits forget who has been quiet.
const FORGET: Duration = Duration::from_secs(60);
/// How many signed-in people are remembered between two looks into the database, and for how long:
/// an ended session is out everywhere within that time.
const SIGNED_IN: usize = 10_000;
const SIGNED_IN_FOR: Duration = Duration::from_secs(2);

/// The chat's face to the web: what handlers get besides their request.
#[derive(Debug)]
pub struct Site {
    app: App,
    templates: Templates,
    limits: Limits,
    proxies: ProxyNotes,
    refusals: RefusalLog,
    answers: Answers,
    connections: Connections,
    signed_in: SignedIn,
    cookie_name: String,
    https: bool,
    /// Whether it listens on a unix socket, behind which there is a proxy.
    has_unix_socket: bool,
}

impl Site {
    /// Of which build and which past the pages are that are made now.
    fn version(&self) -> String {
        format!("{FINGERPRINT}.{}", self.app.chat.version())
    }

    /// Whether a page of this version was made by this build.
    fn is_of_this_build(&self, version: &str) -> bool {
        version.split('.').next() == Some(FINGERPRINT)
    }
}

/// People by their session, remembered for a moment.
#[derive(Debug)]
struct SignedIn(Cache<Id, (Arc<User>, tokio::time::Instant)>);

impl SignedIn {
    fn get(&self, id: &Id) -> Option<Arc<User>> {
        self.0
            .get(id)
            .filter(|(_, since)| since.elapsed() < SIGNED_IN_FOR)
            .map(|(user, _)| user)
    }

    fn insert(&self, id: Id, user: Arc<User>) {
        self.0.insert(id, (user, tokio::time::Instant::now()));
    }

    fn remove(&self, id: &Id) {
        self.0.remove(id);
    }

    /// Forgets everybody.
    fn clear(&self) {
        self.0.clear();
    }

    /// Forgets somebody in all of their browsers: what holds for them has changed.
    fn forget(&self, user: UserId) {
        self.0.retain(|_, (known, _)| known.person.id != user);
    }
}

/// Every address and what answers it.
fn routes() -> Route {
    Route::new()
        .at("/", get(rooms::show_lobby))
        .at("/signup", get(signup::show).post(signup::sign_up))
        .at(
            "/signin",
            get(accounts::sign_in_page).post(accounts::sign_in),
        )
        .at("/signout", post(accounts::sign_out))
        .at("/password", get(password::show).post(password::set))
        .at("/theme", post(accounts::set_theme))
        .at("/settings", get(settings::show).post(settings::set_privacy))
        .at("/settings/house", post(settings::set_house))
        .at("/settings/password", post(settings::set_password))
        .at("/admin/people", get(people::show))
        .at("/admin/people/:id/ban", post(people::ban))
        .at("/rooms", post(rooms::create_room))
        .at("/directs", post(rooms::open_direct))
        .at("/rooms/:id", get(rooms::show_room))
        .at("/rooms/:id/read", post(receipts::read))
        .at("/rooms/:id/unread", post(receipts::mark_room_unread))
        .at("/rooms/:id/mute", post(receipts::mute))
        .at("/rooms/:id/typing", post(presence::typing))
        .at("/rooms/:id/messages", post(messages::post))
        .at(
            "/rooms/:id/messages/:seq",
            get(messages::show)
                .put(messages::edit)
                .delete(messages::delete),
        )
        .at(
            "/rooms/:id/messages/:seq/edit",
            get(messages::edit_form).post(messages::edit),
        )
        .at("/rooms/:id/messages/:seq/delete", post(messages::delete))
        .at("/rooms/:id/messages/:seq/info", get(receipts::info))
        .at(
            "/rooms/:id/messages/:seq/unread",
            post(receipts::mark_unread),
        )
        .at("/switcher", get(switcher::switcher))
        .at("/go/:way", get(switcher::go))
        .at("/live", get(live::websocket::live))
        .at("/live/events", get(live::sse::events))
        .at("/live/received", post(live::sse::received))
        .at("/live/session", post(live::sse::session))
        .at("/doctor", get(live::probe::show))
        .at("/doctor/live", get(live::probe::live))
        .at("/doctor/events", get(live::probe::events))
        .at("/admin/connections", get(admin::connections))
        .at("/metrics", get(metrics::metrics))
        .at("/healthz", get(health::healthz))
        .at("/readyz", get(health::readyz))
        .at("/sw.js", get(health::service_worker))
        .at("/manifest.webmanifest", get(health::manifest))
        .at("/assets/:fingerprint/*path", get(health::asset))
}

/// A server that has its address and answers once it runs.
pub struct Server {
    site: Arc<Site>,
    listener: Listener,
    https: Option<Https>,
    reload: Arc<Notify>,
    urls: Vec<String>,
}

impl Server {
    /// Takes the configured addresses.
    ///
    /// # Errors
    /// A sentence for the operator when one cannot be had.
    pub async fn bind(app: App) -> Result<Self, StartError> {
        Self::on(app, InheritedSockets::default()).await
    }

    /// Takes sockets that are open already, and the addresses that were set besides.
    ///
    /// # Errors
    /// A sentence for the operator when an address cannot be had.
    pub async fn on(mut app: App, open: InheritedSockets) -> Result<Self, StartError> {
        let Listening { listener, https } =
            addresses::listen(&app.config, &app.clock, open).await?;
        if let Some(https) = &https {
            addresses::follow_certificate(&mut app.config, https);
        }
        let public = app.config.public_url.as_ref();
        let urls = match public {
            Some(public) => vec![public.to_string()],
            None if https.is_some() => openable("https", listener.local_addresses()),
            None => openable("http", listener.local_addresses()),
        };
        app.serves_at(urls.first().map_or("nowhere", String::as_str));
        let is_https = https.is_some() || public.is_some_and(|public| public.https);
        let site = Arc::new(Site {
            templates: Templates::new(),
            limits: Limits::new(app.config.limits, app.chat.redis().cloned()),
            proxies: ProxyNotes::default(),
            refusals: RefusalLog::default(),
            answers: Answers::default(),
            connections: Connections::default(),
            signed_in: SignedIn(Cache::new(SIGNED_IN)),
            cookie_name: addresses::cookie_name(is_https, public, listener.local_addresses()),
            https: is_https,
            has_unix_socket: listener
                .local_addresses()
                .any(|it| matches!(it, LocalAddress::Unix(_))),
            app,
        });
        Ok(Self {
            site,
            listener,
            https,
            reload: Arc::default(),
            urls,
        })
    }

    /// The address to open in a browser; where there is none, the socket that a proxy can be given.
    pub fn url(&self) -> &str {
        self.urls.first().map_or("nowhere", String::as_str)
    }

    /// That address, and the others under which the chat can be reached.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Whether people have to wait for the first certificate.
    pub fn waits_for_certificate(&self) -> bool {
        self.https
            .as_ref()
            .is_some_and(|https| !https.has_certificate())
    }

    /// Notified, it makes the server look at its certificate at once.
    pub fn reload(&self) -> Arc<Notify> {
        self.reload.clone()
    }

    /// Tells whether what must never end goes on: who writes to the database.
    pub fn is_well(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let writer = self.site.app.writer();
        move || !writer.is_finished()
    }

    /// Answers until `stop` is cancelled. Then it says that it is not ready, closes live connections with 1012, takes
    /// no more connections, answers what is running, commits what was accepted and closes the database: all of it
    /// within half a minute.
    ///
    /// # Errors
    /// When the network fails as a whole.
    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        let Self {
            site,
            listener,
            https,
            reload,
            ..
        } = self;
        if let Some(https) = https {
            let stopping = site.app.stopping.clone();
            site.app.tasks.spawn(https.keep(reload, stopping));
        }
        site.app.tasks.spawn(forget_quiet(site.clone()));
        site.app.tasks.spawn(forget_past(site.clone()));
        site.app.tasks.spawn(prepare(site.clone()));
        site.app.tasks.spawn(admin::keep_samples(site.clone()));
        site.app.tasks.spawn(admin::answer_neighbours(site.clone()));
        let drained = drain(site.clone(), stop);
        let server = poem::Server::new_with_acceptor(Acceptor(listener));
        let served = server
            .run_with_graceful_shutdown(endpoint(&site), drained, Some(LAST_ANSWERS))
            .await;
        if timeout(LAST_COMMITS, close(site)).await.is_err() {
            tracing::error!("the database did not take everything in time");
        }
        served
    }
}

/// Waits for `stop`; then ends when the live connections have ended, which leave one after the other.
async fn drain(site: Arc<Site>, stop: CancellationToken) {
    stop.cancelled().await;
    site.app.draining.cancel();
    if timeout(LAST_FRAMES, site.connections.gone()).await.is_err() {
        tracing::warn!("some live connections did not end in time");
    }
}

/// Ends what runs beside the requests, and commits what was accepted.
async fn close(site: Arc<Site>) {
    site.app.stopping.cancel();
    site.app.tasks.close();
    site.app.tasks.wait().await;
    match Arc::try_unwrap(site) {
        Ok(site) => site.app.close().await,
        Err(_) => {
            tracing::warn!("a request outlived the server; the database closes with the process");
        }
    }
}

fn endpoint(site: &Arc<Site>) -> impl Endpoint<Output = Response> + 'static {
    routes()
        .data(site.clone())
        .with(session::Sessions(site.clone()))
        .with(guard::Guard(site.clone()))
}

/// Makes signing in with an unknown name take as long as with a wrong password from the first time on.
async fn prepare(site: Arc<Site>) {
    if let Err(err) = site.app.chat.prepare().await {
        tracing::warn!(error = %err, "sign-in could not be prepared");
    }
}

/// Forgets who is signed in whenever the database has got another past. Ends when the server stops.
async fn forget_past(site: Arc<Site>) {
    let (chat, stopping) = (&site.app.chat, &site.app.stopping);
    let mut known = chat.version();
    while let Some(version) = stopping
        .run_until_cancelled(chat.next_version(&known))
        .await
    {
        known = version;
        site.signed_in.clear();
    }
}

/// Ends when the server stops.
async fn forget_quiet(site: Arc<Site>) {
    let mut ticks = tokio::time::interval(FORGET);
    loop {
        tokio::select! {
            () = site.app.stopping.cancelled() => return,
            _ = ticks.tick() => site.limits.forget_quiet(),
        }
    }
}

/// An answer of HTML.
fn html(html: String) -> Response {
    Response::builder()
        .content_type("text/html; charset=utf-8")
        .body(html)
}

/// The way to another page of this site.
fn redirect(path: &str) -> Response {
    let path = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    Response::builder()
        .status(StatusCode::SEE_OTHER)
        .header(header::LOCATION, path)
        .finish()
}

#[cfg(test)]
mod tests;
