//! A herd: many pages lose their connections at once and come back at once, without any pause of their own. How long
//! until each is live again, which here means: has what it missed.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};

use super::{
    Plan, Result,
    client::{Client, Person},
    figures::{Table, Times, time},
    lines::Line,
    program::Program,
    readers::rev_of,
    side::PEOPLE,
};

/// How many messages each has missed.
const MISSED: u32 = 5;
/// How long one waits whom nobody answered.
const AGAIN: Duration = Duration::from_millis(10);

pub async fn measure(
    plan: &Plan,
    program: &mut Program,
    data: &Path,
    table: &mut Table,
) -> Result<()> {
    program.invite(PEOPLE).await?;
    let pages = plan.size(1_000, 200);
    let mut sender = Client::of(&program.address, &program.people[0]).await?;
    let room = sender.open_room("Hall+of+the+herd").await?;
    let mut seen = sender.say(&room).await?;
    let mut lines = come(program, &room, seen - 1, seen, pages).await?.0;
    let (mut cut, mut killed) = (Times::default(), Times::default());
    let (mut last_of_cut, mut last_of_killed) = (Times::default(), Times::default());
    for _ in 0..plan.size(5, 2) {
        drop(std::mem::take(&mut lines));
        let before = seen;
        for _ in 0..MISSED {
            seen = sender.say(&room).await?;
        }
        let (back, times) = come(program, &room, before, seen, pages).await?;
        last_of_cut.push(times.at(1.0));
        cut.extend(times);
        lines = back;

        let before = seen;
        for _ in 0..MISSED {
            seen = sender.say(&room).await?;
        }
        drop(std::mem::take(&mut lines));
        let begun = Instant::now();
        program.begin_afresh(&plan.server, data).await?;
        let start = begun.elapsed();
        let (back, times) = come(program, &room, before, seen, pages).await?;
        last_of_killed.push(start + times.at(1.0));
        killed.extend(times);
        lines = back;
        sender = Client::of(&program.address, &program.people[0]).await?;
    }
    for (what, times, last) in [
        ("cut at once", cut, last_of_cut),
        ("of a killed server", killed, last_of_killed),
    ] {
        table.add(
            format!("{pages} pages {what}: each live again, p50 · p99"),
            times.words(),
            "",
            "",
        );
        let words = time(last.at(0.5));
        table.add(format!("{pages} pages {what}: the last one"), words, "", "");
    }
    Ok(())
}

/// So many pages come from the cursor `from`, all at once; how long it took until each was at `to`.
async fn come(
    program: &Program,
    room: &str,
    from: i64,
    to: i64,
    pages: usize,
) -> Result<(Vec<Line>, Times)> {
    let path = format!(
        "/live?room={}&rev={from}",
        room.trim_start_matches("/rooms/")
    );
    let (mut coming, begun) = (JoinSet::new(), Instant::now());
    for person in program.people[..PEOPLE].iter().cycle().take(pages) {
        let (address, person, path) = (program.address.clone(), person.clone(), path.clone());
        coming.spawn(async move {
            let line = come_back(&address, &person, &path, to).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((line, begun.elapsed()))
        });
    }
    let (mut lines, mut times) = (Vec::new(), Times::default());
    while let Some(came) = coming.join_next().await {
        let (line, time) = came??;
        lines.push(line);
        times.push(time);
    }
    Ok((lines, times))
}

async fn come_back(address: &str, person: &Person, path: &str, to: i64) -> Result<Line> {
    loop {
        let client = Client::of(address, person).await;
        let line = match client {
            Ok(client) => client.upgrade(path).await,
            Err(err) => Err(err),
        };
        let Ok(mut line) = line else {
            sleep(AGAIN).await;
            continue;
        };
        while rev_of(line.text().await?).is_none_or(|rev| rev < to) {}
        return Ok(line);
    }
}
