//! Odd numbers, odd fields, odd paths: refused, and never told back.

use reqwest::Method;
use sea_orm::{ConnectionTrait, Statement};

use crate::support::actor::new_key;
use crate::support::{PASSWORD, Town, databases};

const ODD: [&str; 15] = [
    "0",
    "-1",
    "+1",
    "01",
    "1e3",
    "1.0",
    "9223372036854775808",
    "18446744073709551616",
    "%00",
    "1%00",
    "1;--",
    "1'%20or%201=1",
    "NaN",
    "null",
    "%D9%A1",
];

#[tokio::test]
async fn an_id_is_a_plain_number_or_nothing() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "hello").await;
    for odd in ODD {
        let paths = [
            (Method::GET, format!("/rooms/{odd}")),
            (Method::POST, format!("/rooms/{odd}/messages")),
            (Method::POST, format!("/rooms/{odd}/read")),
            (Method::PUT, format!("/rooms/{room}/messages/{odd}")),
            (Method::DELETE, format!("/rooms/{room}/messages/{odd}")),
            (Method::GET, format!("/rooms/{room}/messages/{odd}/edit")),
            (Method::GET, format!("/rooms/{room}?before={odd}")),
            (Method::GET, format!("/rooms/{room}?at={odd}")),
        ];
        for (method, path) in paths {
            let form = [("body", "odd"), ("key", new_key().as_str()), ("seq", "1")]
                .map(|(a, b)| (a, b.to_owned()));
            let form: Vec<_> = form
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let ask = ada.asks(method.clone(), &path);
            let ask = if method == Method::GET {
                ask
            } else {
                ask.form(&form)
            };
            let answer = ask.sends().await;
            assert!(
                [400, 404].contains(&answer.status),
                "{method} {path} → {}",
                answer.status
            );
            for word in [
                "SELECT", "sqlite", "syntax", "panicked", "parse", "ParseInt",
            ] {
                assert!(!answer.body.contains(word), "{method} {path} tells {word}");
            }
        }
        for query in [
            format!("?room={odd}&rev=0"),
            format!("?room={room}&rev={}", if odd == "0" { "x" } else { odd }),
        ] {
            let answer = ada.knocks(&query).sends().await;
            assert!(
                [400, 404].contains(&answer.status),
                "/live{query} → {}",
                answer.status
            );
        }
    }
    assert_eq!(ada.reads_back(room).await.len(), 1);
}

#[tokio::test]
async fn a_page_has_its_size_whatever_is_asked_for() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    for n in 1..=60 {
        ada.posts(room, &format!("message {n}")).await;
    }
    for query in [
        "?limit=1000000000",
        "?before=9223372036854775807&limit=1000",
        "?before=9223372036854775807",
    ] {
        let page = ada.gets(&format!("/rooms/{room}{query}")).await.is(200);
        assert!(page.messages().len() <= 51, "{query}");
    }
}

#[tokio::test]
async fn a_receipt_stays_within_the_room_and_never_falls() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    ben.comes_to(room).await;
    for _ in 0..3 {
        ada.posts(room, "hello").await;
    }
    let unread = async || {
        ben.lobby()
            .await
            .attrs(&format!("#unread-{room}"), "data-count")
            .concat()
    };
    ben.reads(room, 2).await;
    assert_eq!(unread().await, "1");
    ben.reads(room, 1).await;
    assert_eq!(unread().await, "1", "it never falls");
    for odd in ["-1", "1e9", "NaN", "", "two", "9223372036854775808"] {
        let answer = ben
            .sends(
                Method::POST,
                &format!("/rooms/{room}/read"),
                &[("seq", odd)],
            )
            .await;
        assert!(
            [204, 400, 422].contains(&answer.status),
            "{odd:?} → {}",
            answer.status
        );
    }
    assert_eq!(unread().await, "1");
    let answer = ben
        .sends(
            Method::POST,
            &format!("/rooms/{room}/read"),
            &[("seq", "1000000")],
        )
        .await;
    assert!([204, 422].contains(&answer.status));
    ada.posts(room, "and one more").await;
    assert_ne!(
        unread().await,
        "0",
        "what came later was not read in advance"
    );
}

