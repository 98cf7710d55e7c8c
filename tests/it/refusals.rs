//! Requests that are refused by where they are for or from: what a person reads, what the operator reads, and which
//! names are the server's.

use reqwest::Method;
use tempfile::TempDir;

use crate::support::snapshots::looks_like;
use crate::support::{Answer, House, PASSWORD, Person, Town};

/// What a browser sends that opened `origin`, through a proxy that calls the server `host`.
async fn opens_room(person: &Person, origin: &str, host: Option<&str>) -> Answer {
    let ask = person.asks(Method::POST, "/rooms").form(&[("name", "")]);
    let ask = ask.header("origin", origin);
    let ask = match host {
        Some(host) => ask.header("host", host),
        None => ask,
    };
    ask.sends().await
}

/// The number that an answer bears is in this many lines of the log.
fn lines_about(house: &House, answer: &Answer) -> usize {
    house.times_logged(answer.header("x-request-id"))
}

#[tokio::test]
async fn a_proxy_that_only_passes_requests_on_is_explained_on_the_page_and_in_the_log() {
    let data = TempDir::new().expect("a directory");
    let house = House::opens("127.0.0.1:0", data.path(), &[]).await;
    let ada = house.person("ada").await;
    let origin = "https://chat.example.org";
    let page = opens_room(&ada, origin, None).await.is(403);
    looks_like("refused_origin", &page);
    let form = [("name", "General")];
    let ask = ada
        .asks(Method::POST, "/rooms")
        .form(&form)
        .htmx("main#conversation");
    let fragment = ask.header("origin", origin).sends().await.is(403);
    looks_like("refused_origin_fragment", &fragment);

    assert_eq!(
        (lines_about(&house, &page), lines_about(&house, &fragment)),
        (1, 1)
    );
    let line = house.logged(page.header("x-request-id"));
    for words in [
        "WARN",
        "refused by its Origin",
        "origin=\"https://chat.example.org\"",
        "sec_fetch_site=\"same-origin\"",
        &format!("host=\"{}\"", house.listen()),
        &format!("expected that of {}", house.listen()),
        "--public-url https://chat.example.org",
        "proxy_set_header Host $host",
    ] {
        assert!(line.contains(words), "{words} in {line}");
    }
    let again = house.logged(fragment.header("x-request-id"));
    assert!(again.contains("INFO"), "the same is told once: {again}");

    let knock = ada.knocks("").header("origin", "https://live.example.org");
    let knock = knock.sends().await.is(403);
    let line = house.logged(knock.header("x-request-id"));
    assert!(
        line.contains("--public-url https://live.example.org"),
        "{line}"
    );
}

#[tokio::test]
async fn a_name_that_is_not_the_servers_is_explained_on_the_page_and_in_the_log() {
    let data = TempDir::new().expect("a directory");
    let flags = ["--host", "one.example.org"];
    let house = House::opens("127.0.0.1:0", data.path(), &flags).await;
    let ada = house.anon("ada");
    let ask = ada
        .asks(Method::GET, "/signin")
        .header("host", "Two.example.org:81");
    let page = ask.sends().await.is(421);
    looks_like("refused_host", &page);
    for style in page.attrs("link[rel=stylesheet]", "href") {
        let ask = ada.asks(Method::GET, &style);
        ask.header("host", "two.example.org").sends().await.is(200);
    }
    let line = house.logged(page.header("x-request-id"));
    for words in [
        "WARN",
        "refused by its Host",
        "host=\"Two.example.org:81\"",
        "expected one.example.org, localhost or an address",
        "--public-url https://two.example.org:81",
        "--host two.example.org",
    ] {
        assert!(line.contains(words), "{words} in {line}");
    }
    let answer = house.raw("GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 421"), "{answer}");
    assert!(answer.contains("does not say which server"), "{answer}");
    assert!(house.has_logged("refused by its Host; expected one.example.org"));
}

#[tokio::test]
async fn what_a_refused_request_says_is_cut_and_escaped_wherever_it_shows() {
    let data = TempDir::new().expect("a directory");
    let house = House::opens("127.0.0.1:0", data.path(), &["--log-level", "warn"]).await;
    let long = "x".repeat(5000);
    for host in [
        "\"><img src=x onerror=alert(1)>",
        "a b",
        "caf\u{e9}",
        "$(id)",
        &long,
    ] {
        for method in ["GET", "POST"] {
            let origin = format!("http://{host}");
            let head = format!("{method} / HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n");
            let answer = house.raw(&format!("{head}Connection: close\r\n\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 421"), "{host}: {answer}");
            let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
            for raw in [host, "<img", "x".repeat(300).as_str()] {
                assert!(!body.contains(raw), "{raw} in {body}");
            }
        }
    }
    let mut house = house;
    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
    let log = house.log().await;
    assert!(log.contains("host=\"\\\"><img src=x onerror"), "{log}");
    assert!(!log.contains(&"x".repeat(200)), "{log}");
    for line in log.lines().filter(|line| line.contains("refused")) {
        assert!(line.len() < 1500 && line.contains("WARN"), "{line}");
    }
}

