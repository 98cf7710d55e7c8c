//! What is wrong with PostgreSQL, Redis or the file is said at once and in words: what was tried, what came back, what
//! to do. Whatever database the other tests run on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::cluster::tls::certificates;
use crate::support::postgres::Postgres;
use crate::support::process::{logs, outcome_of, outcome_under};
use crate::support::redis::Redis;
use crate::support::{House, databases, eventually, free_port};

/// What must never be said.
const PASSWORD: &str = "s3cret-Pass";

fn folder() -> TempDir {
    TempDir::new().expect("a directory")
}

/// What the program says when it refuses to start on this database.
async fn refusal(database: &str) -> String {
    let data = folder();
    let data = data.path().to_str().expect("UTF-8");
    let run = [
        "--data",
        data,
        "--listen",
        "127.0.0.1:0",
        "--database",
        database,
    ];
    let end = outcome_of(&run).await;
    assert_eq!(end.status.code(), Some(1), "{database}");
    let said = String::from_utf8_lossy(&end.stderr).into_owned();
    let last = said.lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("tertulia: "), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
    last
}

/// What it logs first when it waits for this database.
async fn complaint(database: &str) -> String {
    let data = folder();
    let data = data.path().to_str().expect("UTF-8");
    let run = [
        "--data",
        data,
        "--listen",
        "127.0.0.1:0",
        "--database",
        database,
    ];
    let said = logs("cannot use PostgreSQL", &run).await;
    assert!(!said.contains(PASSWORD), "{said}");
    assert!(said.contains("Waiting for it"), "{said}");
    said
}

