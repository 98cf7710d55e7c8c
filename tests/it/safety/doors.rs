//! Doors that stay shut: foreign origins, foreign rooms, foreign messages, wrong methods.

use reqwest::Method;

use crate::support::{Answer, Person, RoomId, Town};

/// A request that changes something: its method, its address, its form.
type Change = (Method, String, Vec<(&'static str, &'static str)>);

/// Every request that changes something, for a room with a message in it.
fn changes(room: RoomId) -> Vec<Change> {
    let messages = format!("/rooms/{room}/messages");
    let key = ("key", "ffffffffffffffffffffffffffffffff");
    let account = vec![
        ("username", "mallory"),
        ("password", "correct horse battery"),
    ];
    vec![
        (Method::POST, "/signup".into(), account),
        (
            Method::POST,
            "/signin".into(),
            vec![("username", "ada"), ("password", "correct horse battery")],
        ),
        (Method::POST, "/signout".into(), vec![]),
        (Method::POST, "/rooms".into(), vec![("name", "Foreign")]),
        (Method::POST, "/directs".into(), vec![("username", "ben")]),
        (Method::POST, "/theme".into(), vec![("theme", "dark")]),
        (
            Method::POST,
            messages.clone(),
            vec![("body", "foreign"), key],
        ),
        (
            Method::PUT,
            format!("{messages}/1"),
            vec![("body", "foreign")],
        ),
        (Method::DELETE, format!("{messages}/1"), vec![]),
        (
            Method::POST,
            format!("{messages}/1/edit"),
            vec![("body", "foreign")],
        ),
        (Method::POST, format!("{messages}/1/delete"), vec![]),
        (
            Method::POST,
            format!("/rooms/{room}/read"),
            vec![("seq", "1")],
        ),
        (Method::POST, format!("{messages}/1/unread"), vec![]),
        (Method::POST, format!("/rooms/{room}/unread"), vec![]),
        (
            Method::POST,
            format!("/rooms/{room}/mute"),
            vec![("for", "always")],
        ),
        (Method::POST, "/settings".into(), vec![]),
        (Method::POST, "/settings/house".into(), vec![]),
    ]
}

/// A room in which Ben has one unread message of Ada's, and his lobby before anything else happens.
async fn quiet_room(town: &Town) -> (Person, Person, RoomId) {
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "original").await;
    (ada, ben, room)
}

/// Fails the test if anything changed since.
async fn nothing_changed(ada: &Person, ben: &Person, room: RoomId) {
    let messages = ada.room(room).await.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(
        (messages[0].text.as_str(), messages[0].rev),
        ("original", 1)
    );
    let lobby = ben.lobby().await;
    assert_eq!(lobby.count("#rooms li[id]"), 1);
    assert_eq!(lobby.count("#chats li[id]"), 0);
    assert_eq!(lobby.attrs(&format!("#unread-{room}"), "data-count"), ["1"]);
    assert!(!lobby.has("[data-muted]"));
    assert_eq!(ada.gets("/settings").await.count("[checked]"), 3);
    assert_eq!(ben.gets("/settings").await.count("[checked]"), 2);
    assert!(!lobby.body.contains("mallory"));
    assert_eq!(lobby.attrs("html", "data-theme"), ["auto"]);
}