#[tokio::test]
async fn a_flood_of_refusals_is_few_lines_and_each_number_is_in_one_all_the_same() {
    let data = TempDir::new().expect("a directory");
    let house = House::opens("127.0.0.1:0", data.path(), &[]).await;
    let ada = house.anon("ada");
    let mut numbers = Vec::new();
    for n in 0..150 {
        let host = format!("h{}.example.org", n / 3);
        let answer = ada
            .asks(Method::GET, "/")
            .header("host", &host)
            .sends()
            .await;
        numbers.push(answer.is(421).header("x-request-id").to_owned());
    }
    let told = house.times_logged("refused by its Host");
    assert!((20..40).contains(&told), "{told} lines");
    for number in numbers {
        assert_eq!(house.times_logged(&number), 1, "{number}");
    }
}

#[tokio::test]
async fn the_number_of_every_answer_that_is_an_error_is_in_the_log() {
    let data = TempDir::new().expect("a directory");
    let house = House::opens("127.0.0.1:0", data.path(), &[]).await;
    let ada = house.person("ada").await;
    let secret = "0123456789abcdef0123456789abcdef";
    for answer in [
        ada.gets("/nowhere").await.is(404),
        ada.gets(&format!("/password/{secret}")).await.is(404),
        ada.gets("/signout").await.is(405),
        ada.submits("/rooms", &[("name", "")]).await.is(422),
        ada.submits("/rooms", &[]).await.is(400),
        ada.asks(Method::PATCH, "/").sends().await.is(405),
        house.anon("").fetches("/", "main").await.is(401),
        house
            .anon("ada")
            .submits("/signin", &[("username", "ada"), ("password", "x")])
            .await
            .is(422),
    ] {
        assert_eq!(lines_about(&house, &answer), 1, "{answer:?}");
        let line = house.logged(answer.header("x-request-id"));
        assert!(
            line.contains(&format!("status={}", answer.status)),
            "{line}"
        );
    }
    assert!(
        !house.has_logged(secret),
        "what may be a secret is left out"
    );
    let good = ada.lobby().await;
    assert_eq!(
        lines_about(&house, &good),
        0,
        "a page that was shown is not news"
    );
}

#[tokio::test]
async fn the_public_address_and_every_added_name_are_the_servers_whatever_a_proxy_calls_it() {
    let flags = [
        "--public-url",
        "http://chat.example.org",
        "--host",
        "one.example.org",
    ];
    let town = Town::with(&[&flags[..], &["--host", "two.example.org,inner"]].concat()).await;
    let ada = town.person("ada").await;
    for (origin, host, is_ours) in [
        ("http://chat.example.org", None, true),
        ("http://chat.example.org", Some("chat.example.org:80"), true),
        ("http://chat.example.org", Some("inner:8000"), true),
        ("https://one.example.org", Some("inner"), true),
        (
            "https://one.example.org:8443",
            Some("chat.example.org"),
            true,
        ),
        ("https://two.example.org", Some("two.example.org"), true),
        ("http://inner:8000", Some("chat.example.org"), true),
        ("https://10.0.0.7", Some("10.0.0.7"), true),
        ("https://chat.example.org", None, false),
        ("http://10.0.0.7", Some("chat.example.org"), false),
        ("http://three.example.org", Some("inner"), false),
    ] {
        let (form, live) = if is_ours { (422, 101) } else { (403, 403) };
        let answer = opens_room(&ada, origin, host).await;
        assert_eq!(answer.status, form, "{origin} for {host:?}");
        let knock = ada.knocks("").header("origin", origin);
        let knock = host
            .into_iter()
            .fold(knock, |knock, host| knock.header("host", host));
        assert_eq!(knock.sends().await.status, live, "{origin} for {host:?}");
    }
    let foreign = ada
        .asks(Method::GET, "/")
        .header("host", "three.example.org");
    let page = foreign.sends().await.is(421);
    assert!(page.body.contains("--host"), "{}", page.body);
    assert!(!page.body.contains("three"), "{}", page.body);
}

#[tokio::test]
async fn behind_tls_without_a_public_address_people_sign_in_by_the_machines_own() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let form = [("username", "ada"), ("password", PASSWORD)];
    let elsewhere = ada.elsewhere();
    let ask = elsewhere.asks(Method::POST, "/signin").form(&form);
    let ask = ask
        .header("host", "10.0.0.7")
        .header("origin", "https://10.0.0.7");
    let answer = ask.sends().await.leads_to("/");
    let cookie = answer.header("set-cookie");
    assert!(
        !cookie.contains("Secure"),
        "it is not known that TLS is in front: {cookie}"
    );
}

#[tokio::test]
async fn a_page_that_is_hidden_and_one_of_another_site_are_told_apart() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let hidden = opens_room(&ada, "null", None).await.is(403);
    assert!(hidden.body.contains("Referrer-Policy"), "{}", hidden.body);
    let foreign = ada.asks(Method::POST, "/rooms").form(&[("name", "x")]);
    let foreign = foreign.header("sec-fetch-site", "cross-site");
    let foreign = foreign.header("origin", "null").sends().await.is(403);
    assert!(foreign.body.contains("another site"), "{}", foreign.body);
    let silent = ada.knocks("").without("origin").sends().await.is(403);
    assert!(
        silent.body.contains("Browsers send Origin"),
        "{}",
        silent.body
    );
}
