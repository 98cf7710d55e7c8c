//! A herd: many pages lose their connections at once and come back at once, without any pause of their own. How long
//! until each is live again, which here means: has what it missed. The bare server, which has nothing to tell them, is
//! measured in the same run.

use std::{
    env,
    path::Path,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};

use super::{
    Plan, Result, bare,
    client::{Client, Person},
    figures::{Table, Times, ratio, time},
    lines::Line,
    program::{Process, Program},
    readers::rev_of,
    side::PEOPLE,
};

/// How many messages each has missed.
const MISSED: u32 = 5;
/// How long the server tells pages that come back of new people, in case that clocks differ, and a second.
const NEWS: Duration = Duration::from_secs(11);
/// How long one waits whom nobody answered.
const AGAIN: Duration = Duration::from_millis(10);

/// What the returns of one kind came to.
#[derive(Default)]
struct Returns {
    times: Times,
    last: Times,
    cpu: Times,
}

/// Where a herd goes.
struct Place<'a> {
    address: &'a str,
    process: Process,
    people: &'a [Person],
    path: String,
    /// The change number that each must reach; none when there is nothing to tell.
    to: Option<i64>,
}

pub async fn measure(
    plan: &Plan,
    program: &mut Program,
    data: &Path,
    table: &mut Table,
) -> Result<()> {
    program.invite(PEOPLE).await?;
    sleep(NEWS).await;
    let pages = plan.size(1_000, 200);
    let mut sender = Client::of(&program.address, &program.people[0]).await?;
    let room = sender.open_room("Hall+of+the+herd").await?;
    let first = sender.say(&room).await?;
    let mut lines = Vec::new();
    let (mut cut, mut killed, mut beside) = Default::default();
    come(
        &place(program, &room, first - 1, first),
        pages,
        &mut lines,
        &mut Returns::default(),
    )
    .await?;
    let bare = Program::start(&env::current_exe()?, &[bare::COMMAND.into()]).await?;
    let mut bare_lines = Vec::new();
    for _ in 0..plan.size(5, 2) {
        bare_lines.clear();
        let there = Place {
            address: &bare.address,
            process: bare.process,
            people: &program.people,
            path: "/".into(),
            to: None,
        };
        come(&there, pages, &mut bare_lines, &mut beside).await?;

        lines.clear();
        let (before, seen) = talk(&mut sender, &room).await?;
        come(
            &place(program, &room, before, seen),
            pages,
            &mut lines,
            &mut cut,
        )
        .await?;

        let (before, seen) = talk(&mut sender, &room).await?;
        lines.clear();
        program.begin_afresh(&plan.server, data).await?;
        come(
            &place(program, &room, before, seen),
            pages,
            &mut lines,
            &mut killed,
        )
        .await?;
        sender = Client::of(&program.address, &program.people[0]).await?;
    }
    for (what, ours) in [
        ("cut at once", cut),
        ("of a server killed and started", killed),
    ] {
        tell(table, &format!("{pages} pages {what}"), &ours, &beside);
    }
    Ok(())
}

fn tell(table: &mut Table, what: &str, ours: &Returns, bare: &Returns) {
    let rows = [
        (
            "live again, p50 · p99",
            ours.times.words(),
            bare.times.words(),
            (&ours.times, &bare.times),
        ),
        (
            "the last one live again",
            time(ours.last.at(0.5)),
            time(bare.last.at(0.5)),
            (&ours.last, &bare.last),
        ),
        (
            "processor time for all",
            time(ours.cpu.at(0.5)),
            time(bare.cpu.at(0.5)),
            (&ours.cpu, &bare.cpu),
        ),
    ];
    for (figure, ours, bare, (ours_all, bare_all)) in rows {
        let beside = format!("bare {bare}");
        let ratio = ratio(ours_all.at(0.5), bare_all.at(0.5));
        table.add(format!("{what}: {figure}"), ours, beside, ratio);
    }
}

/// Says what the others will have missed; the change numbers before and after.
async fn talk(sender: &mut Client, room: &str) -> Result<(i64, i64)> {
    let first = sender.say(room).await?;
    let mut last = first;
    for _ in 1..MISSED {
        last = sender.say(room).await?;
    }
    Ok((first - 1, last))
}

fn place<'a>(program: &'a Program, room: &str, from: i64, to: i64) -> Place<'a> {
    let room = room.trim_start_matches("/rooms/");
    Place {
        address: &program.address,
        process: program.process,
        people: &program.people[..PEOPLE],
        path: format!("/live?room={room}&rev={from}"),
        to: Some(to),
    }
}

/// So many pages come, all at once.
async fn come(
    place: &Place<'_>,
    pages: usize,
    lines: &mut Vec<Line>,
    returns: &mut Returns,
) -> Result<()> {
    let (mut coming, begun, before) = (JoinSet::new(), Instant::now(), place.process.cpu()?);
    for person in place.people.iter().cycle().take(pages) {
        let (address, person) = (place.address.to_string(), person.clone());
        let (path, to) = (place.path.clone(), place.to);
        coming.spawn(async move {
            let line = come_back(&address, &person, &path, to).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((line, begun.elapsed()))
        });
    }
    let mut times = Times::default();
    while let Some(came) = coming.join_next().await {
        let (line, time) = came??;
        lines.push(line);
        times.push(time);
    }
    returns.cpu.push(place.process.cpu()? - before);
    returns.last.push(times.at(1.0));
    returns.times.extend(times);
    Ok(())
}

async fn come_back(address: &str, person: &Person, path: &str, to: Option<i64>) -> Result<Line> {
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
        if let Some(to) = to {
            while rev_of(line.text().await?).is_none_or(|rev| rev < to) {}
        }
        return Ok(line);
    }
}
