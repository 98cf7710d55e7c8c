//! A run over what happens around a chat: first starts, upgrades, backups and restores, each killed (`kill -9`) at a
//! moment left to chance, again and again, while people talk. What was acknowledged is in every server and in every
//! backup that was begun later; what has a whole file's name is whole; what was killed can be done again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::nemesis::{Deck, FLAGS, Plan, Tally, millis};
use super::party::{is_soak, plan_of};
use crate::starting::is_sound;
use crate::support::actor::new_key;
use crate::support::dice::Dice;
use crate::support::killing::{Moment, dies_at};
use crate::support::process::{outcome_of, spawned};
use crate::support::{House, PATIENCE, Person, RoomId, databases};
use crate::upgrading::golden::{GOLDEN, golden, is_kept, tables};

/// How long the run is, unless the environment says otherwise.
const SECONDS: u64 = 10;
/// How often one thing is killed before it may be done.
const KILLS: usize = 3;

/// What is killed.
#[derive(Debug, Clone, Copy)]
enum Work {
    FirstStart,
    Upgrade,
    Backup,
    ServerDuringBackup,
    Restore,
    RestoreIntoPostgres,
}

const STARTS: [Work; 2] = [Work::FirstStart, Work::Upgrade];

const WORKS: [Work; 6] = [
    Work::FirstStart,
    Work::Upgrade,
    Work::Backup,
    Work::ServerDuringBackup,
    Work::Restore,
    Work::RestoreIntoPostgres,
];

