//! How many posts a second are stored, each answered after its commit is on the disk.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{
    Plan, Result,
    client::Client,
    figures::{Table, Times, rate, three, time},
    machine,
    program::{Process, Program},
};

/// Connections, and the room that each posts into; without one it asks for /healthz.
pub type Senders = Vec<(Client, Option<String>)>;

/// What one run came to.
pub struct Run {
    /// How many were answered.
    pub count: u64,
    /// In what time.
    pub took: Duration,
    cpu: Duration,
    /// How long each took.
    pub times: Times,
}

pub async fn measure(
    plan: &Plan,
    program: &mut Program,
    data: &Path,
    table: &mut Table,
) -> Result<()> {
    program.invite(64).await?;
    let room = Client::of(&program.address, &program.people[0])
        .await?
        .open_room("Posts")
        .await?;
    let sync = machine::time_of_a_sync(data)?;
    table.add(
        "one append of 4 KiB until it is on this disk, p50",
        time(sync),
        "",
        "",
    );
    for senders in [16, 64] {
        // The first second warms up.
        let warm_up = senders_of(program, senders, Some(&room)).await?;
        let processes = [program.process];
        run(warm_up, &processes, Duration::from_secs(1)).await?;
        let length = Duration::from_secs(plan.size(5, 2));
        let pings = run(
            senders_of(program, senders, None).await?,
            &processes,
            length,
        )
        .await?;
        let posts = senders_of(program, senders, Some(&room)).await?;
        let posts = run(posts, &processes, length).await?;
        let (posted, answered) = (rate(posts.count, posts.took), rate(pings.count, pings.took));
        table.add(
            format!("posts/s, {senders} senders, each on the disk before its answer"),
            three(posted),
            format!("/healthz {}", three(answered)),
            format!("{} ×", three(posted / answered)),
        );
        table.add(
            format!("a post with {senders} senders, p50 · p99"),
            posts.times.words(),
            format!("/healthz {}", pings.times.words()),
            "",
        );
        let each = |run: &Run| run.cpu.div_f64(run.count as f64);
        table.add(
            format!("processor time of a post, {senders} senders"),
            time(each(&posts)),
            format!("/healthz {}", time(each(&pings))),
            super::figures::ratio(each(&posts), each(&pings)),
        );
    }
    Ok(())
}

/// So many who post into this room, or ask for /healthz.
async fn senders_of(program: &Program, senders: usize, room: Option<&String>) -> Result<Senders> {
    let mut clients = Vec::new();
    for person in &program.people[..senders] {
        let client = Client::of(&program.address, person).await?;
        clients.push((client, room.cloned()));
    }
    Ok(clients)
}

/// Each sender posts, or asks for /healthz, as soon as its last answer is there.
pub async fn run(senders: Senders, processes: &[Process], length: Duration) -> Result<Run> {
    let cpu = || -> Result<Duration> { processes.iter().map(|it| it.cpu()).sum() };
    let (before, begun) = (cpu()?, Instant::now());
    let mut running = JoinSet::new();
    for (client, room) in senders {
        running.spawn(send(client, room, begun + length));
    }
    let (mut count, mut times) = (0, Times::default());
    while let Some(done) = running.join_next().await {
        let done = done??;
        count += done.0;
        times.extend(done.1);
    }
    Ok(Run {
        count,
        took: begun.elapsed(),
        cpu: cpu()? - before,
        times,
    })
}

async fn send(mut client: Client, room: Option<String>, end: Instant) -> Result<(u64, Times)> {
    let (mut count, mut times) = (0, Times::default());
    while Instant::now() < end {
        let begun = Instant::now();
        match &room {
            Some(room) => drop(client.say(room).await?),
            None => drop(client.get("/healthz", "").await?),
        }
        times.push(begun.elapsed());
        count += 1;
    }
    Ok((count, times))
}

/// Posts so many messages into a room by 64 people, as fast as it goes.
pub async fn fill(program: &Program, room: &str, messages: usize) -> Result<()> {
    let mut running = JoinSet::new();
    for (index, person) in program.people[..64].iter().enumerate() {
        let mut client = Client::of(&program.address, person).await?;
        let share = messages / 64 + usize::from(index < messages % 64);
        let room = room.to_string();
        running.spawn(async move {
            for _ in 0..share {
                client.say(&room).await?;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}
