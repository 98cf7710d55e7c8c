//! What watches over a server: its metrics, and the alerts and the dashboard that are made of them.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::House;
use crate::support::process::outcome_of;

/// What `tertulia monitoring WHAT` prints.
async fn printed(what: &str) -> String {
    let run = outcome_of(&["monitoring", what]).await;
    assert!(run.status.success(), "{run:?}");
    String::from_utf8(run.stdout).expect("UTF-8")
}

/// The queries of a dashboard.
fn queries(dashboard: &str) -> Vec<String> {
    let dashboard: serde_json::Value = serde_json::from_str(dashboard).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().expect("targets").clone());
    targets
        .map(|target| target["expr"].as_str().expect("a query").to_owned())
        .collect()
}

/// The names of our metrics in a text.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = |word: &&str| word.starts_with("tertulia_") || word.starts_with("process_");
    words.filter(ours).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_metric_that_is_watched_is_there() {
    let data = TempDir::new().expect("a directory");
    let house = House::opens("127.0.0.1:0", data.path(), &[]).await;
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "hello").await;
    ada.gets("/nowhere").await.is(404);
    let metrics = ada.gets("/metrics").await.is(200).body;
    let there = metrics_in(&metrics);
    let watched = metrics_in(&printed("alerts").await);
    let shown: BTreeSet<_> = queries(&printed("dashboard").await)
        .iter()
        .flat_map(|query| metrics_in(query))
        .collect();
    assert!(
        watched.len() >= 8 && shown.len() >= 12,
        "{watched:?} {shown:?}"
    );
    // The metrics of Redis are there with Redis: `cluster::admin` looks at them.
    let alone = |name: &&String| !name.starts_with("tertulia_redis_");
    for name in watched.union(&shown).filter(alone) {
        assert!(there.contains(name), "{name} is in no line of {metrics}");
    }
    for line in [
        "tertulia_posts_total 1",
        "tertulia_database_up 1",
        "tertulia_posts_refused 0",
        "tertulia_http_responses_total{class=\"4xx\"} 1",
        "tertulia_failed_writes_total{cause=\"disk_full\"} 0",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line} in {metrics}");
    }
    let value = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        let value = line.expect("it is there").trim();
        value.parse::<f64>().expect("a number")
    };
    assert!(value("process_resident_memory_bytes ") > 1e6);
    assert!(value("process_open_fds ") < value("process_max_fds "));
    let started = value("process_start_time_seconds ");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let age = now.expect("after 1970").as_secs_f64() - started;
    assert!((-5.0..3600.0).contains(&age), "it started {age} s ago");
    assert!(
        metrics.contains("tertulia_build_info{version=\""),
        "{metrics}"
    );
    promtool(&["check", "metrics"], &metrics);
}

#[tokio::test]
async fn the_alerts_and_the_queries_of_the_dashboard_are_good_in_the_eyes_of_promtool() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/monitoring");
    let file = |name: &str| format!("{folder}/{name}");
    let alerts = std::fs::read_to_string(file("alerts.yml")).expect("it is there");
    assert_eq!(printed("alerts").await, alerts);
    promtool(&["check", "rules", &file("alerts.yml")], "");
    promtool(&["test", "rules", &file("alerts_test.yml")], "");

    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (n, query) in queries(&printed("dashboard").await).iter().enumerate() {
        let query = query.replace("$__rate_interval", "5m");
        let query = serde_json::to_string(&query).expect("a text");
        rules.push_str(&format!("  - record: panel:{n}\n    expr: {query}\n"));
    }
    let folder = TempDir::new().expect("a directory");
    let file = folder.path().join("rules.yml");
    std::fs::write(&file, rules).expect("a file");
    promtool(&["check", "rules", file.to_str().expect("UTF-8")], "");
}

/// Runs promtool, where it is installed, and fails with what it says.
fn promtool(arguments: &[&str], input: &str) {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped());
    let spawned = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        eprintln!(
            "NOT CHECKED: promtool is not installed (apt-get install prometheus): {arguments:?}"
        );
        return;
    };
    let mut pipe = child.stdin.take().expect("a pipe");
    // It may not want to read.
    let _ = pipe.write_all(input.as_bytes());
    drop(pipe);
    let done = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&done.stderr) + String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "promtool {arguments:?}: {said}");
}