#[tokio::test]
async fn markup_in_a_request_is_never_told_back() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    let evil = "<img src=x onerror=alert(1)>";
    let quoted: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
    let raw = format!("{evil}={evil}&{quoted}={quoted}");
    let mut answers = vec![
        ada.gets(&format!("/{quoted}")).await,
        ada.gets(&format!("/rooms/{quoted}")).await,
        ada.gets(&format!("/rooms/{room}?before={quoted}&{quoted}=1"))
            .await,
        ada.gets(&format!("/signin?next={quoted}")).await,
        ada.gets(&format!("/assets/{quoted}/{quoted}")).await,
        ada.knocks(&format!("?room={quoted}&rev={quoted}"))
            .sends()
            .await,
    ];
    for path in [
        "/signin", "/signup", "/rooms", "/directs", "/theme", "/nowhere",
    ] {
        for kind in [
            "application/x-www-form-urlencoded",
            "text/plain",
            "application/json",
            "multipart/form-data; boundary=<img>",
            "<img>",
        ] {
            let ask = ada
                .asks(Method::POST, path)
                .body(kind, raw.clone())
                .header("x-<img".trim_end_matches("<img"), evil);
            answers.push(
                ask.header("accept-language", evil)
                    .header("user-agent", evil)
                    .sends()
                    .await,
            );
        }
    }
    for answer in &answers {
        assert!(!answer.body.contains("<img"), "{answer:?}");
        for value in answer.headers.values() {
            assert!(
                !String::from_utf8_lossy(value.as_bytes()).contains("<img"),
                "{answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_body_of_another_kind_is_not_read() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    let path = format!("/rooms/{room}/messages");
    for kind in [
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "",
    ] {
        let body = format!("body=hello&key={}", new_key());
        let answer = ada.asks(Method::POST, &path).body(kind, body).sends().await;
        assert!(
            [400, 415].contains(&answer.status),
            "{kind:?} → {}",
            answer.status
        );
    }
    let ask = ada
        .asks(Method::POST, &path)
        .form(&[("body", "hello"), ("key", &new_key())]);
    let answer = ask.header("content-encoding", "gzip").sends().await;
    assert!(
        [400, 415].contains(&answer.status),
        "compressed → {}",
        answer.status
    );
    assert_eq!(ada.reads_back(room).await, []);
}

#[tokio::test]
async fn fields_that_nobody_asked_for_are_ignored() {
    let town = Town::start().await;
    town.person("ada").await;
    let ben = town.anon();
    let form = [
        ("username", "ben"),
        ("password", PASSWORD),
        ("role", "administrator"),
        ("id", "1"),
        ("is_admin", "1"),
    ];
    ben.submits("/signup", &form).await.leads_to("/");
    assert_eq!(roles(&town).await, ["administrator", "member"]);

    let room = ben.creates_room("General").await;
    let key = new_key();
    let form = [
        ("body", "hello"),
        ("key", key.as_str()),
        ("author", "1"),
        ("author_id", "1"),
        ("created", "0"),
        ("seq", "99"),
        ("room_id", "99"),
    ];
    ben.sends(Method::POST, &format!("/rooms/{room}/messages"), &form)
        .await
        .is(200);
    let message = &ben.room(room).await.messages()[0];
    assert_eq!((message.seq, message.author, message.mine), (1, 2, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_first_accounts_at_the_same_instant_one_is_the_administrator() {
    let town = Town::start().await;
    let names = ["ada", "ben", "carla", "dora"];
    let (a, b, c, d) = tokio::join!(
        town.person(names[0]),
        town.person(names[1]),
        town.person(names[2]),
        town.person(names[3])
    );
    for person in [a, b, c, d] {
        person.lobby().await;
    }
    assert_eq!(
        roles(&town).await,
        ["administrator", "member", "member", "member"]
    );
}

/// Everybody's role as it is stored, in the order of the accounts.
async fn roles(town: &Town) -> Vec<String> {
    let database = databases::open(town.data()).await;
    let backend = database.get_database_backend();
    let query = Statement::from_string(backend, "SELECT role FROM users ORDER BY id");
    let rows = database
        .query_all_raw(query)
        .await
        .expect("the table is there");
    let roles = rows
        .iter()
        .map(|row| row.try_get::<String>("", "role").expect("a text"));
    let roles = roles.collect();
    database.close().await.expect("it was open");
    roles
}
