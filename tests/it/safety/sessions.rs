//! Sessions, cookies, and where a sign-in may lead.

use reqwest::Method;

use crate::support::actor::is_session;
use crate::support::{Answer, PASSWORD, Person, Town};

const ADA: [(&str, &str); 2] = [("username", "ada"), ("password", PASSWORD)];

#[tokio::test]
async fn a_session_fixed_before_signing_in_is_worth_nothing_after() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let (name, old) = ada.session().expect("she is signed in");
    let thief = ada.copied();

    ada.submits("/signin", &ADA).await.is(303);
    let (_, new) = ada.session().expect("she is signed in");
    assert_ne!(new, old);
    thief.gets("/").await.leads_to("/signin");

    let victim = town.anon();
    victim.has_cookie(&name, "ZZZZZZZZZZZZZZZZZZZZZZ");
    victim.submits("/signin", &ADA).await.leads_to("/");
    assert_ne!(
        victim.session().expect("signed in").1,
        "ZZZZZZZZZZZZZZZZZZZZZZ"
    );
}

#[tokio::test]
async fn the_cookie_bears_the_port_so_that_two_servers_keep_two_people_apart() {
    let (here, there) = (Town::start().await, Town::start().await);
    let ada = here.person("ada").await;
    let (name, _) = ada.session().expect("she is signed in");
    assert_eq!(name, format!("tertulia_{}", here.addr().port()));
    let ben = there.person("ben").await;
    assert_ne!(ben.session().expect("he is signed in").0, name);

    let (name, value) = ada.session().expect("she is signed in");
    ben.has_cookie(&name, &value);
    assert!(ben.lobby().await.body.contains("ben"));
}

#[tokio::test]
async fn over_https_the_cookie_belongs_to_the_host_and_to_https() {
    let town = Town::with(&["--public-url", "https://chat.example.org"]).await;
    let ada = town.anon();
    let signup = ada.asks(reqwest::Method::POST, "/signup").form(&ADA);
    let signup = signup
        .header("origin", "https://chat.example.org")
        .header("host", "chat.example.org");
    let answer = signup.sends().await.leads_to("/");
    let cookies = answer.headers("set-cookie");
    let session = cookies
        .iter()
        .find(|cookie| is_session(cookie.split('=').next().unwrap_or_default()));
    let session = session.unwrap_or_else(|| panic!("no session cookie in {cookies:?}"));
    assert!(session.starts_with("__Host-tertulia="), "{session}");
    for mark in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(session.contains(mark), "{mark} in {session}");
    }
    assert!(
        answer
            .header("strict-transport-security")
            .contains("max-age="),
        "HSTS"
    );
}

/// Where a sign-in leads with this `next`.
async fn next(person: &Person, next: &str) -> String {
    let browser = person.elsewhere();
    let form = [ADA.as_slice(), &[("next", next)]].concat();
    browser
        .submits("/signin", &form)
        .await
        .is(303)
        .location()
        .to_owned()
}

#[tokio::test]
async fn a_sign_in_leads_to_a_path_of_ours_only() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    let place = format!("/rooms/{room}?at=2");
    assert_eq!(next(&ada, &place).await, place);
    for evil in [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        "\t//evil.example",
        "https:evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/x\r\nSet-Cookie: a=b",
        "/\r\n/evil.example",
        "evil.example",
        "",
    ] {
        let location = next(&ada, evil).await;
        assert!(location.starts_with('/'), "{evil:?} leads to {location:?}");
        assert!(
            !location.starts_with("//") && !location.contains(['\\', '\t', '\r', '\n']),
            "{evil:?} leads to {location:?}"
        );
        let url = url::Url::parse(town.url())
            .expect("a URL")
            .join(&location)
            .expect("a path");
        assert_eq!(
            url.host_str(),
            Some("127.0.0.1"),
            "{evil:?} leads to {location:?}"
        );

        let query: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
        let page = town
            .anon()
            .gets(&format!("/signin?next={query}"))
            .await
            .is(200);
        for value in page.attrs("input[name=next]", "value") {
            assert!(
                value.is_empty() || (value.starts_with('/') && !value.starts_with("//")),
                "{evil:?}: {value:?}"
            );
        }
    }
}

