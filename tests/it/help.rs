//! What the command line says about itself: no secret, whatever the variables hold, and empty variables are none.

use std::collections::BTreeSet;

use tempfile::TempDir;
use tokio::process::Command;

use crate::support::process::outcome_of;

const CANARY: &str = "canary-0815-canary-0815";

/// What the program says with these arguments and variables, and whether it ended well.
async fn says(arguments: &[String], variables: &[(String, String)]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tertulia"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TERTULIA_")) {
        command.env_remove(name);
    }
    command.args(arguments).kill_on_drop(true);
    let pairs = variables.iter().map(|(name, value)| (name, value));
    let run = command.envs(pairs).output();
    let run = tokio::time::timeout(crate::support::PATIENCE, run).await;
    let run = run.expect("it ends").expect("it starts");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    (
        run.status.success(),
        said + &String::from_utf8_lossy(&run.stderr),
    )
}

/// Every command, as the help of those above it lists them.
async fn commands() -> Vec<Vec<String>> {
    let mut all = vec![vec![]];
    let mut at = 0;
    while at < all.len() {
        let words: Vec<String> = all[at].clone();
        let (_, help) = says(&[words.clone(), vec!["--help".into()]].concat(), &[]).await;
        let list = help.split_once("Commands:\n").map(|(_, list)| list);
        let list = list.and_then(|list| list.split("\n\n").next());
        for line in list.unwrap_or_default().lines() {
            let name = line.split_whitespace().next().unwrap_or_default();
            if line.starts_with("  ") && !line.starts_with("   ") && name != "help" {
                all.push([words.clone(), vec![name.to_owned()]].concat());
            }
        }
        at += 1;
    }
    all
}

/// Every variable that any help names.
async fn variables(commands: &[Vec<String>]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for command in commands {
        let (_, help) = says(&[command.clone(), vec!["--help".into()]].concat(), &[]).await;
        for part in help.split("[env: ").skip(1) {
            let name = part.split([']', '=']).next().unwrap_or_default();
            names.insert(name.to_owned());
        }
    }
    names
}

#[tokio::test]
async fn no_help_shows_what_a_variable_holds() {
    let commands = commands().await;
    for known in [&["people", "role"][..], &["password"], &["move"], &["demo"]] {
        assert!(commands.iter().any(|it| it == known), "{commands:?}");
    }
    let names = variables(&commands).await;
    for known in ["TERTULIA_DATABASE", "TERTULIA_REDIS", "TERTULIA_SETUP_CODE"] {
        assert!(names.contains(known), "{names:?}");
    }
    let set: Vec<_> = names.iter().map(|it| (it.clone(), CANARY.into())).collect();
    for command in &commands {
        for help in ["--help", "-h"] {
            let words = [command.clone(), vec![help.into()]].concat();
            let (worked, said) = says(&words, &set).await;
            assert!(worked && said.contains("Usage"), "{words:?}: {said}");
            assert!(!said.contains(CANARY), "{words:?}: {said}");
        }
    }
}

#[tokio::test]
async fn a_wrong_secret_is_refused_without_showing_it() {
    for (name, value) in [
        ("TERTULIA_DATABASE", "mysql://ada:canary-0815@db/chat"),
        ("TERTULIA_REDIS", "http://:canary-0815@redis"),
        ("TERTULIA_METRICS_TOKEN", "canary-0815"),
        ("TERTULIA_SETUP_CODE", "canary-0815"),
    ] {
        let (worked, said) = says(&[], &[(name.into(), value.into())]).await;
        assert!(!worked && !said.contains("canary"), "{said}");
        let flag = name.trim_start_matches("TERTULIA_").to_lowercase();
        assert!(said.contains(&flag.replace('_', "-")), "{said}");
    }
}

#[tokio::test]
async fn an_empty_variable_counts_as_none() {
    let names = variables(&commands().await).await;
    let empty: Vec<_> = names.iter().map(|it| (it.clone(), String::new())).collect();
    let data = TempDir::new().expect("a directory");
    let folder = data.path().to_str().expect("a path in UTF-8");
    // What every flag reads has its default, so this ends because of what it is given, not of what it is not.
    let words = ["people", "list", "--data", folder].map(String::from);
    let (_, said) = says(&words, &empty).await;
    assert!(said.contains("there is no database"), "{said}");
    let words = ["--data", folder, "--listen", "192.0.2.1:1"].map(String::from);
    let (_, said) = says(&words, &empty).await;
    assert!(said.contains("cannot listen on 192.0.2.1:1"), "{said}");
}

#[tokio::test]
async fn the_version_is_told_by_every_way_of_asking() {
    for way in ["--version", "-V"] {
        let run = outcome_of(&[way]).await;
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(said.starts_with("tertulia 0."), "{said}");
    }
}
