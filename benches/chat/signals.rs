//! What receipts, badges and presence cost: one busy room, read live by a thousand, with them and without.
//!
//! The two servers are the same program; rounds alternate, so that noise meets both. With signals every reader's
//! client says what it received, everybody's page says once a second how far it was read, and the lobby of every
//! reader is kept up to date.

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

/// One server, its readers and who writes.
struct Side {
    program: Program,
    crowd: Crowd,
    room: String,
    signals: bool,
    posted: u64,
    cpu: Duration,
    deliveries: u64,
}

pub async fn measure(plan: &Plan, folder: &Path, table: &mut Table) -> Result<()> {
    let readers = plan.size(1_000, 400);
    let with = Program::serve(&plan.server, &folder.join("with")).await?;
    let without = Program::serve_without_signals(&plan.server, &folder.join("without")).await?;
    let mut sides = [
        Side::open(with, readers, true).await?,
        Side::open(without, readers, false).await?,
    ];
    for _ in 0..plan.size(4, 2) {
        for side in &mut sides {
            side.talk(Duration::from_secs(5), readers).await?;
        }
    }
    let [with, without] = sides.map(|side| side.cpu.div_f64(side.deliveries as f64));
    table.add(
        format!("processor time of a delivery to {readers} readers, {RATE}/s, signals on"),
        time(with),
        format!("off {}", time(without)),
        ratio(with, without),
    );
    Ok(())
}

impl Side {
    async fn open(mut program: Program, readers: usize, signals: bool) -> Result<Self> {
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
            signals,
            posted: 0,
            cpu: Duration::ZERO,
            deliveries: 0,
        })
    }

    /// Talks at the steady rate for so long, and adds up what that took the server.
    async fn talk(&mut self, length: Duration, readers: usize) -> Result<()> {
        let (address, people) = (&self.program.address, &self.program.people);
        let mut writers = Vec::new();
        for person in &people[..RATE as usize] {
            writers.push(Client::of(address, person).await?);
        }
        let mut lookers = Vec::new();
        for person in people.iter().filter(|_| self.signals) {
            lookers.push(Client::of(address, person).await?);
        }
        let (before, end, posted) = (
            self.program.process.cpu()?,
            Instant::now() + length,
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
        self.deliveries += (self.posted - posted) * readers as u64;
        self.cpu += self.program.process.cpu()? - before;
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
