//! HTTPS by the server itself: certificates from files and from a certificate authority, http beside it, strangers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::pebble::Pebble;
use crate::support::process::outcome_of;
use crate::support::secure::Secure;
use crate::support::{House, PASSWORD, PATIENCE, eventually, free_port};

const HOST: &str = "chat.tertulia.test";

/// What comes back over a line without TLS until it is closed.
async fn in_the_clear(port: u16, bytes: &str) -> String {
    let mut line = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("it listens");
    line.write_all(bytes.as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, line.read_to_end(&mut answer)).await;
    read.expect("it closes the line").expect("no reset");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Signs up over HTTPS, opens the live channel by wss, and sees the page's own cookie and headers.
async fn a_person_comes_in(secure: &Secure) {
    let form = format!("username=ada&password={}", PASSWORD.replace(' ', "+"));
    let fields = format!(
        "Origin: https://{HOST}\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    );
    let answer = secure
        .asks("POST /signup", &fields, &form)
        .await
        .expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
    let lower = answer.to_ascii_lowercase();
    assert!(lower.contains("strict-transport-security:"), "{answer}");
    let cookie = &answer[lower.find("set-cookie: ").expect("a cookie") + "set-cookie: ".len()..];
    let cookie = cookie.lines().next().unwrap_or_default();
    assert!(
        cookie.starts_with("__Host-tertulia=") && cookie.contains("Secure"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap_or_default();
    let mut ask = format!("wss://{HOST}/live")
        .into_client_request()
        .expect("a URL");
    for (name, value) in [
        ("origin", format!("https://{HOST}")),
        ("cookie", cookie.to_owned()),
    ] {
        ask.headers_mut()
            .insert(name, value.parse().expect("a value"));
    }
    let line = secure.connects().await.expect("a handshake");
    let protocol = line.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    assert_eq!(protocol.as_deref(), Some(&b"http/1.1"[..]));
    match client_async(ask, line).await {
        Ok((mut socket, _)) => {
            let frame = timeout(PATIENCE, socket.next())
                .await
                .expect("a frame comes");
            assert!(frame.is_some_and(|frame| frame.is_ok()));
        }
        Err(error) => panic!("the channel does not open: {error}"),
    }
}

/// An authority of the test's own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).expect("a certificate");
        Authority {
            root: root.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Writes a certificate for these names, and its key.
    fn writes(&self, names: &[&str], certificate: &Path, key: &Path) {
        let own = KeyPair::generate().expect("a key");
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("names");
        let signed = params.signed_by(&own, &self.issuer).expect("a certificate");
        fs::write(certificate, signed.pem()).expect("room");
        fs::write(key, own.serialize_pem()).expect("room");
    }
}

#[tokio::test]
async fn a_certificate_in_files_is_shown_and_read_again_when_it_changes() {
    let data = TempDir::new().expect("a directory");
    let (certificate, key) = (data.path().join("cert.pem"), data.path().join("key.pem"));
    let authority = Authority::new();
    authority.writes(&[HOST, "other.tertulia.test"], &certificate, &key);
    let tls = format!("{},{}", certificate.display(), key.display());
    let (port, http) = (free_port(), format!("127.0.0.1:{}", free_port()));
    let flags = ["--tls", &tls, "--http-listen", &http];
    let mut house = House::opens(&format!("127.0.0.1:{port}"), data.path(), &flags).await;
    assert_eq!(
        house.listen(),
        format!("{HOST}:{port}"),
        "the certificate's first name"
    );
    let secure = Secure::new(HOST, port, &authority.root);
    let first = secure.certificate().await.expect("a good certificate");
    let other = Secure::new("other.tertulia.test", port, &authority.root);
    assert!(
        other.certificate().await.is_some(),
        "its second name is as good"
    );

    let asked = "GET /rooms/7?x=y HTTP/1.1\r\nHost: evil.test\r\n\r\n";
    for plain in [port.to_string(), http[10..].to_owned()] {
        let answer = in_the_clear(plain.parse().expect("a port"), asked).await;
        assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
        let location = format!("location: https://{HOST}:{port}/rooms/7?x=y\r\n");
        assert!(answer.contains(&location), "{answer}");
    }
    let garbage = in_the_clear(port, "\u{3}\u{0}\u{0}hello\r\n\r\n").await;
    assert!(garbage.starts_with("HTTP/1.1 400 "), "{garbage}");

    fs::write(&key, "no key").expect("room");
    house.is_sent("-HUP");
    eventually("the log says that the pair is bad", || async {
        house.has_logged("the certificate from before stays in use")
    })
    .await;
    assert_eq!(secure.certificate().await.as_ref(), Some(&first));
    authority.writes(&[HOST], &certificate, &key);
    house.is_sent("-HUP");
    eventually("the new certificate is shown", || async {
        secure.certificate().await.is_some_and(|now| now != first)
    })
    .await;
    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
}

#[tokio::test]
async fn strangers_who_never_shake_hands_keep_nobody_waiting_and_are_sent_away() {
    let data = TempDir::new().expect("a directory");
    let (certificate, key) = (data.path().join("cert.pem"), data.path().join("key.pem"));
    let authority = Authority::new();
    authority.writes(&[HOST], &certificate, &key);
    let tls = format!("{},{}", certificate.display(), key.display());
    let port = free_port();
    let house = House::opens(&format!("127.0.0.1:{port}"), data.path(), &["--tls", &tls]).await;
    let mut strangers = Vec::new();
    for number in 0..100 {
        let mut line = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("it listens");
        if number % 2 == 0 {
            // The beginning of a handshake of 512 bytes.
            line.write_all(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03")
                .await
                .expect("it reads");
        }
        strangers.push(line);
    }
    let secure = Secure::new(HOST, port, &authority.root);
    assert!(
        secure
            .get("/healthz")
            .await
            .is_some_and(|answer| answer.starts_with("HTTP/1.1 "))
    );
    for mut stranger in strangers {
        let gone = timeout(
            PATIENCE + Duration::from_secs(10),
            stranger.read(&mut [0; 64]),
        )
        .await;
        assert!(gone.is_ok(), "a stranger was never sent away");
    }
    house.dies().await;
}

#[tokio::test]
async fn what_does_not_go_together_with_tls_is_refused_with_a_sentence() {
    let data = TempDir::new().expect("a directory");
    let folder = data.path().to_str().expect("a path in UTF-8");
    for (flags, word) in [
        (&["--tls", "auto"][..], "--public-url"),
        (&["--tls", "on"], "cert.pem,key.pem"),
        (
            &["--tls", "no.pem,no.key", "--listen", "127.0.0.1:0"],
            "no.pem",
        ),
        (
            &[
                "--tls",
                "auto",
                "--public-url",
                "https://x.test",
                "--database",
                "postgres://x@127.0.0.1:1/x",
            ],
            "several nodes",
        ),
    ] {
        let run = outcome_of(&[&["--data", folder], flags].concat()).await;
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(
            !run.status.success() && said.contains(word),
            "{flags:?}: {said}"
        );
    }
}

#[tokio::test]
async fn a_server_gets_its_certificate_by_itself_and_renews_it() {
    let data = TempDir::new().expect("a directory");
    let (port, http) = (free_port(), free_port());
    let mut pebble = Pebble::absent(http, 15);
    let (directory, root) = (pebble.directory(), pebble.root());
    let root = root.to_str().expect("a path in UTF-8");
    let (url, http_listen) = (format!("https://{HOST}"), format!("127.0.0.1:{http}"));
    let flags = [
        "--tls",
        "auto",
        "--public-url",
        &url,
        "--http-listen",
        &http_listen,
        "--acme-directory",
        &directory,
        "--acme-root",
        root,
        "--limits",
        "off",
    ];
    let mut house = House::opens(&format!("127.0.0.1:{port}"), data.path(), &flags).await;
    eventually("the log says that nobody answers", || async {
        house.has_logged("the certificate authority is out of reach")
    })
    .await;
    let asked = "GET /rooms/7 HTTP/1.1\r\nHost: evil.test\r\n\r\n";
    let early = in_the_clear(http, asked).await;
    assert!(
        early.starts_with("HTTP/1.1 503 ") && early.contains("certificate"),
        "{early}"
    );

    pebble.starts().await;
    house.is_sent("-HUP");
    let secure = Secure::new(HOST, port, &pebble.authority().await);
    eventually("it has a certificate", || async {
        secure.certificate().await.is_some()
    })
    .await;
    let first = secure.certificate().await.expect("it has one");
    a_person_comes_in(&secure).await;
    let moved = in_the_clear(http, asked).await;
    assert!(
        moved.contains(&format!("location: {url}/rooms/7\r\n")),
        "{moved}"
    );
    for file in ["acme/account.json", "acme/certificate.pem"] {
        let mode = fs::metadata(data.path().join(file))
            .expect("it is kept")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    eventually("it is renewed at two thirds of its time", || async {
        secure.certificate().await.is_some_and(|now| now != first)
    })
    .await;

    // The authority goes, and comes back as another one that has forgotten everybody.
    pebble.goes();
    eventually("the log says that the old one stays", || async {
        house.has_logged("The one from before stays in use")
    })
    .await;
    pebble.starts().await;
    house.is_sent("-HUP");
    let secure = Secure::new(HOST, port, &pebble.authority().await);
    eventually("it has a certificate again", || async {
        secure.certificate().await.is_some()
    })
    .await;
    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
}
