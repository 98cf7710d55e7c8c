//! What receipts, badges and presence cost: one busy room, read live by a thousand, with them and without.
//!
//! The two servers are the same program; rounds alternate, so that noise meets both. With signals every reader's
//! client says what it received, everybody's page says once a second how far it was read, and the lobby of every
//! reader is kept up to date.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval};

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
    writers: Vec<Client>,
    /// Those who say how far they have read; nobody without signals.
    lookers: Vec<Client>,
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
        let mut lookers = Vec::new();
        for person in &people {
            // Whoever has read the room is in it.
            let mut looker = Client::of(&address, person).await?;
            looker.read_to_the_end(&room, 1).await?;
            lookers.push(looker);
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
        let mut writers = Vec::new();
        for person in &people[..RATE as usize] {
            writers.push(Client::of(&address, person).await?);
        }
        if !signals {
            lookers.clear();
        }
        Ok(Self {
            program,
            crowd: Crowd::gather(lines, rev),
            room,
            writers,
            lookers,
            posted: 0,
            cpu: Duration::ZERO,
            deliveries: 0,
        })
    }

    /// Talks at the steady rate for so long, and adds up what that took the server.
    async fn talk(&mut self, length: Duration, readers: usize) -> Result<()> {
        let (before, end, posted) = (
            self.program.process.cpu()?,
            Instant::now() + length,
            self.posted,
        );
        let mut ticks = interval(Duration::from_secs(1) / RATE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < end {
            ticks.tick().await;
            let turn = self.posted as usize;
            let writers = self.writers.len();
            let seq = self.writers[turn % writers].say(&self.room).await?;
            self.posted += 1;
            // Everybody in turn, once a second.
            let share = self.lookers.len().div_ceil(RATE as usize).max(1);
            let shares = self.lookers.len().div_ceil(share).max(1);
            for looker in self.lookers.chunks_mut(share).skip(turn % shares).take(1) {
                for looker in looker {
                    looker.read_to_the_end(&self.room, seq).await?;
                }
            }
        }
        self.crowd.reached(self.posted).await?;
        self.deliveries += (self.posted - posted) * readers as u64;
        self.cpu += self.program.process.cpu()? - before;
        Ok(())
    }
}