/// A chat in which Ada talks, and its backups, each with how much had been acknowledged when it was begun.
struct World {
    place: TempDir,
    data: PathBuf,
    house: Option<House>,
    listen: String,
    ada: Person,
    room: RoomId,
    said: Arc<Mutex<Vec<String>>>,
    backups: Vec<(PathBuf, usize)>,
    tally: Tally,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_whatever_is_killed_around_the_chat() {
    let plan = plan_of(SECONDS);
    let mut world = World::is_set().await;
    let quiet = CancellationToken::new();
    let talk = tokio::spawn(talks(
        world.ada.clone(),
        world.room,
        world.said.clone(),
        quiet.clone(),
    ));
    // The suite has tests of its own for killed backups and restores; a soak does everything.
    let works = if is_soak() { &WORKS[..] } else { &STARTS };
    let (mut dice, mut deck) = (Dice(plan.seed), Deck::new(works));
    let mut done = 0;
    while !plan.is_over() || done < works.len() {
        let work = deck.draw(&mut dice);
        plan.say(format_args!("{work:?}"));
        world.suffers(work, &mut dice, plan).await;
        done += 1;
    }
    quiet.cancel();
    talk.await.expect("she talks to the end");
    world.has_everything().await;
    let said = world.said.lock().expect("no panic").len();
    eprintln!("Killed in the middle: {:?}", world.tally);
    eprintln!(
        "{said} acknowledged, {} backups, 0 lost",
        world.backups.len()
    );
}

/// Posts until it is told to be quiet; each until it is stored.
async fn talks(ada: Person, room: RoomId, said: Arc<Mutex<Vec<String>>>, quiet: CancellationToken) {
    for n in 1.. {
        if quiet.run_until_cancelled(sleep(millis(15))).await.is_none() {
            return;
        }
        let (text, key) = (format!("post {n}"), new_key());
        let path = format!("/rooms/{room}/messages");
        loop {
            let form = [("body", text.as_str()), ("key", key.as_str())];
            let asked = ada.asks(reqwest::Method::POST, &path).form(&form);
            let tried = timeout(PATIENCE, asked.htmx("ol#messages").tries()).await;
            match tried.ok().and_then(Result::ok).map(|answer| answer.status) {
                Some(200) => break,
                None | Some(503) => sleep(millis(30)).await,
                Some(other) => panic!("{other} for a post"),
            }
        }
        said.lock().expect("no panic").push(text);
    }
}

/// Lets it run for a moment left to chance, then kills it; tells whether it was still running.
async fn killed(mut child: Child, dice: &mut Dice, longest: usize) -> bool {
    sleep(millis(dice.roll(longest))).await;
    let is_running = child.try_wait().expect("it is a child of ours").is_none();
    let _ = child.kill().await;
    is_running
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

async fn does(arguments: &[&str]) {
    let run = outcome_of(arguments).await;
    assert!(run.status.success(), "{arguments:?}: {run:?}");
}

fn moment(dice: &mut Dice) -> Moment {
    match dice.roll(3) {
        0 => Moment::After(millis(dice.roll(150))),
        1 => Moment::AfterFile(millis(dice.roll(40))),
        _ => Moment::LogOf(1 + dice.roll(160_000) as u64),
    }
}

impl World {
    async fn is_set() -> World {
        let place = TempDir::new().expect("a directory");
        let data = place.path().join("data");
        let house = House::opens("127.0.0.1:0", &data, FLAGS).await;
        let ada = house.person("ada").await;
        let room = ada.creates_room("General").await;
        World {
            place,
            data,
            listen: house.listen().to_owned(),
            house: Some(house),
            ada,
            room,
            said: Arc::default(),
            backups: Vec::new(),
            tally: Tally::new(),
        }
    }

    async fn suffers(&mut self, work: Work, dice: &mut Dice, plan: Plan) {
        let killed = match work {
            Work::FirstStart => self.starts_first(dice).await,
            Work::Upgrade => self.upgrades(dice).await,
            Work::Backup => self.backs_up(dice).await,
            Work::ServerDuringBackup => self.dies_during_backup(dice).await,
            Work::Restore => self.restores(dice).await,
            Work::RestoreIntoPostgres => self.restores_into_postgres(dice).await,
        };
        plan.say(format_args!("{work:?}: killed {killed} times"));
        *self.tally.entry(format!("{work:?}")).or_default() += killed;
    }

    /// A directory of its own, killed while it comes to be; then somebody talks there, it dies, and has kept it.
    async fn starts_first(&self, dice: &mut Dice) -> u32 {
        let data = TempDir::new().expect("a directory");
        let start = ["--listen", "127.0.0.1:0", "--data", text(data.path())];
        let mut kills = 0;
        for _ in 0..=dice.roll(KILLS) {
            kills += u32::from(!dies_at(&start, data.path(), &moment(dice)).await);
        }
        let house = House::opens("127.0.0.1:0", data.path(), FLAGS).await;
        let (ada, listen) = (house.person("ada").await, house.listen().to_owned());
        let room = ada.creates_room("General").await;
        ada.posts(room, "hello").await;
        house.dies().await;
        let house = House::opens(&listen, data.path(), FLAGS).await;
        assert_eq!(ada.reads_back(room).await[0].text, "hello");
        house.dies().await;
        kills + 1
    }

    /// A database of an earlier version, killed while it is brought up to date; then everything is in it.
    async fn upgrades(&self, dice: &mut Dice) -> u32 {
        let data = TempDir::new().expect("a directory");
        let step = GOLDEN[dice.roll(GOLDEN.len())];
        let before = golden(data.path(), step).await;
        let file = data.path().join("tertulia.db");
        let old = tables(&file).await;
        let start = ["--listen", "127.0.0.1:0", "--data", text(data.path())];
        let mut kills = 0;
        for _ in 0..=dice.roll(KILLS) {
            let after = Moment::After(millis(dice.roll(250)));
            kills += u32::from(!dies_at(&start, data.path(), &after).await);
        }
        let mut house = House::opens("127.0.0.1:0", data.path(), FLAGS).await;
        house.is_asked_to_stop();
        assert_eq!(house.ends().await, Some(0));
        is_kept(&before, &file, &old).await;
        is_sound(&file).await;
        kills
    }

    fn acknowledged(&self) -> usize {
        self.said.lock().expect("no panic").len()
    }

    fn next_backup(&self) -> PathBuf {
        let name = format!("backup-{}", self.backups.len() + 1);
        self.place.path().join(name)
    }

    /// A backup of the running chat is killed; whatever has its name is whole, and the next one is made.
    async fn backs_up(&mut self, dice: &mut Dice) -> u32 {
        let file = self.next_backup();
        let order = ["backup", "--data", text(&self.data), "--to", text(&file)];
        let mut kills = 0;
        let mut acknowledged = self.acknowledged();
        for _ in 0..=dice.roll(KILLS) {
            kills += u32::from(killed(spawned(&order), dice, 300).await);
            if file.exists() {
                break;
            }
            acknowledged = self.acknowledged();
        }
        if !file.exists() {
            does(&order).await;
        }
        does(&["backup", "--verify", text(&file)]).await;
        self.backups.push((file, acknowledged));
        kills
    }

    /// The server is killed while it is backed up.
    async fn dies_during_backup(&mut self, dice: &mut Dice) -> u32 {
        let (file, acknowledged) = (self.next_backup(), self.acknowledged());
        let order = ["backup", "--data", text(&self.data), "--to", text(&file)];
        let mut backup = spawned(&order);
        sleep(millis(dice.roll(250))).await;
        self.house.take().expect("it runs").dies().await;
        let ended = timeout(PATIENCE, backup.wait()).await.expect("it ends");
        let went_well = ended.expect("it is a child of ours").success();
        let house = House::opens(&self.listen, &self.data, FLAGS).await;
        self.house = Some(house);
        if !went_well {
            does(&order).await;
        }
        does(&["backup", "--verify", text(&file)]).await;
        self.backups.push((file, acknowledged));
        1
    }

    async fn a_backup(&mut self, dice: &mut Dice) -> (PathBuf, usize) {
        if self.backups.is_empty() {
            self.backs_up(dice).await;
        }
        self.backups[dice.roll(self.backups.len())].clone()
    }

    /// A backup is restored, and killed meanwhile; then everything that was acknowledged before it is there.
    async fn restores(&mut self, dice: &mut Dice) -> u32 {
        let (backup, acknowledged) = self.a_backup(dice).await;
        let data = TempDir::new().expect("a directory");
        let data = data.path().join("restored");
        let order = ["restore", "--from", text(&backup), "--data", text(&data)];
        let mut kills = 0;
        for _ in 0..=dice.roll(KILLS) {
            kills += u32::from(killed(spawned(&order), dice, 250).await);
            if data.join("tertulia.db").exists() {
                break;
            }
        }
        if !data.join("tertulia.db").exists() {
            does(&order).await;
        }
        let house = House::opens("127.0.0.1:0", &data, FLAGS).await;
        self.is_in(&house, acknowledged).await;
        house.dies().await;
        is_sound(&data.join("tertulia.db")).await;
        kills
    }

    /// The same into a server.
    async fn restores_into_postgres(&mut self, dice: &mut Dice) -> u32 {
        let (backup, acknowledged) = self.a_backup(dice).await;
        let data = TempDir::new().expect("a directory");
        let url = databases::url(data.path()).await;
        let order = ["restore", "--from", text(&backup), "--database", &url];
        let mut kills = 0;
        let mut went_well = false;
        for _ in 0..=dice.roll(KILLS) {
            let mut child = spawned(&order);
            sleep(millis(dice.roll(700))).await;
            let ended = child.try_wait().expect("it is a child of ours");
            kills += u32::from(ended.is_none());
            went_well = ended.is_some_and(|status| status.success());
            let _ = child.kill().await;
            if went_well {
                break;
            }
        }
        if !went_well {
            self.restores_at_last(&order).await;
        }
        let flags = [&["--database", &url], FLAGS].concat();
        let house = House::opens("127.0.0.1:0", data.path(), &flags).await;
        self.is_in(&house, acknowledged).await;
        house.dies().await;
        kills
    }

    /// The server notices after a moment that a killed restore is gone. One that was killed after its last word is done.
    async fn restores_at_last(&self, order: &[&str]) {
        let mut last = None;
        for _ in 0..40 {
            let run = outcome_of(order).await;
            let said = String::from_utf8_lossy(&run.stderr).into_owned();
            if run.status.success() || said.contains("is not empty") {
                return;
            }
            last = Some(said);
            sleep(Duration::from_millis(250)).await;
        }
        panic!("{order:?}: {last:?}");
    }

    /// The first so many that were acknowledged are there, in order, and nothing stands twice.
    async fn is_in(&self, house: &House, acknowledged: usize) {
        let ada = house.anon("ada");
        ada.signs_in().await;
        let stored = ada.reads_back(self.room).await;
        let seqs: Vec<_> = stored.iter().map(|it| it.seq).collect();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "no hole");
        let texts: Vec<_> = stored.into_iter().map(|it| it.text).collect();
        let said = self.said.lock().expect("no panic");
        assert!(
            texts.len() >= acknowledged,
            "{} of {acknowledged}",
            texts.len()
        );
        let both = texts.len().min(said.len());
        assert_eq!(texts[..both], said[..both]);
    }

    /// Ada's own chat, killed once more, has all she was told of, and nothing else.
    async fn has_everything(&mut self) {
        self.house.take().expect("it runs").dies().await;
        let house = House::opens(&self.listen, &self.data, FLAGS).await;
        self.is_in(&house, self.acknowledged()).await;
        house.dies().await;
        is_sound(&self.data.join("tertulia.db")).await;
    }
}