#[tokio::test]
async fn private_pages_are_not_kept_by_any_cache() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "hello").await;
    for path in [
        "/".into(),
        format!("/rooms/{room}"),
        format!("/rooms/{room}?at=1"),
        format!("/rooms/{room}/messages/1/edit"),
    ] {
        for answer in [
            ada.gets(&path).await.is(200),
            ada.fetches(&path, "main#conversation").await,
        ] {
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            assert!(
                answer.header("vary").to_lowercase().contains("hx-request"),
                "{path}"
            );
        }
    }
    assert_eq!(
        ada.gets("/rooms/4711").await.header("cache-control"),
        "no-store"
    );
}

#[tokio::test]
async fn an_asset_may_be_kept_for_ever_because_its_address_changes_with_it() {
    let town = Town::start().await;
    let page = town.anon().gets("/signup").await.is(200);
    let styles = page.attrs("link[rel=stylesheet]", "href");
    let scripts = page.attrs("script", "src");
    assert!(!styles.is_empty() && !scripts.is_empty());
    assert_eq!(
        scripts.len(),
        page.count("script"),
        "no script without a src"
    );
    for path in styles.iter().chain(&scripts) {
        let asset = town.anon().gets(path).await.is(200);
        assert!(
            asset.header("cache-control").contains("immutable"),
            "{path}: {}",
            asset.header("cache-control")
        );
        assert_eq!(asset.headers("set-cookie"), Vec::<&str>::new());
    }
    for path in [
        "/assets/0000000000000000/app.css",
        "/assets/x/../../Cargo.toml",
        "/assets/x/%2e%2e/%2e%2e/Cargo.toml",
    ] {
        let answer = town.anon().gets(path).await;
        assert!(
            [400, 404].contains(&answer.status),
            "{path} → {}",
            answer.status
        );
    }
}

#[tokio::test]
async fn style_and_script_travel_compressed_to_those_who_take_it() {
    let town = Town::start().await;
    let page = town.anon().gets("/signup").await.is(200);
    let length = |answer: &Answer| answer.header("content-length").parse::<usize>();
    for path in [
        &page.attrs("link[rel=stylesheet]", "href")[0],
        &page.attrs("script", "src")[0],
    ] {
        let anon = town.anon();
        let asks = anon.asks(Method::GET, path);
        let small = asks
            .header("accept-encoding", "br, gzip")
            .sends()
            .await
            .is(200);
        let plain = anon.gets(path).await.is(200);
        assert_eq!(small.header("content-encoding"), "gzip", "{path}");
        assert_eq!(plain.header("content-encoding"), "", "{path}");
        assert!(
            length(&small).expect("a length") * 2 < length(&plain).expect("a length"),
            "{path}"
        );
        for answer in [&small, &plain] {
            assert_eq!(answer.header("vary"), "Accept-Encoding", "{path}");
        }
    }
}

#[tokio::test]
async fn a_foreign_host_name_appears_in_no_answer() {
    let town = Town::with(&["--public-url", "http://chat.example.org"]).await;
    for path in ["/", "/signin", "/signup", "/rooms/1", "/live"] {
        let answer = town
            .anon()
            .asks(reqwest::Method::GET, path)
            .header("host", "evil.example")
            .sends()
            .await;
        assert!(!answer.body.contains("evil.example"), "{path}");
        assert!(
            answer
                .headers
                .values()
                .all(|value| !value.as_bytes().windows(4).any(|part| part == b"evil")),
            "{path}"
        );
    }
    let signup = town.anon();
    let rebound = signup
        .asks(reqwest::Method::POST, "/signup")
        .form(&ADA)
        .without("sec-fetch-site");
    let rebound = rebound
        .header("host", "evil.example")
        .header("origin", "http://evil.example");
    let answer = rebound.sends().await;
    assert!(
        [400, 403, 421].contains(&answer.status),
        "{}",
        answer.status
    );
}

#[tokio::test]
async fn signing_out_ends_what_is_live_by_that_session_and_nothing_else() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    let at_home = ada.elsewhere();
    at_home.signs_in().await;
    let mut pages = [
        ada.listens(room, 0).await,
        ada.listens_in_the_lobby().await,
        ada.listens_in_the_lobby().await,
    ];
    let mut other = at_home.listens_in_the_lobby().await;

    ada.submits("/signout", &[]).await.leads_to("/signin");
    for page in &mut pages {
        assert_eq!(page.closes_with().await.0, Some(1008));
    }
    assert_eq!(ada.tries_to_listen("").await.err(), Some(401));
    at_home.posts(room, "still here").await;
    other.hears("still here").await;
}
