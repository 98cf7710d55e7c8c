//! Breaks things at random, and mends each before it breaks the next: one hand is on the server, one on the network.

use std::collections::BTreeMap;
use std::fmt;
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::disk::{Disk, Lock};
use crate::support::House;
use crate::support::dice::Dice;
use crate::support::proxy::Proxy;

/// What can be done to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    Killed,
    KilledWhileLocked,
    ToldToStop,
    Frozen,
    Locked,
    DiskFilled,
    OutOfFiles,
}

/// What can be done to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Cut,
    Stalled,
    HalfClosed,
    Lost,
    Refused,
    UpgradesStripped,
}

const BLOWS: [Blow; 7] = [
    Blow::Killed,
    Blow::Frozen,
    Blow::Locked,
    Blow::DiskFilled,
    Blow::OutOfFiles,
    Blow::KilledWhileLocked,
    Blow::ToldToStop,
];

const TROUBLES: [Trouble; 6] = [
    Trouble::Cut,
    Trouble::Stalled,
    Trouble::HalfClosed,
    Trouble::Lost,
    Trouble::Refused,
    Trouble::UpgradesStripped,
];

/// How the server is started.
pub const FLAGS: &[&str] = &["--limits", "off"];

/// How often each thing was done.
pub type Tally = BTreeMap<String, u32>;

/// Each of these once, in an order left to chance, and then again.
pub struct Deck<T: 'static> {
    all: &'static [T],
    left: Vec<T>,
}

impl<T: Copy + 'static> Deck<T> {
    pub fn new(all: &'static [T]) -> Deck<T> {
        Deck { all, left: vec![] }
    }

    pub fn draw(&mut self, dice: &mut Dice) -> T {
        if self.left.is_empty() {
            self.left = self.all.to_vec();
        }
        self.left.swap_remove(dice.roll(self.left.len()))
    }
}

/// What both hands know.
#[derive(Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    pub began: Instant,
    pub end: Instant,
}

impl Plan {
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Tells what happens, for whoever watches a run or looks into a failed one.
    pub fn say(&self, words: fmt::Arguments<'_>) {
        eprintln!("{:8.3}  {words}", self.began.elapsed().as_secs_f64());
    }
}

/// The hand on the server.
pub struct Striker<'a> {
    disk: &'a Disk,
    house: Option<House>,
    listen: String,
    /// What the servers printed and logged that are gone.
    logs: Vec<String>,
}

