//! How soon the program answers, how much it holds when idle, how large it is.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use super::{
    Plan, Result,
    client::Client,
    figures::{Table, Times, three, time},
    program::Program,
};

pub async fn measure(plan: &Plan, folder: &Path, table: &mut Table) -> Result<()> {
    let (mut first, mut later) = (Times::default(), Times::default());
    for round in 0..10 {
        let data = folder.join(format!("start-{round}"));
        first.push(until_it_answers(plan, &data).await?);
        later.push(until_it_answers(plan, &data).await?);
    }
    table.add(
        "cold start, an existing database: spawned → first answer",
        time(later.at(0.5)),
        "",
        "",
    );
    table.add("cold start, a new database", time(first.at(0.5)), "", "");

    let mut program = Program::serve(&plan.server, &folder.join("idle")).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    table.add(
        "memory when idle, nobody there yet",
        mib(program.process.memory()?),
        "",
        "",
    );
    program.invite(1).await?;
    let mut person = Client::of(&program.address, &program.people[0]).await?;
    let room = person.open_room("General").await?;
    person.say(&room).await?;
    person.get(&room, "").await?;
    table.add(
        "memory after one person signed up and posted",
        mib(program.process.memory()?),
        "",
        "",
    );
    let size = fs::metadata(&plan.server)?.len();
    table.add(
        "the binary",
        format!("{} MB", three(size as f64 / 1e6)),
        "",
        "",
    );
    Ok(())
}

async fn until_it_answers(plan: &Plan, data: &Path) -> Result<Duration> {
    let begun = Instant::now();
    let program = Program::serve(&plan.server, data).await?;
    let answer = Client::connect(&program.address)
        .await?
        .get("/healthz", "")
        .await?;
    if answer.status == 200 {
        Ok(begun.elapsed())
    } else {
        Err("it started but is not healthy".into())
    }
}

fn mib(kib: u64) -> String {
    format!("{} MiB", three(kib as f64 / 1024.0))
}
