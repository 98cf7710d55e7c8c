//! The program itself: misused, shown around in, and listened to by its log.

use tempfile::TempDir;

use crate::support::House;
use crate::support::process::outcome_of;

#[tokio::test]
async fn a_wrong_value_is_refused_with_a_sentence_that_says_what_to_write() {
    let data = TempDir::new().expect("a directory");
    let folder = data.path().to_str().expect("a path in UTF-8");
    let file = data.path().join("file");
    std::fs::write(&file, "not a directory").expect("a file");
    let file = file.to_str().expect("a path in UTF-8");
    for (wrong, words) in [
        (["--listen", "nonsense"], ["--listen", "127.0.0.1:8000"]),
        (["--listen", "127.0.0.1"], ["--listen", "127.0.0.1:8000"]),
        (["--database", "mysql://x"], ["--database", "sqlite://"]),
        (["--redis", "http://x"], ["--redis", "redis://"]),
        (
            ["--public-url", "chat.example.org"],
            ["--public-url", "https://"],
        ),
        (["--host", "https://x"], ["--host", "chat.example.org"]),
        (
            ["--trusted-proxies", "proxy"],
            ["--trusted-proxies", "10.0.0.0/8"],
        ),
        (["--signup", "maybe"], ["--signup", "closed"]),
        (["--limits", "maybe"], ["--limits", "off"]),
        (["--metrics-token", "short"], ["--metrics-token", "16"]),
        (["--log-format", "xml"], ["--log-format", "json"]),
        (["--log-level", "loud=very"], ["--log-level", "debug"]),
        (["--log-level", "loud"], ["--log-level", "debug"]),
        (
            ["--database", "postgres://a:p@ss/w@127.0.0.1/chat"],
            ["--database", "%40"],
        ),
        (
            ["--database", "postgres://a@127.0.0.1/chat?sslmod=require"],
            ["sslmod", "sslmode"],
        ),
        (["--lisen", "127.0.0.1:0"], ["--lisen", "--listen"]),
        (["--data", file], ["director", "file"]),
    ] {
        let place = if wrong[0] == "--data" {
            vec![]
        } else {
            vec!["--data", folder]
        };
        let run = outcome_of(&[&place[..], &wrong[..]].concat()).await;
        let said = String::from_utf8_lossy(&run.stderr).into_owned()
            + &String::from_utf8_lossy(&run.stdout);
        assert!(!run.status.success(), "{wrong:?} was taken");
        for word in words {
            assert!(
                said.contains(word),
                "{wrong:?}: {word:?} is missing in {said:?}"
            );
        }
        assert!(
            !said.contains("panicked") && !said.contains("RUST_BACKTRACE"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_refused_with_a_sentence() {
    let data = TempDir::new().expect("a directory");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has one").to_string();
    let folder = data.path().to_str().expect("a path in UTF-8");
    let run = outcome_of(&["--listen", &address, "--data", folder]).await;
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success());
    assert!(
        said.contains(&address) && !said.contains("panicked"),
        "{said}"
    );
}

#[tokio::test]
async fn the_version_names_the_commit() {
    let run = outcome_of(&["--version"]).await;
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let version = concat!("tertulia ", env!("CARGO_PKG_VERSION"));
    let here = env!("CARGO_MANIFEST_DIR");
    let git = std::process::Command::new("git")
        .args(["-C", here, "log", "--max-count=1", "--format=%H"])
        .output();
    let commit = git
        .map(|git| String::from_utf8_lossy(&git.stdout).into_owned())
        .unwrap_or_default();
    // A folder without a .git of its own is no checkout, whatever it lies in.
    match std::path::Path::new(here).join(".git").exists() && commit.len() > 12 {
        true => assert!(
            said.starts_with(&format!("{version} ({}", &commit[..12])),
            "{said} is not of {commit}"
        ),
        false => assert_eq!(said.trim(), version),
    }
}

#[tokio::test]
async fn a_secret_may_stand_in_a_file_and_is_told_to_nobody() {
    let data = TempDir::new().expect("a directory");
    let folder = data.path().to_str().expect("a path in UTF-8");
    let file = data.path().join("secret");
    let named = format!("@{}", file.display());
    for flag in ["--database", "--redis", "--metrics-token"] {
        std::fs::write(&file, "canary 4711\n").expect("room");
        let run = outcome_of(&["--data", folder, flag, &named]).await;
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(!run.status.success() && said.contains(flag), "{said}");
        assert!(!said.contains("canary"), "{said}");
    }
    let database = data.path().join("chat.db");
    let url = format!("sqlite://{}\n", database.display());
    std::fs::write(&file, url).expect("room");
    let house = House::opens("127.0.0.1:0", data.path(), &["--database", &named]).await;
    house.person("ada").await;
    house.dies().await;
    assert!(database.exists(), "the file's word counts");
}

#[tokio::test]
async fn a_container_asks_the_program_itself_whether_it_is_well() {
    let data = TempDir::new().expect("a directory");
    let house = House::opens("0.0.0.0:0", data.path(), &[]).await;
    let port = house.listen().rsplit_once(':').expect("it has a port").1;
    let asks = ["health", "--listen", &format!("0.0.0.0:{port}")];
    let run = outcome_of(&asks).await;
    assert!(run.status.success(), "{run:?}");
    assert_eq!(String::from_utf8_lossy(&run.stdout), "ok\n");
    house.dies().await;
    let run = outcome_of(&asks).await;
    assert!(!run.status.success());
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(
        said.contains(asks[2]) && !said.contains("panicked"),
        "{said}"
    );
}

#[tokio::test]
async fn help_names_every_flag_and_its_variable() {
    let run = outcome_of(&["--help"]).await;
    assert!(run.status.success());
    let help = String::from_utf8_lossy(&run.stdout);
    for flag in [
        "listen",
        "data",
        "database",
        "redis",
        "public-url",
        "host",
        "trusted-proxies",
        "signup",
        "limits",
        "metrics-token",
        "log-format",
        "log-level",
    ] {
        assert!(help.contains(&format!("--{flag}")), "--{flag} in {help}");
        let variable = format!("TERTULIA_{}", flag.replace('-', "_").to_uppercase());
        assert!(help.contains(&variable), "{variable} in {help}");
    }
    assert!(help.contains("demo"));
}

#[tokio::test]
async fn the_demo_says_how_to_sign_in_and_is_full_of_life() {
    let data = TempDir::new().expect("a directory");
    let folder = data.path().to_str().expect("a path in UTF-8");
    let mut house = House::runs(&["demo", "--listen", "127.0.0.1:0", "--data", folder]).await;
    let ada = house.anon("ada");
    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
    let said = house.last_words().await.join("\n");
    for name in ["ada", "ben", "carla"] {
        assert!(said.contains(name), "{name} in {said}");
    }
    let password = said
        .split_once("assword")
        .map(|(_, after)| after)
        .expect("the password is told");
    let is_word = |c: char| c.is_alphanumeric() || c == '-';
    let password: Vec<_> = password
        .split(|c: char| !is_word(c))
        .filter(|word| word.len() >= 8)
        .collect();

    let house = House::runs(&[
        "demo",
        "--listen",
        ada.url().split_once("//").expect("a URL").1,
        "--data",
        folder,
    ])
    .await;
    let form = [("username", "ada"), ("password", password[0])];
    ada.submits("/signin", &form).await.leads_to("/");
    let lobby = ada.lobby().await;
    let rooms = lobby.texts("#rooms .row-name");
    for name in ["General", "Developers", "Random"] {
        assert!(rooms.contains(&name.to_owned()), "{name} in {rooms:?}");
    }
    let days: usize = {
        let paths = lobby.attrs("#rooms a.row-link", "href");
        ada.gets(&paths[0])
            .await
            .is(200)
            .count("#messages > li.day")
    };
    assert!(days >= 2, "a few days of talk");
    house.dies().await;
}

#[tokio::test]
async fn secrets_are_in_no_line_of_the_log_and_a_line_is_a_line() {
    let data = TempDir::new().expect("a directory");
    let house = House::opens("127.0.0.1:0", data.path(), &["--log-level", "trace"]).await;
    let ada = house.anon("ada");
    let canary = "canary-password-4711";
    ada.submits("/signup", &[("username", "ada"), ("password", canary)])
        .await
        .leads_to("/");
    ada.elsewhere()
        .submits(
            "/signin",
            &[("username", "ada"), ("password", "canary-password-0815")],
        )
        .await;
    let (_, session) = ada.session().expect("she is signed in");
    let room = ada.creates_room("General").await;
    let seq = ada.posts(room, "canary-message-4711").await;
    let mut ear = ada.listens(room, 0).await;
    ear.sees(seq).await;
    ada.edits(room, seq, "canary-message-0815").await;
    ada.deletes(room, seq).await;
    let forged = "a\r\nINFO forged: everything is fine\u{1b}[31m";
    ada.submits("/rooms", &[("name", forged)]).await;
    ada.submits("/signin", &[("username", forged), ("password", "x")])
        .await;
    let odd = house
        .raw("GET /\u{1b}[31mforged HTTP/1.1\r\nHost: x\r\nUser-Agent: a\u{1b}[31mb\r\n\r\n")
        .await;
    assert!(odd.is_empty() || odd.starts_with("HTTP/1.1 4"), "{odd}");
    house.is_asked_to_stop();
    let mut house = house;
    assert_eq!(house.ends().await, Some(0));
    let log = house.log().await;
    for secret in [
        canary,
        "canary-password-0815",
        "canary-message-4711",
        "canary-message-0815",
        session.as_str(),
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    assert!(
        !log.lines()
            .any(|line| line.trim_start().starts_with("INFO forged")),
        "{log}"
    );
    assert!(
        !log.contains("\u{1b}[31mforged") && !log.contains("\u{1b}[31mb"),
        "raw escape codes"
    );
}
