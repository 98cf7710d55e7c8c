//! `tertulia doctor`: a healthy chat has nothing to say, and each fault is named with what to do about it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use crate::support::process::outcome_of;
use crate::support::{House, databases, free_port};

/// What the doctor says of the chat with this data, and whether everything is well.
async fn says(data: &Path, flags: &[&str]) -> (bool, String) {
    let folder = data.to_str().expect("a path in UTF-8");
    let database = databases::flags(data, flags).await;
    let database: Vec<_> = database.iter().map(String::as_str).collect();
    let run = outcome_of(&[&["doctor", "--data", folder], flags, &database].concat()).await;
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let said = said + &String::from_utf8_lossy(&run.stderr);
    assert!(!said.contains("panicked"), "{said}");
    (run.status.success(), said)
}

/// The line that says this, which is a fault.
fn fault(said: &str, words: &str) -> String {
    let found = said
        .lines()
        .position(|line| line.starts_with('!') && line.contains(words));
    let at = found.unwrap_or_else(|| panic!("{words:?} is no fault in {said}"));
    let remedy = said.lines().nth(at + 1).unwrap_or_default();
    assert!(remedy.contains('→'), "what to do about it: {said}");
    remedy.to_owned()
}

/// What a proxy does to a request that passes it.
struct Manners {
    says_who: bool,
    upgrades: bool,
    /// Holds answers back until they end.
    gathers: bool,
    host: Option<&'static str>,
}

const GOOD: Manners = Manners {
    says_who: true,
    upgrades: true,
    gathers: false,
    host: None,
};

/// A proxy on a port of its own, for as long as the test runs.
fn proxy(port: u16, server: &str, manners: Manners) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("its port");
    let server = server.to_owned();
    let manners = std::sync::Arc::new(manners);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (server, manners) = (server.clone(), manners.clone());
            std::thread::spawn(move || pass_on(client, &server, &manners));
        }
    });
}

