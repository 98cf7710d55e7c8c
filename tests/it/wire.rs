//! What arrives at the socket before it is a request: framing, sizes, order, and that each
//! connection ends as it should. Raw bytes in, raw bytes out; deadlines are tested with paused
//! time at the listener itself.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::Town;

/// A request that is answered with 200.
fn health(addr: SocketAddr) -> String {
    format!("GET /healthz HTTP/1.1\r\nHost: {addr}\r\n\r\n")
}

/// Sends these bytes and returns all that comes back until the server closes the connection,
/// which it has to do within five seconds.
async fn exchange(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let (mut receiver, mut sender) = stream.split();
    let mut answer = Vec::new();
    let both = async {
        // The server may close before it has taken everything.
        let send = async { drop(sender.write_all(bytes).await) };
        tokio::join!(send, receiver.read_to_end(&mut answer)).1
    };
    timeout(Duration::from_secs(5), both)
        .await
        .expect("the connection is closed")
        .expect("the answer is not lost in a reset");
    String::from_utf8(answer).unwrap()
}

fn statuses(answers: &str) -> Vec<u16> {
    let heads = answers.match_indices("HTTP/1.1 ");
    heads
        .map(|(at, _)| answers[at + 9..at + 12].parse().unwrap())
        .collect()
}

/// Sends bytes that must be refused with this status, closed, and never repeated.
async fn refused(addr: SocketAddr, bytes: &[u8], status: u16) {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let answer = exchange(addr, bytes).await;
    assert_eq!(statuses(&answer), [status], "{shown:?}");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("\r\nconnection: close"), "{head}");
    assert!(
        head.contains("\r\nx-content-type-options: nosniff"),
        "{head}"
    );
    assert!(
        head.contains("\r\ncontent-security-policy: default-src 'none'"),
        "{head}"
    );
    assert!(!answer.contains("<img"), "{answer}");
    assert!(
        body.contains("data-error="),
        "a sentence for the person: {body}"
    );
}

/// A POST to the sign-in form, from the house's own page, with these lines and this body.
fn sign_in(addr: SocketAddr, fields: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /signin HTTP/1.1\r\nHost: {addr}\r\nOrigin: http://{addr}\r\n\
         Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         {fields}\r\n{body}"
    )
    .into_bytes()
}

async fn is_well(addr: SocketAddr) {
    let close = health(addr).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    assert_eq!(statuses(&exchange(addr, close.as_bytes()).await), [200]);
}

#[tokio::test]
async fn bodies_that_are_too_large_are_refused_before_they_are_sent() {
    let town = Town::start().await;
    let addr = town.addr();
    for (fields, status) in [
        ("Content-Length: 1048577\r\n", 413),
        ("Content-Length: 1000000000000\r\n", 413),
        ("Content-Length: 99999999999999999999999999\r\n", 413),
        ("Transfer-Encoding: chunked\r\n", 413),
        ("Expect: 100-continue\r\nContent-Length: 1048577\r\n", 413),
        ("Content-Encoding: gzip\r\nContent-Length: 20\r\n", 415),
    ] {
        refused(addr, &sign_in(addr, fields, ""), status).await;
    }
    let chunks = "5\r\nhello\r\n".repeat(10_000);
    let chunked = sign_in(addr, "Transfer-Encoding: chunked\r\n", &chunks);
    refused(addr, &chunked, 413).await;
    is_well(addr).await;
}

#[tokio::test]
async fn a_large_body_that_is_sent_all_the_same_still_gets_its_answer() {
    let town = Town::start().await;
    let addr = town.addr();
    let body = "a".repeat(4 << 20);
    let fields = format!("Content-Length: {}\r\n", body.len());
    refused(addr, &sign_in(addr, &fields, &body), 413).await;
    is_well(addr).await;
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let town = Town::start().await;
    let addr = town.addr();
    let get = |target: &str, fields: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n").into_bytes()
    };
    let many: String = (0..200).map(|n| format!("X-{n}: <img\r\n")).collect();
    refused(addr, &get("/", &many), 431).await;
    let wide = format!("X: {}\r\n", "<img".repeat(1 << 18));
    refused(addr, &get("/", &wide), 431).await;
    let long = format!("/{}", "a".repeat(100 << 10));
    refused(addr, &get(&long, ""), 414).await;
    is_well(addr).await;
}

