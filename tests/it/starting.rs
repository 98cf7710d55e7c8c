//! Starting on SQLite: once on a file, with rights for nobody else, after a kill at any moment, and never with what
//! belongs to another database.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use sea_orm::ConnectionTrait;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tertulia::config::DatabaseUrl;
use tertulia::store::check::check_database;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::killing::{Moment, dies_at, moments};
use crate::support::process::{outcome_of, spawned};
use crate::support::{House, eventually, postgres};
use crate::upgrading::golden::shape;

/// Starts the server on this directory, which it refuses, and brings back its words.
async fn is_refused(data: &Path) -> String {
    let folder = data.to_str().expect("a path in UTF-8");
    let run = outcome_of(&["--listen", "127.0.0.1:0", "--data", folder]).await;
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(
        !run.status.success() && !said.contains("panicked"),
        "{said}"
    );
    said
}

/// Stops it as an operator does.
async fn stops(mut house: House) {
    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
}

/// Refuses a database with any fault.
pub async fn is_sound(file: &Path) {
    let faults = check_database(&DatabaseUrl::Sqlite(file.to_owned())).await;
    assert_eq!(faults, Ok(Vec::new()), "{}", file.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_is_killed_at_any_moment_can_be_done_again() {
    let whole = TempDir::new().expect("a directory");
    stops(House::opens("127.0.0.1:0", whole.path(), &[]).await).await;
    let whole = shape(&whole.path().join("tertulia.db")).await;
    let (mut kills, mut halves) = (0, 0);
    for (n, moment) in moments().into_iter().enumerate() {
        let data = TempDir::new().expect("a directory");
        let folder = data.path().to_str().expect("a path in UTF-8");
        let was_ready = dies_at(
            &["--listen", "127.0.0.1:0", "--data", folder],
            data.path(),
            &moment,
        )
        .await;
        kills += usize::from(!was_ready);
        let file = data.path().join("tertulia.db");
        if file.exists() {
            halves += usize::from(!was_ready);
            let left = shape(&file).await;
            assert!(
                left.is_empty() || left == whole,
                "neither old nor new, {moment:?}: {left:#?}"
            );
        }
        let house = House::opens("127.0.0.1:0", data.path(), &[]).await;
        if n % 4 == 0 {
            let ada = house.person("ada").await;
            let room = ada.creates_room("General").await;
            assert_eq!(ada.posts(room, "hello").await, 1, "{moment:?}");
        }
        stops(house).await;
        is_sound(&data.path().join("tertulia.db")).await;
    }
    assert!(
        kills >= 15 && halves >= 8,
        "{kills} kills, {halves} of them with a file"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_is_killed_while_it_is_filled_is_filled_to_the_end() {
    let data = TempDir::new().expect("a directory");
    let place = ["demo", "--listen", "127.0.0.1:0", "--data"];
    let talk = async |data: &Path| {
        let folder = data.to_str().expect("a path in UTF-8");
        stops(House::runs(&[&place[..], &[folder]].concat()).await).await;
        let file = data.join("tertulia.db");
        is_sound(&file).await;
        texts(&file, "SELECT room_id || ' ' || seq || ' ' || author_id || ' ' || COALESCE(body, 'deleted') FROM messages \
            ORDER BY room_id, seq").await
    };
    let folder = data.path().to_str().expect("a path in UTF-8");
    for size in [200_000, 400_000, 800_000] {
        dies_at(
            &[&place[..], &[folder]].concat(),
            data.path(),
            &Moment::LogOf(size),
        )
        .await;
    }
    let whole = TempDir::new().expect("a directory");
    assert_eq!(talk(data.path()).await, talk(whole.path()).await);
}

/// The first column of each row.
async fn texts(file: &Path, sql: &str) -> Vec<String> {
    let database = postgres::open(&format!("sqlite://{}", file.display())).await;
    let query = sea_orm::Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(query).await.expect("a query");
    database.close().await.expect("it was open");
    let text = |row: &sea_orm::QueryResult| row.try_get_by_index::<String>(0).expect("text");
    rows.iter().map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_file_is_refused_and_told_who_has_it() {
    let place = TempDir::new().expect("a directory");
    let data = place.path().join("data");
    let house = House::opens("127.0.0.1:0", &data, &[]).await;
    let (address, holder) = (house.listen().to_owned(), house.id());
    let link = place.path().join("link");
    symlink("data", &link).expect("a link");
    let ways = [data.clone(), data.join("../data"), link.clone()];
    for way in &ways {
        let said = is_refused(way).await;
        let words = format!("already served by process {holder} at http://{address}");
        assert!(said.contains(&words), "{said}");
    }
    let other = place.path().join("other.db");
    symlink("data/tertulia.db", &other).expect("a link");
    let url = format!("sqlite://{}", other.display());
    let folder = place.path().join("elsewhere");
    let folder = folder.to_str().expect("a path in UTF-8");
    for command in ["serve", "demo"] {
        let run = outcome_of(&[
            command,
            "--listen",
            "127.0.0.1:0",
            "--data",
            folder,
            "--database",
            &url,
        ])
        .await;
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(
            !run.status.success() && said.contains("already served by"),
            "{said}"
        );
    }

    // By its second name, and without its lock file, it is the same file.
    let linked = place.path().join("linked");
    fs::create_dir(&linked).expect("room");
    fs::hard_link(data.join("tertulia.db"), linked.join("tertulia.db")).expect("a link");
    fs::remove_file(data.join("tertulia.db.lock")).expect("it is there");
    for way in [&linked, &data] {
        let said = is_refused(way).await;
        assert!(said.contains("another server serves"), "{said}");
    }
    fs::remove_dir_all(&linked).expect("it is ours");

    house.dies().await;
    let house = House::opens("127.0.0.1:0", &link, &[]).await;
    house.person("ada").await;
    stops(house).await;
    stops(House::opens("127.0.0.1:0", &data, &[]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_servers_that_start_together_on_a_new_directory_one_serves() {
    let place = TempDir::new().expect("a directory");
    let data = place.path().join("data");
    let folder = data.to_str().expect("a path in UTF-8");
    let mut running: Vec<_> = (0..5)
        .map(|_| spawned(&["--listen", "127.0.0.1:0", "--data", folder]))
        .collect();
    let first_words = running.iter_mut().map(|child| {
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        tokio::spawn(async move { out.lines().next_line().await.expect("UTF-8") })
    });
    let mut ready = 0;
    for words in first_words.collect::<Vec<_>>() {
        ready += usize::from(words.await.expect("it reads").is_some());
    }
    assert_eq!(ready, 1);
    for mut child in running {
        child.kill().await.expect("it ends");
    }
    stops(House::opens("127.0.0.1:0", &data, &[]).await).await;
    is_sound(&data.join("tertulia.db")).await;
}

fn beside(data: &Path, ending: &str) -> PathBuf {
    data.join(format!("tertulia.db{ending}"))
}

fn sum(file: &Path) -> Vec<u8> {
    Sha256::digest(fs::read(file).expect("it is there")).to_vec()
}

/// The backup lies over the database of a server that was killed, beside what that left. Neither is touched.
async fn is_refused_as_it_is(data: &Path, backup: &Path) {
    fs::copy(backup, beside(data, "")).expect("a copy");
    let before = (sum(&beside(data, "")), sum(&beside(data, "-wal")));
    for _ in 0..2 {
        let said = is_refused(data).await;
        assert!(
            said.contains("-wal") && said.contains("tertulia restore --from"),
            "{said}"
        );
        assert!(said.contains("Nothing was changed"), "{said}");
        assert!(before == (sum(&beside(data, "")), sum(&beside(data, "-wal"))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_copied_beside_the_log_of_another_database_is_not_served() {
    let (data, elsewhere) = (
        TempDir::new().expect("a directory"),
        TempDir::new().expect("a directory"),
    );
    // Another chat, and an earlier state of the same one.
    for (n, place) in [elsewhere.path(), data.path()].into_iter().enumerate() {
        let house = House::opens("127.0.0.1:0", place, &["--limits", "off"]).await;
        let ada = house.person("ada").await;
        let room = ada.creates_room("General").await;
        for m in 0..20 * (n + 1) {
            ada.posts(room, &format!("hello {m}")).await;
        }
        stops(house).await;
        assert!(!beside(place, "-wal").exists(), "a clean stop leaves none");
    }
    let earlier = data.path().join("backup.db");
    fs::copy(beside(data.path(), ""), &earlier).expect("a copy");

    let house = House::opens("127.0.0.1:0", data.path(), &["--limits", "off"]).await;
    let ada = house.anon("ada");
    ada.signs_in().await;
    for n in 0..40 {
        ada.posts(1, &format!("later {n}")).await;
    }
    let database = postgres::open(&format!("sqlite://{}", beside(data.path(), "").display())).await;
    let folded = database
        .execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)")
        .await;
    folded.expect("nobody reads");
    database.close().await.expect("it was open");
    for n in 0..5 {
        ada.posts(1, &format!("last {n}")).await;
    }
    house.dies().await;
    assert!(
        fs::metadata(beside(data.path(), "-wal"))
            .expect("it is left")
            .len()
            > 0
    );
    let kept = TempDir::new().expect("a directory");
    for ending in ["", "-wal"] {
        fs::copy(beside(data.path(), ending), beside(kept.path(), ending)).expect("a copy");
    }

    is_refused_as_it_is(data.path(), &earlier).await;
    is_refused_as_it_is(data.path(), &beside(elsewhere.path(), "")).await;

    let house = House::opens("127.0.0.1:0", kept.path(), &[]).await;
    let ada = house.anon("ada");
    ada.signs_in().await;
    assert_eq!(
        ada.reads_back(1).await.len(),
        85,
        "what a kill leaves is served"
    );
    stops(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_shrinks_again_after_somebody_has_read_for_long() {
    let data = TempDir::new().expect("a directory");
    let house = House::opens("127.0.0.1:0", data.path(), &["--limits", "off"]).await;
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    let url = format!("sqlite://{}", beside(data.path(), "").display());
    let (reader, writer) = (postgres::open(&url).await, postgres::open(&url).await);
    for sql in ["BEGIN", "SELECT COUNT(*) FROM users"] {
        let read = sea_orm::Statement::from_string(reader.get_database_backend(), sql);
        reader.query_all_raw(read).await.expect("a query");
    }
    writer
        .execute_unprepared("CREATE TABLE ballast AS SELECT zeroblob(40000000) AS bytes")
        .await
        .expect("there is room");
    let size = || fs::metadata(beside(data.path(), "-wal")).map_or(0, |it| it.len());
    assert!(size() > 30_000_000, "{}", size());
    reader.execute_unprepared("COMMIT").await.expect("it reads");
    reader.close().await.expect("it was open");
    writer.close().await.expect("it was open");
    eventually("the log is small again", async || {
        ada.posts(room, "hello").await;
        size() <= 8_388_608
    })
    .await;
    stops(house).await;
}

/// Everything in a directory that others may look into, and the directory itself.
fn open_to_others(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data).expect("it is there").flatten();
    let all = entries.map(|entry| entry.path()).chain([data.to_owned()]);
    let mode = |path: &PathBuf| {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
    };
    all.filter(|path| mode(path) & 0o077 != 0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_may_look_into_the_data_whatever_the_umask_and_whoever_made_the_directory() {
    let place = TempDir::new().expect("a directory");
    let data = place.path().join("data");
    let careless = ["sh", "-c", "umask 000; exec \"$0\" \"$@\""];
    for was_there in [false, true] {
        if was_there {
            fs::remove_dir_all(&data).expect("it is ours");
            fs::create_dir(&data).expect("a directory");
            fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        let house = House::opens_under(&careless, "127.0.0.1:0", &data, &[]).await;
        house.person("ada").await;
        assert!(beside(&data, "-wal").exists() && beside(&data, "-shm").exists());
        assert_eq!(open_to_others(&data), Vec::<PathBuf>::new());
        house.dies().await;
        assert_eq!(open_to_others(&data), Vec::<PathBuf>::new());
    }

    fs::write(data.join("notes.txt"), "not ours").expect("a file");
    let entries = fs::read_dir(&data).expect("it is there").flatten();
    let all: Vec<_> = entries
        .map(|entry| entry.path())
        .chain([data.clone()])
        .collect();
    for path in &all {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    let house = House::opens("127.0.0.1:0", &data, &[]).await;
    assert_eq!(
        open_to_others(&data),
        [data.join("notes.txt")],
        "what is not ours stays as it is"
    );
    assert_eq!(house.times_logged("of this machine could read or write"), 1);
    house.dies().await;
    let house = House::opens("127.0.0.1:0", &data, &[]).await;
    assert_eq!(house.times_logged("of this machine could read or write"), 0);
    house.dies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_somebody_else_is_refused_in_words_and_root_leaves_them_their_files() {
    const NOBODY: u32 = 65_534;
    let place = TempDir::new().expect("a directory");
    let data = place.path().join("data");
    fs::create_dir(&data).expect("a directory");
    let own = fs::metadata(&data).expect("it is there").uid();
    if std::os::unix::fs::chown(&data, Some(NOBODY), Some(NOBODY)).is_err() {
        eprintln!("Directories of other people are not tried in this run: only root can make one.");
        return;
    }
    let house = House::opens("127.0.0.1:0", &data, &[]).await;
    house.person("ada").await;
    for ending in ["", "-wal", "-shm", ".lock"] {
        let file = fs::metadata(beside(&data, ending)).expect("it is there");
        assert_eq!(file.uid(), NOBODY, "{ending}");
    }
    stops(house).await;

    // The program may lie where nobody else can reach it.
    let program = place.path().join("tertulia");
    fs::copy(env!("CARGO_BIN_EXE_tertulia"), &program).expect("a copy");
    for path in [place.path(), &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    std::os::unix::fs::chown(&data, Some(own), Some(own)).expect("we may");
    let mut command = tokio::process::Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command
        .arg(&program)
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(&data);
    let run = command.output().await.expect("setpriv is there");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success(), "{said}");
    let words = format!("belongs to user {own} and this process runs as user {NOBODY}");
    assert!(said.contains(&words), "{said}");
}