fn pass_on(mut client: TcpStream, server: &str, manners: &Manners) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match client.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).expect("text");
    let mut lines: Vec<String> = head.trim_end().split("\r\n").map(str::to_owned).collect();
    if !manners.upgrades {
        lines.retain(|line| {
            let line = line.to_lowercase();
            !line.starts_with("upgrade") && !line.starts_with("connection")
        });
        lines.push("Connection: close".into());
    }
    if let Some(host) = manners.host {
        lines.retain(|line| !line.to_lowercase().starts_with("host:"));
        lines.push(format!("Host: {host}"));
    }
    if manners.says_who {
        lines.push("X-Forwarded-For: 203.0.113.7".into());
        lines.push("X-Forwarded-Proto: http".into());
    }
    let Ok(mut server) = TcpStream::connect(server) else {
        return;
    };
    let request = lines.join("\r\n") + "\r\n\r\n";
    server
        .write_all(request.as_bytes())
        .expect("the server reads");
    if manners.gathers {
        let mut all = Vec::new();
        let _ = server.read_to_end(&mut all);
        let _ = client.write_all(&all);
        return;
    }
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = server.read(&mut piece) {
        if client.write_all(&piece[..read]).is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_healthy_chat_is_found_so_whether_it_serves_or_not() {
    let data = TempDir::new().expect("a directory");
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let listen = format!("127.0.0.1:{port}");
    let mut house = House::opens(&listen, data.path(), &["--limits", "off"]).await;
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "hello").await;
    let (is_well, said) = says(data.path(), &["--listen", &listen]).await;
    assert!(is_well, "{said}");
    // On PostgreSQL nothing lies in the directory.
    let rights = match databases::are_postgres() {
        true => "rights",
        false => "its owner's alone",
    };
    for words in [
        "is ready",
        "is sound",
        "up to date",
        "left in",
        rights,
        "clock",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    let flags = ["--listen", &listen, "--public-url", &url];
    let (is_well, said) = says(data.path(), &flags).await;
    assert!(is_well, "{said}");
    for words in [
        "leads to this chat",
        "none between",
        "WebSocket",
        "event stream",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }

    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
    let (is_well, said) = says(data.path(), &["--listen", &listen]).await;
    assert!(is_well && said.contains("is free"), "{said}");
}

#[tokio::test]
async fn what_a_proxy_does_wrong_is_named() {
    let data = TempDir::new().expect("a directory");
    let public = free_port();
    let url = format!("http://127.0.0.1:{public}");
    let listen = format!("127.0.0.1:{}", free_port());
    let mut flags = vec!["--listen", &*listen, "--public-url", &url];
    let (is_well, said) = says(data.path(), &flags).await;
    assert!(!is_well, "{said}");

    let serving = ["--limits", "off", "--trusted-proxies", "127.0.0.1"];
    let _house = House::opens(&listen, data.path(), &serving).await;
    let (_, said) = says(data.path(), &flags).await;
    fault(&said, "cannot be reached");
    proxy(public, &listen, GOOD);
    flags.extend(["--trusted-proxies", "127.0.0.1"]);
    let (is_well, said) = says(data.path(), &flags).await;
    assert!(said.contains("says who asks, and is trusted"), "{said}");
    assert!(is_well, "{said}");

    for (manners, words, remedy) in [
        (
            Manners {
                says_who: false,
                ..GOOD
            },
            "does not say who asks",
            "X-Forwarded-For",
        ),
        (
            Manners {
                upgrades: false,
                ..GOOD
            },
            "WebSocket",
            "proxy_http_version",
        ),
        (
            Manners {
                gathers: true,
                ..GOOD
            },
            "held back",
            "proxy_buffering off",
        ),
        (
            Manners {
                host: Some("evil"),
                ..GOOD
            },
            "does not know the name",
            "Host",
        ),
        (
            Manners {
                host: Some("127.0.0.1:1"),
                ..GOOD
            },
            "passes on the name",
            "Host",
        ),
    ] {
        let port = free_port();
        proxy(port, &listen, manners);
        let url = format!("http://127.0.0.1:{port}");
        let (is_well, said) = says(data.path(), &["--listen", &listen, "--public-url", &url]).await;
        assert!(!is_well, "{said}");
        let told = fault(&said, words);
        assert!(told.contains(remedy), "{remedy} in {told}");
    }
    let nowhere = "http://chat.invalid";
    let (_, said) = says(data.path(), &["--listen", &listen, "--public-url", nowhere]).await;
    fault(&said, "not encrypted");
    fault(&said, "cannot be reached");
    let port = free_port();
    proxy(port, "127.0.0.1:1", GOOD);
    let other = format!("http://127.0.0.1:{port}");
    let (_, said) = says(data.path(), &["--listen", &listen, "--public-url", &other]).await;
    fault(&said, "cannot be reached");
}

#[tokio::test]
async fn a_proxy_that_is_not_trusted_is_named() {
    let data = TempDir::new().expect("a directory");
    let listen = format!("127.0.0.1:{}", free_port());
    let _house = House::opens(&listen, data.path(), &["--limits", "off"]).await;
    let port = free_port();
    proxy(port, &listen, GOOD);
    let url = format!("http://127.0.0.1:{port}");
    let (_, said) = says(data.path(), &["--listen", &listen, "--public-url", &url]).await;
    let told = fault(&said, "is not trusted");
    assert!(told.contains("--trusted-proxies 127.0.0.1"), "{told}");
}

#[tokio::test]
async fn what_is_wrong_on_this_machine_is_named() {
    let data = TempDir::new().expect("a directory");
    let nothing = says(data.path(), &["--listen", "127.0.0.1:0"]).await;
    assert!(nothing.0, "a fresh directory is no fault: {}", nothing.1);

    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("it has one").to_string();
    std::thread::spawn(move || {
        for mut client in taken.incoming().flatten() {
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        }
    });
    let (is_well, said) = says(data.path(), &["--listen", &address]).await;
    assert!(!is_well, "{said}");
    fault(&said, "something else answers");

    let mut house = House::opens("127.0.0.1:0", data.path(), &["--limits", "off"]).await;
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "one").await;
    ada.posts(room, "two").await;
    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
    let database = databases::open(data.path()).await;
    for sql in [
        "DELETE FROM messages WHERE seq = 1",
        "UPDATE rooms SET changed = changed + 3600000",
    ] {
        database.execute_unprepared(sql).await.expect("a table");
    }
    database.close().await.expect("it was open");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(data.path(), open).expect("it is ours");
    let (is_well, said) = says(data.path(), &["--listen", "127.0.0.1:0", "--limits", "off"]).await;
    assert!(!is_well, "{said}");
    for words in ["hole", "behind the newest change", "load tests"] {
        fault(&said, words);
    }
    if !databases::are_postgres() {
        fault(&said, "may look into");
    }
    assert!(said.contains("things need to be looked after"), "{said}");
}

#[tokio::test]
async fn a_redis_or_a_database_that_does_not_answer_is_named_without_its_password() {
    let data = TempDir::new().expect("a directory");
    let gone = format!("redis://:canary@127.0.0.1:{}", free_port());
    let database = format!("postgres://ada:canary@127.0.0.1:{}/chat", free_port());
    let flags = [
        "--listen",
        "127.0.0.1:0",
        "--redis",
        &gone,
        "--database",
        &database,
    ];
    let (is_well, said) = says(data.path(), &flags).await;
    assert!(!is_well && !said.contains("canary"), "{said}");
    fault(&said, "Redis");
    fault(&said, "database");
}
