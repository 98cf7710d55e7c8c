//! A database that cannot be written for a while: reading goes on, nothing is promised that is not kept, and when it is
//! over, nobody has to do anything. What a full disk does is told in `faults/full.rs`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::support::actor::{new_key, seq_of};
use crate::support::{Answer, House, PATIENCE, Person, RoomId, Town, eventually};

/// Locks the database as another program does that works on the file.
async fn lock(data: &Path) -> DatabaseConnection {
    let file = data.join("tertulia.db");
    let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rw", file.display()));
    options.max_connections(1).sqlx_logging(false);
    let held = Database::connect(options).await.expect("the file is there");
    let begun = held.execute_unprepared("BEGIN EXCLUSIVE").await;
    begun.expect("no write takes longer than this waits");
    held
}

async fn release(held: DatabaseConnection) {
    let undone = held.execute_unprepared("ROLLBACK").await;
    undone.expect("the transaction is open");
    held.close().await.expect("it closes");
}

/// Says that nothing was stored, and when to try again, within the ten seconds that every post has.
async fn refuses(person: &Person, room: RoomId, key: &str) -> Answer {
    let begun = Instant::now();
    let answer = person.posts_with_key(room, "hello", key).await.is(503);
    assert!(
        begun.elapsed() < Duration::from_secs(11),
        "{:?}",
        begun.elapsed()
    );
    assert!(answer.header("retry-after").parse::<u64>().is_ok());
    assert!(answer.messages().is_empty(), "no tick");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_locked_for_three_seconds_makes_a_post_late_and_no_more() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let held = lock(town.data()).await;
    let (begun, key) = (Instant::now(), new_key());
    let posting = {
        let (ada, key) = (ada.clone(), key.clone());
        tokio::spawn(async move { ada.posts_with_key(room, "hello", &key).await })
    };
    ben.room(room).await;
    ben.lobby().await;
    sleep(Duration::from_secs(3)).await;
    release(held).await;
    let answer = posting.await.expect("it is answered").is(200);
    assert!(begun.elapsed() >= Duration::from_secs(3));
    let again = ada.posts_with_key(room, "hello", &key).await.is(200);
    assert_eq!(seq_of(&answer), seq_of(&again));
    assert_eq!(ada.reads_back(room).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_locked_for_twenty_seconds_refuses_posts_and_recovers() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let seq = ada.posts(room, "before").await;
    let mut ear = ben.listens(room, 0).await;
    ear.sees(seq).await;
    let held = lock(town.data()).await;
    let begun = Instant::now();
    let keys: Vec<_> = (0..8).map(|_| new_key()).collect();
    let senders = keys.iter().map(|key| {
        let (ada, key) = (ada.clone(), key.clone());
        tokio::spawn(async move {
            let mut refused = 0;
            while begun.elapsed() < Duration::from_secs(20) {
                refuses(&ada, room, &key).await;
                refused += 1;
            }
            refused
        })
    });
    let senders: Vec<_> = senders.collect();
    while !senders.iter().all(|sender| sender.is_finished()) {
        let read = Instant::now();
        assert_eq!(ben.room(room).await.messages().len(), 1);
        ben.lobby().await;
        assert!(read.elapsed() < Duration::from_secs(3), "reading goes on");
        sleep(Duration::from_millis(500)).await;
    }
    for sender in senders {
        assert!(sender.await.expect("each is refused in time") >= 2);
    }
    release(held).await;
    for key in &keys {
        ada.posts_with_key(room, "hello", key).await.is(200);
        ada.posts_with_key(room, "hello", key).await.is(200);
    }
    let seen = ear.sees_until(|message| message.seq == 9).await;
    assert_eq!(seen.len(), 8, "each once: {seen:#?}");
    assert_eq!(ada.reads_back(room).await.len(), 9);
}

fn allow_writing(data: &Path, mode: u32) {
    let file = data.join("tertulia.db");
    let set = std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode));
    set.expect("it is our file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_file_that_is_read_only_is_read_and_written_again_when_it_may_be() {
    let data = TempDir::new().expect("a directory");
    let mut house = House::opens("127.0.0.1:0", data.path(), &[]).await;
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "before").await;
    let listen = house.listen().to_owned();
    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));

    allow_writing(data.path(), 0o444);
    // Root may write to everything, unless it gives that up.
    let is_root = std::fs::File::options()
        .append(true)
        .open(data.path().join("tertulia.db"));
    let humble = [
        "setpriv",
        "--inh-caps=-dac_override",
        "--bounding-set=-dac_override",
    ];
    let under = if is_root.is_ok() { &humble[..] } else { &[] };
    let house = House::opens_under(under, &listen, data.path(), &[]).await;
    let key = new_key();
    refuses(&ada, room, &key).await;
    refuses(&ada, room, &key).await;
    assert_eq!(ada.room(room).await.messages()[0].text, "before");
    ada.gets("/readyz").await.is(200);

    allow_writing(data.path(), 0o644);
    eventually("it writes again by itself", async || {
        ada.posts_with_key(room, "hello", &key).await.status == 200
    })
    .await;
    ada.posts_with_key(room, "hello", &key).await.is(200);
    house.dies().await;
    let house = House::opens(&listen, data.path(), &[]).await;
    let texts = ada.reads_back(room).await.into_iter().map(|it| it.text);
    assert_eq!(texts.collect::<Vec<_>>(), ["before", "hello"]);
    drop(house);
}

/// The processor time that a process has used, in clock ticks (a hundred a second).
fn ticks_of(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let fields = stat.rsplit_once(") ").expect("a name in brackets").1;
    let fields: Vec<_> = fields.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<u64>().expect("a number");
    ticks(11) + ticks(12)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_file_descriptors_it_neither_spins_nor_floods_the_log_and_recovers() {
    let data = TempDir::new().expect("a directory");
    let few = ["sh", "-c", "ulimit -n 64; exec \"$0\" \"$@\""];
    let mut house = House::opens_under(&few, "127.0.0.1:0", data.path(), &[]).await;
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    let mut ear = ada.listens(room, 0).await;
    ear.hears("id=\"floors\"").await;
    // A debug build reads templates when they are first used, which takes a descriptor.
    ear.hears("\".presence\"").await;
    ear.hears("#presence-").await;
    let mut lines = Vec::new();
    for _ in 0..300 {
        lines.push(std::net::TcpStream::connect(house.listen()).expect("the system takes it"));
    }
    eventually("it runs out", async || {
        house.has_logged("cannot be accepted")
    })
    .await;

    let (before, begun) = (ticks_of(house.id()), Instant::now());
    sleep(Duration::from_secs(4)).await;
    let used = ticks_of(house.id()) - before;
    let most = begun.elapsed().as_millis() as u64 / 100;
    assert!(
        used <= most,
        "{used} ticks of processor time in {:?}",
        begun.elapsed()
    );

    drop(lines);
    let answered = tokio::time::timeout(PATIENCE, ada.posts(room, "still here")).await;
    ear.sees(answered.expect("it recovers")).await;
    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
    let log = house.log().await;
    let complaints = log
        .lines()
        .filter(|line| line.contains("cannot be accepted"));
    assert!(complaints.count() <= 3, "{log}");
    assert!(log.lines().count() < 100, "{log}");
}
