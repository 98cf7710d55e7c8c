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
    program::Program,
};

/// What one run came to.
struct Run {
    count: u64,
    took: Duration,
    cpu: Duration,
    times: Times,
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
        run(program, senders, Some(&room), Duration::from_secs(1)).await?;
        let length = Duration::from_secs(plan.size(5, 2));
        let pings = run(program, senders, None, length).await?;
        let posts = run(program, senders, Some(&room), length).await?;
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

/// Each sender posts, or asks for /healthz, as soon as its last answer is there.
async fn run(
    program: &Program,
    senders: usize,
    room: Option<&str>,
    length: Duration,
) -> Result<Run> {
    let mut clients = Vec::new();
    for person in &program.people[..senders] {
        clients.push(Client::of(&program.address, person).await?);
    }
    let (cpu, begun) = (program.process.cpu()?, Instant::now());
    let mut running = JoinSet::new();
    for client in clients {
        running.spawn(send(client, room.map(Into::into), begun + length));
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
        cpu: program.process.cpu()? - cpu,
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
