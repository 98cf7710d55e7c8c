use super::*;
use crate::listener::rejection::Rejection::{
    BodyTooLarge, Compressed, HeadTooLarge, Malformed, TargetTooLong,
};

const LIMIT: u64 = 1000;

fn judge(bytes: &[u8]) -> Result<Option<Next>, Rejection> {
    match Scan::default().advance(bytes)? {
        Some(end) => inspect(&bytes[..end], LIMIT).map(Some),
        None => Ok(None),
    }
}

/// A POST to this house with these header lines.
fn post(fields: &str) -> Result<Option<Next>, Rejection> {
    judge(format!("POST / HTTP/1.1\r\nHost: x\r\n{fields}\r\n").as_bytes())
}

#[test]
fn ordinary_heads_pass() {
    let none = Ok(Some(Next::Body(0)));
    assert_eq!(judge(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), none);
    assert_eq!(judge(b"GET / HTTP/1.1\r\n\r\n"), none);
    assert_eq!(judge(b"GET /a?b=%20 HTTP/1.1\r\nhOST:x\r\n\r\n"), none);
    assert_eq!(judge(b"GET / HTTP/1.0\r\n\r\n"), none);
    assert_eq!(judge(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), none);
    assert_eq!(judge(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nrest"), none);
    assert_eq!(post("X: caf\u{e9} \t z\r\nEmpty:\r\n"), none);
    assert_eq!(post("Content-Length: 0\r\n"), none);
    assert_eq!(post("content-length:\t7 \r\n"), Ok(Some(Next::Body(7))));
    assert_eq!(post("Content-Length: 1000\r\n"), Ok(Some(Next::Body(1000))));
    assert_eq!(
        post("Content-Encoding: identity\r\nContent-Length: 1\r\n"),
        Ok(Some(Next::Body(1)))
    );
}

#[test]
fn an_upgrade_needs_both_headers_and_no_body() {
    let upgrade = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n";
    assert_eq!(post(upgrade), Ok(Some(Next::Upgrade)));
    let alone = post("Upgrade: websocket\r\n");
    assert_eq!(alone, Ok(Some(Next::Body(0))));
    let with_body = post(&format!("{upgrade}Content-Length: 5\r\n"));
    assert_eq!(with_body, Ok(Some(Next::Body(5))));
    let old = judge(b"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    assert_eq!(old, Ok(Some(Next::Body(0))));
}

#[test]
fn half_a_head_waits_and_no_byte_is_read_twice() {
    let head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut scan = Scan::default();
    for end in 0..head.len() {
        assert_eq!(scan.advance(&head[..end]), Ok(None), "{end} bytes");
        assert_eq!(scan.seen, end);
    }
    assert_eq!(scan.advance(head), Ok(Some(head.len())));
}

#[test]
fn malformed_heads_are_refused() {
    for head in [
        "GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\r\nHost: x\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: \x1b[0m\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: \x7f\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\x16\x03\x01",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\n\tHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n: nameless\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
        "GET /caf\u{e9} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
        "G\"T / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        "GET / http/1.1\r\nHost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        assert_eq!(judge(head.as_bytes()), Err(Malformed), "{head:?}");
    }
}

#[test]
fn a_body_must_have_one_plain_length() {
    for (fields, rejection) in [
        ("Content-Length: 5\r\nContent-Length: 5\r\n", Malformed),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", Malformed),
        ("Content-Length: 5, 5\r\n", Malformed),
        ("Content-Length: +5\r\n", Malformed),
        ("Content-Length: -1\r\n", Malformed),
        ("Content-Length: 0x5\r\n", Malformed),
        ("Content-Length: 5 5\r\n", Malformed),
        ("Content-Length:\r\n", Malformed),
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            Malformed,
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
            Malformed,
        ),
        ("Transfer-Encoding: gzip, chunked\r\n", Malformed),
        ("Transfer-Encoding: identity\r\n", Malformed),
        ("Transfer-Encoding: xchunked\r\n", Malformed),
        ("Transfer-Encoding:\r\n", Malformed),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            Malformed,
        ),
        ("Transfer-Encoding: chunked\r\n", BodyTooLarge),
        ("Content-Length: 1001\r\n", BodyTooLarge),
        ("Content-Length: 1000000000000\r\n", BodyTooLarge),
        ("Content-Length: 99999999999999999999999\r\n", BodyTooLarge),
        (
            "Content-Encoding: gzip\r\nContent-Length: 5\r\n",
            Compressed,
        ),
    ] {
        assert_eq!(post(fields), Err(rejection), "{fields:?}");
    }
}

#[test]
fn size_has_its_limits() {
    let target = |size| format!("GET /{} HTTP/1.1\r\n", "a".repeat(size));
    assert_eq!(judge(target(8000).as_bytes()), Ok(None));
    assert_eq!(judge(target(8192).as_bytes()), Err(TargetTooLong));

    let (almost, over) = ("A: b\r\n".repeat(99), "A: b\r\n".repeat(100));
    assert_eq!(post(&almost), Ok(Some(Next::Body(0))));
    assert_eq!(post(&over), Err(HeadTooLarge));

    let wide = |size| format!("A: {}\r\n", "b".repeat(size));
    assert_eq!(post(&wide(32_000)), Ok(Some(Next::Body(0))));
    assert_eq!(post(&wide(33_000)), Err(HeadTooLarge));
    assert_eq!(post(&wide(1 << 20)), Err(HeadTooLarge));
}
