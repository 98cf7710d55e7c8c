//! The pace of a feed, with the time in our hands.

use std::net::IpAddr;

use clap::Parser;
use tower_sessions::{SessionStore as _, session::Record};

use super::*;
use crate::{
    app::App,
    clock::Clock,
    config::Config,
    domain::accounts::{Admission, SESSION_USER},
    ids::{Seq, UserId},
    records::{Person, Privacy, Role, User},
    web::{
        Server, Site,
        live::connections::{Opening, Transport},
        zone::Zone,
    },
};

/// Somebody in the lobby, signed in.
async fn visit(site: &std::sync::Arc<Site>) -> Visit {
    let now = site.app.clock.now();
    let mut record = Record {
        id: tower_sessions::session::Id(7),
        data: [(SESSION_USER.to_string(), 1.into())].into(),
        expiry_date: time::OffsetDateTime::from_unix_timestamp(now.0 / 1_000 + 60)
            .expect("a moment"),
    };
    site.app
        .sessions
        .create(&mut record)
        .await
        .expect("it is stored");
    let person = Person {
        id: UserId(1),
        name: "ada".into(),
    };
    let ada = User {
        person: person.clone(),
        role: Role::Member,
        created: now,
        is_banned: false,
        // Nobody is told of her, herself included.
        privacy: Privacy {
            presence: false,
            ..Privacy::default()
        },
    };
    let opening = Opening {
        person,
        session: record.id,
        room: None,
        transport: Transport::WebSocket,
        from: IpAddr::from([127, 0, 0, 1]),
        since: now,
    };
    let connection = site.connections.open(opening, 1).expect("there is room");
    let who = (&ada, record.id);
    let reader = Reader::new(site.clone(), who, Zone::named("UTC"), None, Rev(0));
    Visit {
        reader,
        at: now,
        connection,
    }
}

async fn next(feed: &mut Feed) -> Result<Vec<Frame>, End> {
    let due = feed.due().await;
    feed.take(due).await
}

#[tokio::test]
async fn a_quiet_page_gets_a_beat_every_twenty_seconds_and_leaves_when_the_server_stops() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().to_string_lossy();
    let line = ["tertulia", "--listen", "127.0.0.1:0", "--data", &data];
    let app = App::open(Config::parse_from(line), Clock::fixed(1_772_625_600_000)).await;
    let Server { site, .. } = Server::bind(app.expect("the app opens"))
        .await
        .expect("a port");
    site.app
        .chat
        .sign_up("ada", "correct horse", &Admission::FREE)
        .await
        .expect("an account");
    let opened = Feed::open(visit(&site).await).await;
    let (mut feed, _) = opened.map_err(|(_, end)| end).expect("she is signed in");

    tokio::time::pause();
    let begun = Instant::now();
    let is_beat =
        |frames: &[Frame]| matches!(frames, [Frame::Beat(html)] if html.contains("id=\"beat\""));
    assert!(is_beat(&next(&mut feed).await.expect("it goes on")));
    assert!(begun.elapsed() <= PACE && begun.elapsed() >= PACE / 2);
    for _ in 0..3 {
        let last = Instant::now();
        assert!(is_beat(&next(&mut feed).await.expect("it goes on")));
        assert!(last.elapsed() >= PACE && last.elapsed() < PACE + Duration::from_millis(5));
    }

    feed.reader.sent = [(RoomId(1), Seq(1))].into();
    let asked = next(&mut feed).await.expect("it goes on");
    let [Frame::Ask(number)] = asked[..] else {
        panic!("what was sent is asked about: {asked:?}")
    };
    let again = next(&mut feed).await.expect("it goes on");
    assert!(matches!(again[..], [Frame::Beat(_), Frame::Ask(same)] if same == number));
    feed.received(number);
    assert!(is_beat(&next(&mut feed).await.expect("it goes on")));

    site.app.draining.cancel();
    assert!(next(&mut feed).await.expect("not yet").is_empty());
    assert_eq!(next(&mut feed).await.expect_err("now"), End::Restart);
}