#[tokio::test]
async fn a_cross_site_request_changes_nothing() {
    let town = Town::start().await;
    let (ada, ben, room) = quiet_room(&town).await;
    let foreign: [&[(&str, &str)]; 6] = [
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ],
        &[
            ("sec-fetch-site", "same-site"),
            ("origin", "http://127.0.0.1:1"),
        ],
        &[("sec-fetch-site", "cross-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "http://127.0.0.1:1")],
        &[("origin", "null")],
    ];
    for marks in foreign {
        for (method, path, form) in changes(room) {
            for who in [&ada, &ben] {
                let ask = who
                    .asks(method.clone(), &path)
                    .without("origin")
                    .without("sec-fetch-site")
                    .form(&form);
                let ask = marks
                    .iter()
                    .fold(ask, |ask, (name, value)| ask.header(name, value));
                let answer = ask.sends().await.is(403);
                assert!(
                    answer.headers("set-cookie").is_empty(),
                    "{method} {path} with {marks:?}"
                );
            }
        }
    }
    nothing_changed(&ada, &ben, room).await;
    assert!(ada.session().is_some(), "and nobody was signed out");
}

#[tokio::test]
async fn an_origin_that_only_looks_like_ours_is_foreign() {
    let town = Town::start().await;
    let (ada, ben, room) = quiet_room(&town).await;
    let path = format!("/rooms/{room}/messages/1");
    for origin in [
        format!("{}.evil.example", town.url()),
        format!("{}0", town.url()),
        town.url().replacen("//", "//evil@", 1),
        format!("{}/", town.url()),
        "http://".into(),
        String::new(),
    ] {
        let ask = ada
            .asks(Method::DELETE, &path)
            .without("sec-fetch-site")
            .header("origin", &origin);
        ask.sends().await.is(403);
        assert_eq!(
            ada.knocks("")
                .header("origin", &origin)
                .sends()
                .await
                .status,
            403,
            "{origin}"
        );
    }
    nothing_changed(&ada, &ben, room).await;
}

#[tokio::test]
async fn a_method_that_an_address_does_not_have_is_refused() {
    let town = Town::start().await;
    let (ada, ben, room) = quiet_room(&town).await;
    let odd = ["TRACE", "PATCH", "BREW", "PROPFIND"];
    for (_, path, form) in changes(room) {
        let page = ["/signin", "/signup", "/settings"].contains(&path.as_str())
            || path.ends_with("/edit")
            || path.ends_with("/1");
        let reading: &[&str] = if page { &[] } else { &["GET", "HEAD"] };
        for method in reading.iter().chain(&odd) {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let who = if path.starts_with("/sign") {
                town.anon()
            } else {
                ada.clone()
            };
            let ask = who.asks(method, &path).header("origin", town.url());
            let ask = if form.is_empty() {
                ask
            } else {
                ask.form(&form)
            };
            ask.sends().await.is(405);
        }
    }
    for path in ["/", "/healthz", "/live"] {
        for method in odd {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            ada.asks(method, path)
                .header("origin", town.url())
                .sends()
                .await
                .is(405);
        }
    }
    nothing_changed(&ada, &ben, room).await;
}

/// The answer without what names the request.
fn bare(answer: Answer) -> (u16, String) {
    let words = answer.html().root_element().text().collect::<String>();
    let bare = words
        .split_whitespace()
        .filter(|word| word.len() < 8 || !word.chars().any(|c| c.is_ascii_digit()));
    (answer.status, bare.collect::<Vec<_>>().join(" "))
}

#[tokio::test]
async fn a_chat_of_others_looks_like_one_that_does_not_exist() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let carla = town.person("carla").await;
    let chat = ada.opens_chat_with(&ben).await;
    ada.posts(chat, "between us").await;
    let nowhere = 4711;

    for (method, path, form) in changes(chat)
        .into_iter()
        .filter(|(_, path, _)| path.starts_with("/rooms/"))
    {
        for htmx in [false, true] {
            let mut answers = Vec::new();
            for path in [
                path.clone(),
                path.replacen(&format!("/{chat}/"), &format!("/{nowhere}/"), 1),
            ] {
                let ask = carla.asks(method.clone(), &path).form(&form);
                let ask = if htmx { ask.htmx("ol#messages") } else { ask };
                answers.push(bare(ask.sends().await.is(404)));
            }
            assert_eq!(answers[0], answers[1], "{method} {path}");
        }
    }
    for tail in ["", "?before=2", "?at=1", "/messages/1/edit"] {
        for person in [&carla] {
            let real = bare(person.gets(&format!("/rooms/{chat}{tail}")).await.is(404));
            assert_eq!(
                real,
                bare(
                    person
                        .gets(&format!("/rooms/{nowhere}{tail}"))
                        .await
                        .is(404)
                ),
                "{tail}"
            );
        }
    }
    for query in [
        format!("?room={chat}&rev=0"),
        format!("?room={nowhere}&rev=0"),
    ] {
        carla.knocks(&query).sends().await.is(404);
        assert_eq!(carla.tries_to_listen(&query).await.err(), Some(404));
    }
    assert_eq!(ada.reads_back(chat).await.len(), 1);
}

#[tokio::test]
async fn a_message_is_reached_through_its_own_room_only() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let (one, two) = (ada.creates_room("One").await, ada.creates_room("Two").await);
    ada.posts(one, "first").await;
    ada.posts(one, "second").await;
    ada.posts(two, "elsewhere").await;
    let mut ear = ben.listens(two, 0).await;
    ear.sees(1).await;

    ada.tries_to_edit(two, 2, "moved").await.is(404);
    ada.tries_to_delete(two, 2).await.is(404);
    ada.gets(&format!("/rooms/{two}/messages/2/edit"))
        .await
        .is(404);

    ada.posts(two, "fence").await;
    assert_eq!(
        ear.sees_when(|_| true).await.text,
        "fence",
        "nothing was heard of it"
    );
}

#[tokio::test]
async fn nobody_changes_the_message_of_another() {
    let town = Town::start().await;
    let (ada, ben, room) = quiet_room(&town).await;
    let path = format!("/rooms/{room}/messages/1");
    for answer in [
        ben.tries_to_edit(room, 1, "forged").await,
        ben.tries_to_delete(room, 1).await,
        ben.submits(&format!("{path}/edit"), &[("body", "forged")])
            .await,
        ben.submits(&format!("{path}/delete"), &[]).await,
        ben.gets(&format!("{path}/edit")).await,
    ] {
        assert!([403, 404].contains(&answer.status), "{}", answer.status);
        assert!(!answer.body.contains("original"));
    }
    nothing_changed(&ada, &ben, room).await;
    let page = ben.room(room).await;
    assert_eq!(
        page.count("#message-1 [action$='/delete'], #message-1 [hx-put], #message-1 [hx-delete]"),
        0,
        "no button either"
    );
}
