//! How long the pages take: rooms, by how much was said in them.

use std::time::Instant;

use super::{
    Plan, Result,
    client::{Client, Person},
    figures::{Table, Times, ratio},
    posts,
    program::Program,
};

/// A click on a row asks for the conversation alone.
const CLICK: &str =
    "HX-Request: true\r\nHX-Request-Type: partial\r\nHX-Target: section#conversation\r\n";
/// The older messages, when one scrolls up.
const SCROLL: &str = "HX-Request: true\r\nHX-Request-Type: partial\r\nHX-Target: li#older\r\n";

pub async fn measure(plan: &Plan, program: &mut Program, table: &mut Table) -> Result<()> {
    program.invite(64).await?;
    let viewer = program.people[0].clone();
    let most = plan.size(100_000, 10_000);
    let sizes = [0, 1_000, most];
    let mut rooms = Vec::new();
    for size in sizes {
        let mut client = Client::of(&program.address, &viewer).await?;
        let room = client.open_room(&format!("Room+of+{size}")).await?;
        posts::fill(program, &room, size).await?;
        if size > 0 {
            Client::of(&program.address, &viewer)
                .await?
                .read_to_the_end(&room, size as i64)
                .await?;
        }
        rooms.push(room);
    }
    let asks = plan.size(1_000, 300);
    for (what, extra) in [("room page", ""), ("conversation alone (a click)", CLICK)] {
        let paths: Vec<_> = rooms.iter().map(|room| (room.clone(), extra)).collect();
        let times = in_turn(program, &viewer, &paths, asks).await?;
        for (at, size) in sizes.iter().enumerate().skip(1) {
            let (ours, less) = (&times[at], &times[at - 1]);
            let beside = format!("with {}: {}", sizes[at - 1], less.words());
            let what = format!("{what}, {size} messages in the room, p50 · p99");
            table.add(
                what,
                ours.words(),
                beside,
                ratio(ours.at(0.5), less.at(0.5)),
            );
        }
    }
    let room = &rooms[2];
    let (end, middle) = (
        format!("{room}?before={most}"),
        format!("{room}?before={}", most / 2),
    );
    let times = in_turn(program, &viewer, &[(end, SCROLL), (middle, SCROLL)], asks).await?;
    let what = format!("50 older messages from the middle of {most}, p50 · p99");
    let beside = format!("from the end: {}", times[0].words());
    table.add(
        what,
        times[1].words(),
        beside,
        ratio(times[1].at(0.5), times[0].at(0.5)),
    );
    Ok(())
}

/// Asks for each address so many times, one after the other, round after round: noise meets all of them.
pub async fn in_turn(
    program: &Program,
    viewer: &Person,
    paths: &[(String, &str)],
    rounds: usize,
) -> Result<Vec<Times>> {
    let mut client = Client::of(&program.address, viewer).await?;
    let mut times: Vec<Times> = paths.iter().map(|_| Times::default()).collect();
    for round in 0..rounds + rounds / 10 {
        for ((path, extra), times) in paths.iter().zip(&mut times) {
            let begun = Instant::now();
            let answer = client.get(path, extra).await?;
            let took = begun.elapsed();
            if answer.status != 200 || answer.length < 100 {
                return Err(format!("{path} was answered with {}", answer.head).into());
            }
            // The first tenth warms up.
            if round >= rounds / 10 {
                times.push(took);
            }
        }
    }
    Ok(times)
}
