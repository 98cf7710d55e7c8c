//! People behind proxies: who counts as whom, and what the log says to the operator who has not set it up.

use std::path::Path;

use reqwest::Method;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::support::process::raw;
use crate::support::{Answer, House, PASSWORD, PATIENCE, Person, free_port};

/// Signs in as somebody whom a proxy speaks for with these headers.
async fn signs_in(person: &Person, password: &str, headers: &[(&str, &str)]) -> Answer {
    let form = [("username", person.name()), ("password", password)];
    let ask = person.asks(Method::POST, "/signin").form(&form);
    let ask = headers
        .iter()
        .fold(ask, |ask, (name, value)| ask.header(name, value));
    ask.sends().await
}

/// Guesses ten times; the eleventh guess is one too many.
async fn guesses_too_often(person: &Person, headers: &[(&str, &str)]) {
    for _ in 0..10 {
        signs_in(person, "wrong", headers).await.is(422);
    }
    signs_in(person, "wrong", headers).await.is(429);
}

#[tokio::test]
async fn who_guesses_behind_a_trusted_proxy_blocks_nobody_else_behind_it() {
    let data = TempDir::new().expect("a directory");
    let flags = ["--trusted-proxies", "loopback,private"];
    let house = House::opens("127.0.0.1:0", data.path(), &flags).await;
    let ada = house.person("ada").await;
    let mallory = house.anon("mallory");
    guesses_too_often(&mallory, &[("x-forwarded-for", "6.6.6.6, 10.1.2.3")]).await;
    for list in [
        "6.6.6.6",
        "1.1.1.1, 6.6.6.6:4711",
        "[::ffff:6.6.6.6]:1, 10.0.0.9",
    ] {
        let again = signs_in(&mallory, "wrong", &[("x-forwarded-for", list)]).await;
        assert_eq!(again.status, 429, "{list}");
    }
    let his = [("forwarded", "for=1.1.1.1, for=\"6.6.6.6:4711\"")];
    signs_in(&mallory, "wrong", &his).await.is(429);
    let torn = [("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=9.9.9.9")];
    signs_in(&mallory, "wrong", &torn).await.is(422);
    assert!(
        house.has_logged("name two addresses"),
        "and the log says so"
    );

    let hers = [("x-forwarded-for", "6.6.6.6, 198.51.100.7")];
    let elsewhere = ada.elsewhere();
    signs_in(&elsewhere, PASSWORD, &hers).await.is(303);
    signs_in(
        &elsewhere,
        PASSWORD,
        &[("forwarded", "for=\"[2001:db8::7]\"")],
    )
    .await
    .is(303);
    assert!(!house.has_logged("is ignored"), "the proxy is trusted");
}

#[tokio::test]
async fn a_peer_that_is_not_trusted_is_named_once_and_not_believed() {
    let data = TempDir::new().expect("a directory");
    let flags = ["--trusted-proxies", "10.0.0.2"];
    let house = House::opens("127.0.0.1:0", data.path(), &flags).await;
    let mallory = house.anon("mallory");
    for n in 0..10 {
        let list = format!("198.51.100.{n}, 10.0.0.2");
        signs_in(&mallory, "wrong", &[("x-forwarded-for", &list)])
            .await
            .is(422);
    }
    signs_in(&mallory, "wrong", &[("forwarded", "for=192.0.2.1")])
        .await
        .is(429);
    assert_eq!(house.times_logged("is ignored"), 1, "once for this peer");
    for words in [
        "peer=127.0.0.1",
        "X-Forwarded-For",
        "--trusted-proxies 127.0.0.1",
    ] {
        assert_eq!(house.times_logged(words), 1, "{words}");
    }
    for n in 2..60 {
        let scanner = house.anon("scanner").calling_from(&format!("127.0.0.{n}"));
        let ask = scanner.asks(Method::GET, "/healthz");
        ask.header("x-forwarded-for", "1.2.3.4")
            .sends()
            .await
            .is(200);
    }
    assert_eq!(house.times_logged("is ignored"), 32, "and not everybody");
}

#[tokio::test]
async fn a_trusted_proxy_that_does_not_say_for_whom_it_asks_is_told_on_once() {
    let data = TempDir::new().expect("a directory");
    let flags = ["--trusted-proxies", "loopback"];
    let house = House::opens("127.0.0.1:0", data.path(), &flags).await;
    house.anon("balancer").gets("/readyz").await.is(200);
    let ada = house.anon("ada");
    assert!(
        !house.has_logged("does not say"),
        "a health check is itself"
    );
    for _ in 0..2 {
        signs_in(&ada, "wrong", &[]).await.is(422);
    }
    assert_eq!(house.times_logged("does not say for whom it asks"), 1);
}

#[tokio::test]
async fn where_there_is_a_proxy_metrics_are_for_the_token_alone() {
    for flags in [
        &["--trusted-proxies", "10.0.0.2"][..],
        &["--public-url", "http://127.0.0.1:1"],
    ] {
        let data = TempDir::new().expect("a directory");
        let token = ["--metrics-token", "a-token-for-the-metrics"];
        let flags = [flags, &token].concat();
        let listen = format!("127.0.0.1:{}", free_port());
        let house = House::opens(&listen, data.path(), &flags).await;
        let ask = |token: &str| {
            format!(
                "GET /metrics HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
            )
        };
        let open = raw(&listen, &ask("a-token-for-the-metrics")).await;
        assert!(open.contains(" 200 "), "{flags:?}: {open}");
        let shut = raw(&listen, &ask("")).await;
        assert!(shut.contains(" 404 "), "{flags:?}: {shut}");
        drop(house);
    }
}

/// Guesses a password over a unix socket, as a proxy passes it on; the status.
async fn guesses_over(socket: &Path, forwarded: &str) -> String {
    let body = "username=ada&password=wrong";
    let head = format!(
        "POST /signin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Forwarded-For: {forwarded}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    over(socket, &head).await
}

/// The status of the answer to a request over a unix socket.
async fn over(socket: &Path, request: &str) -> String {
    let mut line = UnixStream::connect(socket).await.expect("it listens");
    line.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    let read = timeout(PATIENCE, line.read_to_string(&mut answer)).await;
    read.expect("it answers").expect("an answer in UTF-8");
    answer.get(9..12).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn who_comes_over_a_unix_socket_is_a_proxy_and_nobody_of_this_machine() {
    let data = TempDir::new().expect("a directory");
    let socket = data.path().join("chat.sock");
    let listen = format!("127.0.0.1:0,unix:{}", socket.display());
    let token = ["--metrics-token", "a-token-for-the-metrics"];
    let house = House::opens(&listen, data.path(), &token).await;
    house.person("ada").await;
    for _ in 0..10 {
        assert_eq!(guesses_over(&socket, "1.1.1.1, 6.6.6.6").await, "422");
    }
    assert_eq!(guesses_over(&socket, "2.2.2.2, 6.6.6.6").await, "429");
    assert_eq!(guesses_over(&socket, "6.6.6.6, 7.7.7.7").await, "422");

    let ask = |token: &str| {
        format!("GET /metrics HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n")
    };
    assert_eq!(over(&socket, &ask("")).await, "404");
    assert_eq!(over(&socket, &ask(token[1])).await, "200");
    let beside = house.raw(&ask("")).await;
    assert!(beside.contains(" 404 "), "nor beside it: {beside}");
    assert!(house.raw(&ask(token[1])).await.contains(" 200 "));
}