#[track_caller]
fn has(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_server_that_refuses_is_quoted_and_the_program_ends() {
    let server = Postgres::start_encrypted().await;
    let locked = "host all ada 127.0.0.1/32 scram-sha-256\nhost all eve 127.0.0.1/32 reject";
    server.lets_in_by(locked).await;
    let made = [
        &*format!("CREATE ROLE ada LOGIN PASSWORD '{PASSWORD}'"),
        "CREATE ROLE eve LOGIN",
    ];
    server.does(&made).await;
    let port = server.port();
    let at = |user: &str, rest: &str| format!("postgres://{user}@127.0.0.1:{port}/{rest}");
    let place = format!("127.0.0.1:{port}");

    let wrong = refusal(&at(&format!("ada:{PASSWORD}x"), "postgres")).await;
    has(
        &wrong,
        &[&place, "user ada", "refuses the password", "--database"],
    );
    let none = refusal(&at("ada", "postgres")).await;
    has(&none, &[&place, "user ada", "none is set"]);
    let locked_out = refusal(&at("eve", "postgres")).await;
    has(&locked_out, &["user eve", "pg_hba.conf"]);
    let absent = refusal(&at("tertulia", "chat")).await;
    has(
        &absent,
        &["database chat", "no such database", "createdb chat"],
    );
    let unknown = at("tertulia", "postgres?sslmode=verify-full");
    has(
        &refusal(&unknown).await,
        &[&place, "nobody whom this machine trusts", "sslrootcert"],
    );
    let missing = format!("{unknown}&sslrootcert=/nowhere/ca.pem");
    has(
        &refusal(&missing).await,
        &["sslrootcert=/nowhere/ca.pem", "cannot be read"],
    );
    let certificate = server.certificate().display().to_string();
    let named = format!(
        "postgres://tertulia@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={certificate}"
    );
    has(&refusal(&named).await, &["not for the name localhost"]);
    let port = format!("postgres://ada:{PASSWORD}@127.0.0.1:77777/postgres");
    has(&refusal(&port).await, &["cannot read the address", "port"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_and_what_is_no_postgresql_are_named() {
    let server = databases::server().await;
    let plain = format!("{}?sslmode=require", server.url("postgres"));
    has(&refusal(&plain).await, &["TLS", "sslmode"]);
    let other = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = other.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut line, _)) = other.accept().await {
            let _ = line.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let wrong = format!("postgres://ada:{PASSWORD}@127.0.0.1:{port}/chat");
    has(
        &refusal(&wrong).await,
        &[&port.to_string(), "not PostgreSQL"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_pass_is_said_at_once_and_waited_for() {
    let refusing = format!("postgres://ada:{PASSWORD}@127.0.0.1:{}/chat", free_port());
    has(
        &complaint(&refusing).await,
        &["user ada, database chat", "nobody listens there"],
    );
    let nameless = format!("postgres://ada:{PASSWORD}@nowhere.invalid/chat");
    let data = folder();
    let data = data.path().to_str().expect("UTF-8");
    let run = [
        "--data",
        data,
        "--listen",
        "127.0.0.1:0",
        "--database",
        &nameless,
    ];
    // Some networks say that there is no such name, others that they cannot say.
    let said = logs("cannot use PostgreSQL", &run).await;
    has(&said, &["nowhere.invalid:5432", "the name nowhere.invalid"]);

    let server = databases::server().await;
    server
        .does(&["CREATE ROLE crowd LOGIN CONNECTION LIMIT 0"])
        .await;
    let full = server.url("postgres").replace("tertulia@", "crowd@");
    has(
        &complaint(&full).await,
        &["user crowd", "no connection left", "max_connections"],
    );

    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = silent.local_addr().expect("an address").port();
    let url = format!("postgres://ada:{PASSWORD}@127.0.0.1:{port}/chat");
    has(
        &complaint(&url).await,
        &[&port.to_string(), "there is no answer"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_before_its_database_is_ready_when_that_is() {
    let mut server = Postgres::start().await;
    server.is_stopped();
    let (data, url) = (folder(), server.url("postgres"));
    let flags = ["--database", &url];
    let opens = House::opens("127.0.0.1:0", data.path(), &flags);
    let starts = async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        server.starts().await;
    };
    let (house, ()) = tokio::join!(opens, starts);
    house.person("ada").await;
    assert_eq!(house.times_logged("Waiting for it"), 1, "and says so once");
}

/// What a node that runs says of this Redis in its log, once, while people use it.
async fn logged_of_redis(redis: &str, expected: &[&str]) {
    let data = folder();
    let database = databases::url(data.path()).await;
    let flags = ["--database", &database, "--redis", redis];
    let house = House::opens("127.0.0.1:0", data.path(), &flags).await;
    eventually(&format!("{redis}: {expected:?} is logged"), async || {
        expected.iter().all(|it| house.has_logged(it))
    })
    .await;
    let ada = house.person("ada").await;
    ada.gets("/readyz").await.is(200);
    let log = house.dies().await;
    assert!(!log.contains(PASSWORD), "{log}");
    let told = log.lines().filter(|line| line.contains("cannot use Redis"));
    assert_eq!(told.count(), 1, "{redis}: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_redis_is_logged_at_once_and_nothing_waits_for_it() {
    let closed = Redis::with(&["--requirepass", PASSWORD]);
    let acl = [
        "ACL",
        "SETUSER",
        "mute",
        "on",
        &format!(">{PASSWORD}"),
        "+@all",
        "~*",
        "resetchannels",
    ];
    assert_eq!(closed.does(&acl).trim(), "OK");
    let tls = folder();
    certificates(tls.path());
    let file = |name: &str| tls.path().join(name).display().to_string();
    let port = free_port().to_string();
    let (cert, key, ca) = (file("cert.pem"), file("key.pem"), file("ca.pem"));
    let files = [
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
    ];
    let listen = ["--tls-port", &port, "--tls-auth-clients", "no"];
    let _encrypted = Redis::with(&[&listen[..], &files].concat());
    let at = closed.address();
    let none = free_port();
    let cases = [
        (
            format!("redis://:{PASSWORD}x@{at}"),
            vec!["refuses the user or the password"],
        ),
        (
            format!("redis://ada:{PASSWORD}@{at}"),
            vec!["(user ada)", "refuses the user or the password"],
        ),
        (format!("redis://{at}"), vec!["wants a password"]),
        (
            format!("redis://mute:{PASSWORD}@{at}"),
            vec!["it refuses what this node says", "channel"],
        ),
        (
            format!("redis://nowhere.invalid:{none}"),
            vec!["nowhere.invalid", "cannot be looked up"],
        ),
        (
            format!("redis://127.0.0.1:{none}"),
            vec!["nobody listens there"],
        ),
        (
            format!("rediss://:{PASSWORD}@{at}"),
            vec!["does not speak TLS", "rediss://"],
        ),
        (
            format!("redis://127.0.0.1:{port}"),
            vec!["closes the connection", "rediss://"],
        ),
        (
            format!("rediss://localhost:{port}"),
            vec!["nobody whom this machine trusts", "SSL_CERT_FILE"],
        ),
        (
            format!("redis://:{PASSWORD}@{at}?cluster"),
            vec!["a single server, not a cluster"],
        ),
    ];
    for some in cases.chunks(4) {
        join_all(
            some.iter()
                .map(|(url, expected)| logged_of_redis(url, expected)),
        )
        .await;
    }
}

#[tokio::test]
async fn a_path_that_cannot_hold_a_database_is_named_with_the_reason() {
    let data = folder();
    let at = |path: &Path| format!("sqlite://{}", path.display());
    let said = refusal(&at(data.path())).await;
    has(
        &said,
        &[data.path().to_str().expect("UTF-8"), "is a directory"],
    );
    let text = data.path().join("notes.txt");
    fs::write(
        &text,
        "these are notes, and whoever wrote them wants to keep them, all of them\n".repeat(40),
    )
    .expect("it can be written");
    has(
        &refusal(&at(&text)).await,
        &["notes.txt", "not a database", "left as it is"],
    );
    assert!(
        fs::read_to_string(&text)
            .expect("it is there")
            .starts_with("these are")
    );
    let below = text.join("chat.db");
    has(&refusal(&at(&below)).await, &["notes.txt", "directory"]);
}

#[tokio::test]
async fn a_file_without_the_rights_to_it_says_whose_it_is_and_who_asks() {
    // Root may do anything, so it asks as nobody.
    let is_root = Path::new("/root").read_dir().is_ok();
    let nobody = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let under = if is_root { &nobody[..] } else { &[] };
    let data = folder();
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    open(data.path(), 0o777);
    let file = data.path().join("chat.db");
    fs::write(&file, "").expect("it can be written");
    open(&file, 0o444);
    let said = async |database: &str| {
        let place = data.path().join("data").display().to_string();
        let run = [
            "--data",
            &place,
            "--listen",
            "127.0.0.1:0",
            "--database",
            database,
        ];
        let end = outcome_under(under, &run).await;
        assert_eq!(end.status.code(), Some(1));
        String::from_utf8_lossy(&end.stderr).into_owned()
    };
    let url = format!("sqlite://{}", file.display());
    has(
        &said(&url).await,
        &["chat.db", "readonly database", "runs as user"],
    );
    open(&file, 0o666);
    open(data.path(), 0o555);
    let refused = said(&url).await;
    open(data.path(), 0o777);
    has(
        &refused,
        &[data.path().to_str().expect("UTF-8"), "Permission denied"],
    );
}
