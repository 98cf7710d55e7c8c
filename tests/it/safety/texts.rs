//! What people write stays text, whatever it looks like.

use crate::support::ask::{selector, words};
use crate::support::sight::messages_in;
use crate::support::{Answer, Person, RoomId, Shown, Town};

const HOSTILE: [&str; 14] = [
    "<img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "'><svg onload=alert(1)>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "<hx-partial hx-post=/x hx-trigger=load hx-target=body>",
    "<hx-upsert hx-target=body>",
    "\" hx-get=/x hx-trigger=load x=\"",
    "' data-hx-get=/x data-hx-trigger=load x='",
    "<div data-hx-get=/x data-hx-trigger=load hx-swap-oob=true id=messages>",
    "{\"content\":\"<b>x</b>\",\"target\":\"body\"}",
    "{{ 7 * 7 }}{% for x in y %}&lt;&#60;\\u003c",
    "<!--",
    "`<b>` *<i>* _\"onclick=\"_ ~<u>~",
];

/// Fails the test if user text became markup in this HTML.
fn is_harmless(html: &Answer) {
    fragment_is_harmless(&html.body, html.is_a_page());
}

fn fragment_is_harmless(body: &str, page: bool) {
    for raw in [
        "<img src=x",
        "<svg onload",
        "<script>alert",
        "<hx-partial hx-post",
        "<b>x",
        "<u>",
        "<i>",
        "<!--",
        "<div data-hx",
    ] {
        assert!(!body.contains(raw), "{raw} stands raw in\n{body}");
    }
    let html = if page {
        scraper::Html::parse_document(body)
    } else {
        scraper::Html::parse_fragment(body)
    };
    for element in html.root_element().descendent_elements() {
        for (name, value) in element.value().attrs() {
            assert!(!name.starts_with("on"), "{name} in {}", element.html());
            assert!(
                name.trim_start_matches("data-") != "hx-get" || value != "/x",
                "{}",
                element.html()
            );
            assert!(
                !(name.ends_with("hx-swap-oob") && element.attr("id") == Some("messages")),
                "{}",
                element.html()
            );
        }
    }
    let allowed = [
        "strong", "em", "s", "code", "pre", "a", "br", "p", "span", "bdi",
    ];
    for text in html.select(&selector(".text")) {
        for inner in text.descendent_elements().filter(|inner| *inner != text) {
            assert!(allowed.contains(&inner.value().name()), "{}", inner.html());
        }
    }
}

async fn town_with_room() -> (Town, Person, Person, RoomId) {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    (town, ada, ben, room)
}

fn of(messages: Vec<Shown>, seq: u64) -> Shown {
    messages
        .into_iter()
        .find(|message| message.seq == seq)
        .expect("the message is there")
}

#[tokio::test]
async fn markup_in_a_message_is_literal_text_everywhere() {
    let (_town, ada, ben, room) = town_with_room().await;
    let mut ear = ben.listens(room, 0).await;
    for hostile in HOSTILE {
        let answer = ada.tries_to_post(room, hostile).await.is(200);
        let seq = crate::support::actor::seq_of(&answer);
        is_harmless(&answer);
        let plain = |text: &str| words(&text.replace(['*', '_', '~', '`'], ""));
        assert_eq!(plain(&of(answer.messages(), seq).text), plain(hostile));
        assert_eq!(plain(&ear.sees(seq).await.text), plain(hostile));

        let page = ben.room(room).await;
        is_harmless(&page);
        assert_eq!(plain(&of(page.messages(), seq).text), plain(hostile));
        is_harmless(&ben.lobby().await);
        let edit = format!("/rooms/{room}/messages/{seq}/edit");
        for form in [
            ada.fetches(&edit, &format!("li#message-{seq}")).await,
            ada.gets(&edit).await,
        ] {
            is_harmless(&form.is(200));
        }
        is_harmless(&ada.edits(room, seq, hostile).await);
    }
    for frame in ear.frames() {
        fragment_is_harmless(frame, false);
        assert!(frame.starts_with('<'));
    }
}

#[tokio::test]
async fn markup_in_the_name_of_a_room_is_literal_text_everywhere() {
    let (_town, ada, ben, _) = town_with_room().await;
    let mut ear = ben.listens_in_the_lobby().await;
    for hostile in HOSTILE.into_iter().filter(|text| text.len() < 50) {
        let room = ada.creates_room(hostile).await;
        ada.posts(room, "hello").await;
        ear.hears(&format!("id=\"room-{room}\"")).await;
        let lobby = ben.lobby().await;
        is_harmless(&lobby);
        assert!(
            lobby
                .text(&format!("#room-{room}"))
                .contains(&words(hostile)),
            "{hostile}"
        );
        let page = ben.room(room).await;
        is_harmless(&page);
        assert!(
            page.text("title").contains(&words(hostile)),
            "{hostile} is not in the title"
        );
        is_harmless(
            &ben.fetches(&format!("/rooms/{room}"), "main#conversation")
                .await,
        );
    }
    for frame in ear.frames() {
        fragment_is_harmless(frame, false);
    }
}