#[tokio::test]
async fn forms_with_too_many_fields_or_one_field_twice_are_refused() {
    let town = Town::start().await;
    let addr = town.addr();
    let many: String = (0..100_000).map(|n| format!("f{n}=&")).collect();
    let twice = "username=ada&username=ben&password=correct-horse";
    for body in [many.as_str(), twice] {
        let fields = format!("Connection: close\r\nContent-Length: {}\r\n", body.len());
        let answer = exchange(addr, &sign_in(addr, &fields, body)).await;
        let status = statuses(&answer)[0];
        assert!([400, 413, 422].contains(&status), "{status}");
    }
    is_well(addr).await;
}

#[tokio::test]
async fn what_others_could_read_differently_is_refused_and_the_connection_closed() {
    let town = Town::start().await;
    let addr = town.addr();
    let post = |fields: &str| sign_in(addr, fields, "hello");
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5\r\nX: <img\n",
        "Content-Length: 5\r\nX: <img\0\r\n",
        "Content-Length: 5\r\nX: a\r\n <img\r\n",
        "Content-Length: 5\r\nX: a\rb\r\n",
        "Content-Length: 5\r\nX <img: a\r\n",
        "Content-Length: 5\r\nHost: other\r\n",
    ] {
        refused(addr, &post(fields), 400).await;
    }
    for head in [
        "GET /healthz HTTP/1.1\nHost: x\n\n",
        "GET /<img\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /caf\u{e9} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /healthz\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
    ] {
        refused(addr, head.as_bytes(), 400).await;
    }
    is_well(addr).await;
}

#[tokio::test]
async fn a_refusal_comes_after_the_answers_to_the_requests_before_it() {
    let town = Town::start().await;
    let addr = town.addr();
    for (last, status) in [
        ("GET / HTTP/1.1\nHost: x\n\n", 400),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n",
            413,
        ),
    ] {
        let requests = format!("{0}{0}{last}{0}", health(addr));
        let answers = exchange(addr, requests.as_bytes()).await;
        assert_eq!(statuses(&answers), [200, 200, status]);
    }
}

#[tokio::test]
async fn a_body_is_never_taken_for_a_request() {
    let town = Town::start().await;
    let addr = town.addr();
    let inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let fields = format!("Content-Length: {}\r\n", inner.len());
    let requests = [
        sign_in(addr, &fields, inner),
        health(addr).into(),
        b"\0".into(),
    ]
    .concat();
    let answers = exchange(addr, &requests).await;
    let statuses = statuses(&answers);
    assert_eq!(statuses.len(), 3, "{answers}");
    assert_eq!(statuses[1..], [200, 400], "{answers}");
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another_byte_by_byte() {
    let town = Town::start().await;
    let mut stream = TcpStream::connect(town.addr()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for _ in 0..3 {
        for byte in health(town.addr()).bytes() {
            stream.write_u8(byte).await.unwrap();
        }
        let mut answer = [0; 4096];
        let size = stream.read(&mut answer).await.unwrap();
        assert!(answer[..size].starts_with(b"HTTP/1.1 200 "));
    }
}

#[tokio::test]
async fn asking_for_another_protocol_does_not_open_the_gate_for_good() {
    let town = Town::start().await;
    let health = health(town.addr());
    let upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n";
    let ask = health.replace("\r\n\r\n", &format!("\r\n{upgrade}\r\n"));
    let requests = format!("{ask}{health}{}", health.replace("\r\n", "\n"));
    let answers = exchange(town.addr(), requests.as_bytes()).await;
    // hyper drops a connection that once asked for an upgrade without shutting it, so that
    // the last request is refused by silence.
    let served = statuses(&answers)
        .iter()
        .filter(|status| **status == 200)
        .count();
    assert_eq!(served, 2, "{answers}");
}
