//! Every template is rendered by what really uses it, in strict mode: a name that nobody gives fails here.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Parser;
use poem::{
    Endpoint, Request, Response,
    http::{Method, StatusCode, header},
};

use tower_sessions::session::Id;

use super::{
    Server, Site, endpoint,
    live::{Afresh, Reader},
    zone::Zone,
};
use crate::{
    app::App,
    clock::{Clock, UnixMillis},
    config::Config,
    domain::accounts::Admission,
    ids::{Rev, RoomId, Seq, UserId},
    realtime::{Event, News, Subscription, Wake},
    records::User,
};

/// Someone who asks the site without a network in between.
struct Asker<'a, E> {
    site: &'a E,
    cookie: String,
}

impl<E: Endpoint<Output = Response>> Asker<'_, E> {
    async fn ask(&self, method: Method, path: &str, htmx: bool, form: &str) -> Response {
        let target = if path.contains("before=") {
            "li#older"
        } else {
            "main#conversation"
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path.parse().expect("an address"))
            .header(header::HOST, "localhost")
            .header(header::COOKIE, &self.cookie)
            .content_type("application/x-www-form-urlencoded");
        if htmx {
            request = request
                .header("HX-Request", "true")
                .header("HX-Request-Type", "partial")
                .header("HX-Target", target);
        }
        self.site
            .call(request.body(form.to_string()))
            .await
            .expect("the guard answers everything")
    }
}