#[tokio::test]
async fn a_refused_text_comes_back_as_text() {
    let (town, ada, _, room) = town_with_room().await;
    let long = format!(
        "</textarea><img src=x onerror=alert(1)>{}",
        "x".repeat(10_001)
    );
    is_harmless(&ada.tries_to_post(room, &long).await.is(422));
    let path = format!("/rooms/{room}/messages");
    is_harmless(
        &ada.submits(
            &path,
            &[("body", &long), ("key", "ffffffffffffffffffffffffffffffff")],
        )
        .await
        .is(422),
    );
    is_harmless(
        &ada.submits(
            "/rooms",
            &[("name", &"<img src=x onerror=alert(1)>".repeat(20))],
        )
        .await
        .is(422),
    );
    for path in ["/signin", "/signup"] {
        for name in ["<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>"] {
            let answer = town
                .anon()
                .submits(path, &[("username", name), ("password", "x")])
                .await;
            assert!(
                (400..500).contains(&answer.status),
                "{path}: {}",
                answer.status
            );
            is_harmless(&answer);
        }
    }
}

#[tokio::test]
async fn a_dangerous_address_is_no_link() {
    let (_town, ada, ben, room) = town_with_room().await;
    for text in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:msgbox(1)",
        "//evil.example/x",
        "file:///etc/passwd",
        "javascript://example.org/%0aalert(1)",
        "https:evil",
        "mailto:ada@example.org",
    ] {
        let seq = ada.posts(room, text).await;
        let page = ben.room(room).await;
        assert_eq!(
            page.attrs(&format!("#message-{seq} .text a"), "href"),
            Vec::<String>::new(),
            "{text}"
        );
        assert_eq!(of(page.messages(), seq).text, words(text));
    }
    let seq = ada
        .posts(
            room,
            "https://example.org/\"onmouseover=\"alert(1) https://example.org/<b>",
        )
        .await;
    let page = ben.room(room).await;
    is_harmless(&page);
    for href in page.attrs(&format!("#message-{seq} .text a"), "href") {
        assert!(href.starts_with("https://example.org/"), "{href}");
    }
}

#[tokio::test]
async fn a_message_that_says_nothing_or_far_too_much_is_refused_with_a_reason() {
    let (_town, ada, _, room) = town_with_room().await;
    let marks = format!("a{}", "\u{301}".repeat(9_000));
    let lines = "x\n".repeat(5_000);
    for text in [
        "",
        "   ",
        "\n\n\n",
        "\u{200b}\u{200b}",
        "\u{2060}\u{feff} \u{ad}",
        "\u{3164}",
        "a\0b",
        &lines,
        &marks,
    ] {
        let answer = ada.tries_to_post(room, text).await;
        assert_eq!(
            answer.status,
            422,
            "{:?}",
            text.chars().take(20).collect::<String>()
        );
        assert!(
            answer
                .html()
                .root_element()
                .text()
                .any(|words| words.trim().len() > 10),
            "a reason: {}",
            answer.body
        );
    }
    let mebibyte = "\u{301}".repeat(512 * 1024);
    let answer = ada.tries_to_post(room, &mebibyte).await;
    assert!([413, 422].contains(&answer.status), "{}", answer.status);
    for raw in [
        "body=%ED%A0%80&key=00000000000000000000000000000001",
        "body=%FF%FE&key=00000000000000000000000000000001",
    ] {
        let ask = ada
            .asks(reqwest::Method::POST, &format!("/rooms/{room}/messages"))
            .htmx("ol#messages");
        let answer = ask
            .body("application/x-www-form-urlencoded", raw)
            .sends()
            .await;
        assert!(
            [400, 422].contains(&answer.status),
            "{raw} → {}",
            answer.status
        );
    }
    assert_eq!(ada.posts(room, "still the first").await, 1);
}

#[tokio::test]
async fn a_text_is_kept_in_its_composed_form() {
    let (_town, ada, _, room) = town_with_room().await;
    ada.posts(room, "cafe\u{301}").await;
    assert_eq!(ada.room(room).await.messages()[0].text, "caf\u{e9}");
    ada.edits(room, 1, "re\u{301}sume\u{301}").await;
    assert_eq!(ada.room(room).await.messages()[0].text, "r\u{e9}sum\u{e9}");
}

#[tokio::test]
async fn a_deleted_text_is_nowhere() {
    let (_town, ada, ben, room) = town_with_room().await;
    let secret = "the word is Mellon";
    let key = crate::support::actor::new_key();
    ada.posts_with_key(room, secret, &key).await.is(200);
    ada.edits(room, 1, "the word is Mellon, friend").await;
    ada.deletes(room, 1).await;

    let mut ear = ben.listens(room, 0).await;
    assert!(ear.sees(1).await.deleted);
    let path = format!("/rooms/{room}");
    let mut bodies = ear.frames().to_vec();
    for who in [&ada, &ben] {
        for query in ["", "?before=2", "?at=1"] {
            bodies.push(who.gets(&format!("{path}{query}")).await.is(200).body);
            bodies.push(
                who.fetches(&format!("{path}{query}"), "ol#messages")
                    .await
                    .is(200)
                    .body,
            );
        }
        bodies.push(who.lobby().await.body);
        bodies.push(
            who.gets(&format!("{path}/messages/1/edit"))
                .await
                .is(404)
                .body,
        );
    }
    bodies.push(ada.posts_with_key(room, secret, &key).await.body);
    for body in bodies {
        assert!(
            messages_in(&body)
                .iter()
                .all(|message| message.text.is_empty() || message.deleted)
        );
        assert!(!body.contains("Mellon"), "{body}");
    }
}
