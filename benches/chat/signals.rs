//! What receipts, badges and presence cost: one busy room, read live by a thousand, with them and without.
//!
//! The two servers are the same program; rounds alternate, so that noise meets both. With signals every reader's
//! client says what it received and the lobby of every reader is kept up to date; in some rounds everybody's page also
//! says once a second how far it was read.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, interval_at},
};

use super::{
    Plan, Result,
    client::Client,
    figures::{Table, ratio, time},
    program::Program,
    readers::Crowd,
};

/// How many people read, each on several lines.
const PEOPLE: usize = 250;
/// How many messages come in a second: a room in which twenty people talk at once.
const RATE: u32 = 20;
/// How long a round lasts.
const ROUND: Duration = Duration::from_secs(5);

/// One server, its readers and who writes.
struct Side {
    program: Program,
    crowd: Crowd,
    room: String,
    posted: u64,
}

pub async fn measure(plan: &Plan, folder: &Path, table: &mut Table) -> Result<()> {
    let readers = plan.size(1_000, 400);
    let with = Program::serve(&plan.server, &folder.join("with")).await?;
    let without = Program::serve_without_signals(&plan.server, &folder.join("without")).await?;
    let mut with = Side::open(with, readers).await?;
    let mut without = Side::open(without, readers).await?;
    let (mut looking, mut on, mut off) = Default::default();
    for _ in 0..plan.size(4, 2) {
        with.talk(&mut on, readers, false).await?;
        without.talk(&mut off, readers, false).await?;
        with.talk(&mut looking, readers, true).await?;
    }
    let mut tell = |what: String, cost: Cost| {
        let (cost, off) = (cost.of_one(), off.of_one());
        table.add(
            what,
            time(cost),
            format!("off {}", time(off)),
            ratio(cost, off),
        );
    };
    let what = format!("processor time of a delivery to {readers} readers, {RATE}/s, signals on");
    tell(
        format!("{what}, {PEOPLE} people say each second what they read"),
        looking,
    );
    tell(what, on);
    Ok(())
}

/// What deliveries took the server.
#[derive(Clone, Copy, Default)]
struct Cost {
    cpu: Duration,
    deliveries: u64,
}

impl Cost {
    fn of_one(self) -> Duration {
        self.cpu.div_f64(self.deliveries as f64)
    }
}

impl Side {
    async fn open(mut program: Program, readers: usize) -> Result<Self> {
        program.invite(PEOPLE).await?;
        let (address, people) = (program.address.clone(), program.people.clone());
        let mut host = Client::of(&address, &people[0]).await?;
        let room = host.open_room("Busy").await?;
        let rev = host.say(&room).await?;
        let id = room.trim_start_matches("/rooms/").to_string();
        for person in &people {
            // Whoever has read the room is in it.
            let mut looker = Client::of(&address, person).await?;
            looker.read_to_the_end(&room, 1).await?;
        }
        let mut lines = Vec::new();
        for person in people.iter().cycle().take(readers) {
            let reader = Client::of(&address, person).await?;
            lines.push(
                reader
                    .upgrade(&format!("/live?room={id}&rev={rev}"))
                    .await?,
            );
        }
        Ok(Self {
            program,
            crowd: Crowd::gather(lines, rev),
            room,
            posted: 0,
        })
    }

    /// Talks at the steady rate for a while, and adds what that took the server; perhaps everybody looks.
    async fn talk(&mut self, cost: &mut Cost, readers: usize, looks: bool) -> Result<()> {
        let (address, people) = (&self.program.address, &self.program.people);
        let mut writers = Vec::new();
        for person in &people[..RATE as usize] {
            writers.push(Client::of(address, person).await?);
        }
        let mut lookers = Vec::new();
        for person in people.iter().filter(|_| looks) {
            lookers.push(Client::of(address, person).await?);
        }
        let (before, end, posted) = (
            self.program.process.cpu()?,
            Instant::now() + ROUND,
            self.posted,
        );
        let (seq, mut looking) = (Arc::new(AtomicI64::new(1)), JoinSet::new());
        for (turn, looker) in lookers.into_iter().enumerate() {
            let (room, seq) = (self.room.clone(), seq.clone());
            looking.spawn(look(looker, turn, room, seq, end));
        }
        let mut ticks = interval(Duration::from_secs(1) / RATE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < end {
            ticks.tick().await;
            let turn = self.posted as usize % writers.len();
            let posted = writers[turn].say(&self.room).await?;
            seq.store(posted, Ordering::Relaxed);
            self.posted += 1;
        }
        while let Some(done) = looking.join_next().await {
            done??;
        }
        self.crowd.reached(self.posted).await?;
        cost.deliveries += (self.posted - posted) * readers as u64;
        cost.cpu += self.program.process.cpu()? - before;
        Ok(())
    }
}

/// Somebody who says once a second how far they have read, until `end`; not all at the same moment.
async fn look(
    mut looker: Client,
    turn: usize,
    room: String,
    seq: Arc<AtomicI64>,
    end: Instant,
) -> Result<()> {
    let begin = Instant::now() + Duration::from_secs(1).mul_f64(turn as f64 / PEOPLE as f64);
    let mut ticks = interval_at(begin.into(), Duration::from_secs(1));
    while Instant::now() < end {
        ticks.tick().await;
        let seen = seq.load(Ordering::Relaxed);
        looker.read_to_the_end(&room, seen).await?;
    }
    Ok(())
}