#[tokio::test]
async fn every_template_is_rendered_by_what_uses_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = Config::parse_from([
        "tertulia",
        "--listen",
        "127.0.0.1:0",
        "--limits",
        "off",
        "--data",
        &dir.path().to_string_lossy(),
    ]);
    let app = App::open(config, Clock::fixed(1_772_625_600_000))
        .await
        .expect("the app opens");
    let Server { site, .. } = Server::bind(app).await.expect("a port");
    let endpoint = endpoint(&site);
    let mut ada = Asker {
        site: &endpoint,
        cookie: String::new(),
    };
    let (get, post) = (Method::GET, Method::POST);

    let code = site.app.chat.make_setup_code().await.expect("a code");
    let code = code.expect("nobody is here");
    let link = format!("/signup?code={}", code.as_str());
    for path in ["/signup", &link] {
        let answer = ada.ask(get.clone(), path, false, "").await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    let form = format!("username=ada&password=correct+horse&code={}", code.as_str());
    let signed_up = ada.ask(post.clone(), "/signup", false, &form).await;
    let cookie = signed_up.headers()[header::SET_COOKIE]
        .to_str()
        .expect("text")
        .split(';')
        .next()
        .expect("a cookie");
    ada.cookie = cookie.to_string();
    let room = ada
        .ask(post.clone(), "/rooms", false, "name=General")
        .await
        .header(header::LOCATION)
        .expect("a room")
        .to_string();
    for n in 0..120 {
        let form = format!("body=Hello+{n}&key=key-{n:016}");
        let posted = ada
            .ask(post.clone(), &format!("{room}/messages"), n % 2 == 0, &form)
            .await;
        assert!(posted.status().as_u16() < 400);
    }
    let pages = [
        "/signin",
        "/",
        "/rooms/1",
        "/rooms/1?at=60",
        "/rooms/1?before=60",
        "/rooms/1/messages/3",
        "/rooms/1/messages/3/edit",
        "/rooms/1/messages/3/info",
        "/settings",
        "/admin/connections",
        "/admin/people",
        "/switcher",
    ];
    for path in pages {
        for htmx in [false, true] {
            let status = ada.ask(get.clone(), path, htmx, "").await.status();
            assert!(status.as_u16() < 400, "{path} htmx={htmx}: {status}");
            assert_eq!(
                ada.ask(get.clone(), "/nowhere", htmx, "").await.status(),
                StatusCode::NOT_FOUND
            );
        }
    }
    let link = site.app.chat.make_password_link(UserId(1)).await;
    let link = format!("/password?code={}", link.expect("a link").as_str());
    let answer = ada.ask(get, &link, false, "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let muted = ada.ask(post, "/rooms/1/mute", true, "for=week").await;
    assert_eq!(muted.status(), StatusCode::OK);
    read_live(&site).await;

    assert_eq!(site.templates.used(), on_disk());
}

/// Frames of every kind: caught up, afresh, and live in room and lobby.
async fn read_live(site: &Arc<Site>) {
    let chat = &site.app.chat;
    let ada = chat.user(UserId(1)).await.expect("she is here");
    let room = chat.room_for(ada.person.id, RoomId(1)).await;
    let room = room.expect("her room");
    for (rev, frames) in [(Rev(119), 4), (Rev(1_000), 4)] {
        let mut reader = Reader::new(
            site.clone(),
            (&ada, Id::default()),
            Zone::named("UTC"),
            Some(room.clone()),
            rev,
        );
        assert_eq!(
            reader
                .catch_up(UnixMillis(0))
                .await
                .expect("it catches up")
                .len(),
            frames
        );
    }
    let afresh = Afresh {
        is_other_build: true,
        is_gone: false,
    };
    let mut old = page_of(site, &ada).0.of("another".into(), Some(afresh));
    let frames = old.catch_up(UnixMillis(0)).await.expect("it catches up");
    assert!(
        frames
            .iter()
            .any(|frame| frame.contains("A new version is here")),
        "{frames:?}"
    );
    read_presence(site, &ada).await;
    let mut overnight = page_of(site, &ada).0;
    assert_eq!(
        overnight
            .take_new_day()
            .await
            .expect("it is looked up")
            .len(),
        0
    );
    site.app.clock.advance(Duration::from_secs(24 * 60 * 60));
    let labels = overnight.take_new_day().await.expect("it is looked up");
    assert!(
        labels[0].contains("Yesterday") && labels[1].contains("Yesterday"),
        "{labels:?}"
    );
    let ben = chat.sign_up("ben", "correct horse", &Admission::FREE).await;
    let ben = ben.expect("an account");
    let (for_ada, for_ben) = (page_of(site, &ada), page_of(site, &ben));
    chat.create_room("Developers").await.expect("a room");
    let carla = chat
        .sign_up("carla", "correct horse", &Admission::FREE)
        .await;
    carla.expect("an account");
    chat.mark_read(room, ben.person.id, Seq(3))
        .await
        .expect("a receipt");
    let (for_ada, for_ben) = (lobby_frame(for_ada).await, lobby_frame(for_ben).await);
    assert!(
        for_ada.contains("Developers") && for_ada.contains("carla"),
        "{for_ada}"
    );
    assert!(for_ben.contains("unread-1"), "{for_ben}");
}

/// Somebody comes while their chat with Ada is open before her.
async fn read_presence(site: &Arc<Site>, ada: &User) {
    let chat = &site.app.chat;
    let dora = chat
        .sign_up("dora", "correct horse", &Admission::FREE)
        .await;
    let dora = dora.expect("an account");
    let id = chat.open_direct(ada.person.id, "dora").await;
    let room = chat.room_for(ada.person.id, id.expect("their chat")).await;
    let mut reader = Reader::new(
        site.clone(),
        (ada, Id::default()),
        Zone::named("UTC"),
        Some(room.expect("their chat")),
        Rev(0),
    );
    let subscription = reader.subscribe();
    let _page = page_of(site, &dora);
    let shown = loop {
        let Wake::News(news) = subscription.next().await else {
            panic!("was cut")
        };
        let is_presence = |news: &Arc<News>| matches!(news.event, Event::PresenceChanged { .. });
        if let Some(news) = news.iter().find(|news| is_presence(news)) {
            break reader.take(news).await.expect("it is shown");
        }
    };
    let shown = shown.expect("a frame");
    assert!(
        shown.contains("presence-2") && shown.contains("online"),
        "{shown}"
    );
}

fn page_of(site: &Arc<Site>, user: &User) -> (Reader, Subscription) {
    let reader = Reader::new(
        site.clone(),
        (user, Id::default()),
        Zone::named("UTC"),
        None,
        Rev(0),
    );
    let subscription = reader.subscribe();
    (reader, subscription)
}

async fn lobby_frame((mut reader, subscription): (Reader, Subscription)) -> String {
    let Wake::News(news) = subscription.next().await else {
        panic!("was cut")
    };
    for news in news {
        reader.take(&news).await.expect("it is shown");
    }
    reader.take_lobby().expect("there is news").to_string()
}

fn on_disk() -> BTreeSet<String> {
    fn visit(dir: &Path, root: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).expect("the templates are there") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                visit(&path, root, found);
            } else {
                found.insert(
                    path.strip_prefix(root)
                        .expect("it is below")
                        .to_string_lossy()
                        .into_owned(),
                );
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut found = BTreeSet::new();
    visit(&root, &root, &mut found);
    found
}