impl<'a> Striker<'a> {
    pub fn new(disk: &'a Disk, house: House) -> Striker<'a> {
        Striker {
            disk,
            listen: house.listen().to_owned(),
            house: Some(house),
            logs: Vec::new(),
        }
    }

    /// Strikes until the time has come; the server is well then.
    pub async fn strikes(&mut self, plan: Plan) -> Tally {
        let (mut dice, mut deck, mut tally) = (Dice(plan.seed), Deck::new(&BLOWS), Tally::new());
        while !plan.is_over() {
            let blow = deck.draw(&mut dice);
            let long = millis(200 + dice.roll(2300));
            plan.say(format_args!("the server: {blow:?}, {long:?}"));
            if self.strike(blow, long).await {
                *tally.entry(format!("{blow:?}")).or_default() += 1;
            }
            if self.house().has_ended() {
                panic!("the server ended by itself: {}", self.ends().await);
            }
            sleep(millis(300 + dice.roll(1500))).await;
        }
        tally
    }

    /// Does one thing for about so long; tells whether it can be done here.
    async fn strike(&mut self, blow: Blow, long: Duration) -> bool {
        match blow {
            Blow::Killed => {
                self.dies().await;
                sleep(long / 2).await;
                self.opens().await;
            }
            Blow::KilledWhileLocked => {
                let lock = self.disk.lock().await;
                self.dies().await;
                tokio::join!(release_after(lock, long), self.opens());
            }
            Blow::ToldToStop => {
                self.house().is_asked_to_stop();
                let code = self.house().ends().await;
                let log = self.ends().await;
                assert_eq!(code, Some(0), "told to stop: {log}");
                self.opens().await;
            }
            Blow::Frozen => {
                self.house().is_sent("-STOP");
                sleep(long * 2).await;
                self.house().is_sent("-CONT");
            }
            Blow::Locked => release_after(self.disk.lock().await, long * 3).await,
            Blow::DiskFilled => {
                if !self.disk.fill() {
                    return false;
                }
                sleep(long).await;
                self.disk.empty();
            }
            Blow::OutOfFiles => return out_of_files(self.house().id(), long).await,
        }
        true
    }

    fn house(&mut self) -> &mut House {
        self.house.as_mut().expect("it runs between two blows")
    }

    async fn opens(&mut self) {
        let house = House::opens(&self.listen, self.disk.path(), FLAGS).await;
        self.house = Some(house);
    }

    async fn dies(&mut self) {
        let house = self.house.take().expect("it runs between two blows");
        self.logs.push(house.dies().await);
    }

    /// The server has ended: what it printed and logged.
    async fn ends(&mut self) -> String {
        let log = self.house().log().await;
        self.logs.push(log.clone());
        log
    }

    /// Ends the server; what all servers of the run printed and logged.
    pub async fn finish(mut self) -> Vec<String> {
        self.dies().await;
        self.logs
    }
}

async fn release_after(lock: Lock, long: Duration) {
    sleep(long).await;
    lock.release().await;
}

/// The process gets no new file or socket for so long; tells whether that can be done here.
pub async fn out_of_files(process: u32, long: Duration) -> bool {
    let limit = |how: &str| {
        let mut command = Command::new("prlimit");
        command.args(["--pid", &process.to_string(), "--noheadings", "--raw"]);
        command.args(how.split(' ')).output()
    };
    let Ok(before) = limit("--nofile --output SOFT") else {
        eprintln!("Files never run out in this run: there is no prlimit.");
        return false;
    };
    let before = String::from_utf8_lossy(&before.stdout).trim().to_owned();
    let mut done = Vec::new();
    done.push(limit("--nofile=8:"));
    sleep(long).await;
    done.push(limit(&format!("--nofile={before}:")));
    done.into_iter()
        .all(|done| done.is_ok_and(|done| done.status.success()))
}

/// Makes trouble on one line or on all, until the time has come; the lines are well then.
pub async fn meddle(lines: &[Proxy], plan: Plan) -> Tally {
    let (mut dice, mut deck, mut tally) = (Dice(!plan.seed), Deck::new(&TROUBLES), Tally::new());
    while !plan.is_over() {
        let trouble = deck.draw(&mut dice);
        let which = dice.roll(lines.len() * 3 / 2);
        let hit = lines.get(which..=which).unwrap_or(lines);
        let long = millis(100 + dice.roll(3900));
        plan.say(format_args!(
            "{} of {} lines: {trouble:?}, {long:?}",
            hit.len(),
            lines.len()
        ));
        make_trouble(hit, trouble, long).await;
        *tally.entry(format!("{trouble:?}")).or_default() += 1;
        sleep(millis(200 + dice.roll(1300))).await;
    }
    // What was lost is noticed at the latest when the network says that it is back.
    lines.iter().for_each(Proxy::cut);
    tally
}

async fn make_trouble(lines: &[Proxy], trouble: Trouble, long: Duration) {
    let all = |meddle: &dyn Fn(&Proxy)| lines.iter().for_each(meddle);
    match trouble {
        Trouble::Cut => all(&Proxy::cut),
        Trouble::HalfClosed => all(&Proxy::half_close),
        Trouble::Lost => all(&Proxy::lose),
        Trouble::Stalled => {
            all(&|line| line.stall(true));
            sleep(long).await;
            all(&|line| line.stall(false));
        }
        Trouble::Refused => {
            all(&|line| line.refuse(true));
            sleep(long / 2).await;
            all(&|line| line.refuse(false));
        }
        Trouble::UpgradesStripped => {
            all(&|line| line.strip_upgrades(true));
            all(&Proxy::cut);
            sleep(long / 2).await;
            all(&|line| line.strip_upgrades(false));
        }
    }
}

pub fn millis(count: usize) -> Duration {
    Duration::from_millis(count as u64)
}
