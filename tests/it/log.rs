//! What the log tells: one line at the start, nobody's name for looking at a page, and who came in apart from the rest.

use tempfile::TempDir;

use crate::support::{House, PASSWORD};

async fn lives(flags: &[&str]) -> String {
    let data = TempDir::new().expect("a directory");
    let mut house = House::opens("127.0.0.1:0", data.path(), flags).await;
    let ada = house.person("ada").await;
    let ben = house.person("ben").await;
    let room = ada.creates_room("General").await;
    let mut ear = ada.listens(room, 0).await;
    ear.hears("id=\"floors\"").await;
    ada.room(room).await;
    ada.lobby().await;
    let form = [("username", "ada"), ("password", "not her password")];
    ada.elsewhere().submits("/signin", &form).await;
    let form = [
        ("username", "a-password-in-the-wrong-field"),
        ("password", "x"),
    ];
    ada.elsewhere().submits("/signin", &form).await;
    ada.elsewhere().signs_in().await;
    let form = [("current", PASSWORD), ("password", "another password")];
    ben.submits("/settings/password", &form).await.is(303);
    let form = [("banned", "on")];
    ada.submits("/admin/people/2/ban", &form).await.is(303);
    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
    let again = House::opens("127.0.0.1:0", data.path(), flags).await;
    house.log().await + "\nAGAIN\n" + &again.dies().await
}

fn lines<'a>(log: &'a str, word: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(word)).collect()
}

#[tokio::test]
async fn the_log_begins_with_what_serves_where_and_names_nobody_for_looking() {
    let log = lives(&[]).await;
    let (first, second) = log.split_once("\nAGAIN\n").expect("two starts");
    for start in [first, second] {
        let serving = lines(start, " serving ");
        assert_eq!(serving.len(), 1, "{start}");
        for word in [
            "version=\"0.",
            "database=",
            "schema=\"m20",
            "addresses=http://127.0.0.1:",
        ] {
            assert!(serving[0].contains(word), "{word} in {}", serving[0]);
        }
    }
    assert_eq!(lines(second, "igration"), Vec::<&str>::new());
    for line in log.lines().filter(|line| !line.contains(" security: ")) {
        for word in ["\"ada\"", "\"ben\"", "user=", "from=", "live connection"] {
            assert!(!line.contains(word), "{word} in {line}");
        }
    }
    assert!(!log.contains("a-password-in-the-wrong-field"), "{log}");
}

#[tokio::test]
async fn who_came_in_and_who_was_refused_is_told_apart_at_every_level() {
    let log = lives(&["--log-level", "error"]).await;
    for (event, words) in [
        ("signed_up", ["name=\"ada\"", "from=127.0.0.1"]),
        ("sign_in_failed", ["name=\"ada\"", "from=127.0.0.1"]),
        ("signed_in", ["name=\"ada\"", "from=127.0.0.1"]),
        ("password_changed", ["name=\"ben\"", "from=127.0.0.1"]),
        ("deactivated", ["user=2", "by.name=\"ada\""]),
    ] {
        let told = lines(&log, &format!("event=\"{event}\""));
        let is_it = |line: &&str| words.iter().all(|word| line.contains(word));
        assert!(told.iter().any(is_it), "{event} {words:?} in {log}");
        assert!(
            told.iter().all(|line| line.contains(" security: ")),
            "{log}"
        );
    }
    let log = lives(&["--log-level", "info,security=off"]).await;
    assert!(
        !log.contains("security") && log.contains("serving"),
        "{log}"
    );
}
