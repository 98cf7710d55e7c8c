//! A directory of backups.

use tempfile::TempDir;

use super::{changes, does, is_refused, large_database, names, runs, sqlite, text};

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_of_its_own_making_go_when_the_new_one_is_whole_and_nothing_else() {
    let place = TempDir::new().expect("a directory");
    let (old, dir) = (place.path().join("old.db"), place.path().join("backups"));
    large_database(&old, 20).await;
    let url = sqlite(&old);
    let backs_up = [
        "backup",
        "--database",
        &url,
        "--to",
        text(&dir),
        "--keep",
        "2",
    ];
    std::fs::create_dir(&dir).expect("room");
    does(&backs_up).await;
    let first = names(&dir).remove(0);
    let strangers = [
        "notes.txt",
        "tertulia-2020-01-01-000000.db",
        "tertulia-before-the-party.db",
    ];
    for name in &strangers[..2] {
        std::fs::write(dir.join(name), "not made by it").expect("room");
    }
    std::fs::copy(dir.join(&first), dir.join(strangers[2])).expect("room");
    // What a killed one left.
    std::fs::write(
        dir.join("tertulia-2026-01-01-000000.db.tertulia-partial"),
        "half",
    )
    .expect("room");
    does(&backs_up).await;
    assert!(names(&dir).contains(&first), "two are kept");
    let said = does(&backs_up).await;
    assert!(said.contains("removed") && said.contains(&first), "{said}");
    let now = names(&dir);
    assert!(!now.contains(&first), "{now:?}");
    assert_eq!(now.len(), 2 + strangers.len(), "{now:?}");
    for name in strangers {
        assert!(now.iter().any(|it| it == name), "{name} in {now:?}");
    }

    // A backup that fails takes nothing away.
    changes(&old, &["DELETE FROM messages WHERE seq = 2"]).await;
    for _ in 0..3 {
        is_refused(&backs_up, &["no backup was made", "hole"]).await;
    }
    assert_eq!(names(&dir), now);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backup_of_a_smaller_chat_takes_no_larger_ones_place() {
    let place = TempDir::new().expect("a directory");
    let (large, small) = (place.path().join("large.db"), place.path().join("small.db"));
    large_database(&large, 20).await;
    large_database(&small, 5).await;
    let dir = place.path().join("backups");
    std::fs::create_dir(&dir).expect("room");
    let (large, small) = (sqlite(&large), sqlite(&small));
    does(&["backup", "--database", &large, "--to", text(&dir)]).await;
    let first = names(&dir).remove(0);
    let to = ["backup", "--database", &small, "--to"];
    let said = does(&[&to[..], &[text(&dir), "--keep", "1"]].concat()).await;
    assert!(said.contains("kept") && said.contains(&first), "{said}");
    assert!(names(&dir).contains(&first));
    let file = dir.join(&first);
    is_refused(
        &[&to[..], &[text(&file)]].concat(),
        &["20 messages", "would have 5"],
    )
    .await;
    does(&["backup", "--verify", text(&file)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn misuse_is_answered_with_what_to_write() {
    let place = TempDir::new().expect("a directory");
    let file = text(place.path()).to_owned() + "/x";
    for (line, words) in [
        (vec!["backup"], "--to"),
        (vec!["backup", "--to", &file, "--keep", "3"], "slash"),
        (vec!["backup", "--to", &file, "--keep", "0"], "--keep"),
        (vec!["backup", "--to", &file, "--verify", &file], "--verify"),
        (vec!["backup", "--to", &file, "--data", &file], "no file"),
        (vec!["restore"], "--from"),
        (
            vec!["restore", "--from", &file, "--data", &file],
            "nothing was restored",
        ),
    ] {
        let (went_well, said) = {
            let run = crate::support::process::outcome_of(&line).await;
            let said = String::from_utf8_lossy(&run.stderr).into_owned();
            (run.status.success(), said)
        };
        assert!(!went_well && said.contains(words), "{line:?}: {said}");
    }
    assert!(
        names(place.path()).iter().all(|name| name == "x"),
        "{:?}",
        names(place.path())
    );
    let (went_well, _) = runs(&["backup", "--help"]).await;
    assert!(went_well);
}
