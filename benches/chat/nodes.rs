//! Several nodes on one PostgreSQL and one Redis: how soon one sees what happens on another, with Redis and without; what
//! deliveries cost when the readers are spread; how many posts are stored. All nodes have the server's core between them.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};

use super::{
    Plan, Result,
    client::{Client, Person},
    cluster::Shared,
    figures::{Table, Times, rate, ratio, three, time},
    posts,
    program::Program,
    readers::Crowd,
    side::{PEOPLE, keep_posting},
};

/// How long nodes take at most to notice that Redis came or went.
const NOTICE: Duration = Duration::from_secs(3);
/// How far apart posts are whose way is timed: with Redis, and without, where they meet each phase of the nodes' looks.
const APART: Duration = Duration::from_millis(40);
const FAR_APART: Duration = Duration::from_millis(277);

/// A node, and everybody's session there.
struct Node {
    program: Program,
    people: Vec<Person>,
}

pub async fn measure(plan: &Plan, folder: &Path, table: &mut Table) -> Result<()> {
    let folder = folder.join("nodes");
    std::fs::create_dir(&folder)?;
    let shared = Shared::start(&folder)?;
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::start(plan, &folder, &shared, nodes.first()).await?);
    }
    sleep(NOTICE).await;
    store(plan, &nodes, table).await?;
    deliver(plan, &nodes, table).await?;
    let with = travel(&nodes, plan.size(400, 100), APART).await?;
    let here = travel(&nodes[..1], plan.size(400, 100), APART).await?;
    drop(shared.redis);
    sleep(NOTICE).await;
    let without = travel(&nodes, plan.size(60, 15), FAR_APART).await?;
    let beside = format!("on the same node {}", here.words());
    let more = ratio(with.at(0.5), here.at(0.5));
    let what = "a post reaches a reader on another node, p50 · p99";
    table.add(what, with.words(), beside, more);
    table.add(format!("{what}, Redis gone"), without.words(), "", "");
    Ok(())
}

impl Node {
    async fn start(
        plan: &Plan,
        folder: &Path,
        shared: &Shared,
        first: Option<&Node>,
    ) -> Result<Self> {
        let data = folder.display().to_string();
        let fixed = [
            "--listen",
            "127.0.0.1:0",
            "--limits",
            "off",
            "--setup-code",
            "off",
            "--data",
            &data,
        ];
        let mut arguments: Vec<String> = fixed.map(Into::into).into();
        arguments.extend(shared.flags());
        let mut program = Program::start(&plan.server, &arguments).await?;
        let people = match first {
            None => {
                program.invite(PEOPLE).await?;
                std::mem::take(&mut program.people)
            }
            Some(_) => sign_in(&program.address).await?,
        };
        Ok(Self { program, people })
    }

    async fn client(&self, person: usize) -> Result<Client> {
        Client::of(&self.program.address, &self.people[person]).await
    }
}

/// Sessions for everybody at one more node.
async fn sign_in(address: &str) -> Result<Vec<Person>> {
    let mut people = Vec::new();
    for number in 1..=PEOPLE {
        let mut client = Client::connect(address).await?;
        people.push(client.sign_in(&format!("person{number}")).await?);
    }
    Ok(people)
}

/// How long posts at the first node take to a reader at the last.
async fn travel(nodes: &[Node], posts: u64, apart: Duration) -> Result<Times> {
    let (first, last) = (&nodes[0], nodes.last().ok_or("no node")?);
    let mut sender = first.client(0).await?;
    let room = sender.open_room("Far").await?;
    let rev = sender.say(&room).await?;
    sleep(NOTICE).await;
    let reader = last.client(1).await?.upgrade(&live(&room, rev)).await?;
    // The node begins to listen to the room.
    sleep(NOTICE).await;
    let (mut crowd, mut times) = (Crowd::gather(vec![reader], rev), Times::default());
    for posted in 1..=posts {
        crowd.start_timing();
        sender.say(&room).await?;
        crowd.reached(posted).await?;
        times.extend(crowd.stop_timing());
        sleep(apart).await;
    }
    Ok(times)
}

/// What a delivery costs, and how many there are, when the readers of one room are on one, two and three nodes.
async fn deliver(plan: &Plan, nodes: &[Node], table: &mut Table) -> Result<()> {
    let (readers, length) = (plan.size(1_000, 200), Duration::from_secs(plan.size(8, 3)));
    let mut alone = None;
    for count in 1..=nodes.len() {
        let (cpu, deliveries, took) = flood(&nodes[..count], readers, length).await?;
        let each = cpu.div_f64(deliveries as f64);
        let alone = *alone.get_or_insert(each);
        let what =
            format!("a delivery to {readers} readers on {count} nodes, full speed: processor time");
        let beside = format!("{} deliveries/s", three(rate(deliveries, took)));
        table.add(what, time(each), beside, ratio(each, alone));
    }
    Ok(())
}

async fn flood(
    nodes: &[Node],
    readers: usize,
    length: Duration,
) -> Result<(Duration, u64, Duration)> {
    let mut host = nodes[0].client(0).await?;
    let room = host
        .open_room(&format!("Spread+over+{}", nodes.len()))
        .await?;
    let rev = host.say(&room).await?;
    let mut lines = Vec::new();
    for (number, node) in (0..readers).zip(nodes.iter().cycle()) {
        let reader = node.client(number % PEOPLE).await?;
        lines.push(reader.upgrade(&live(&room, rev)).await?);
    }
    sleep(NOTICE).await;
    let mut crowd = Crowd::gather(lines, rev);
    let (before, begun) = (cpu_of(nodes)?, Instant::now());
    let posted = std::sync::Arc::default();
    let mut running = JoinSet::new();
    for (number, node) in (0..PEOPLE).zip(nodes.iter().cycle()) {
        let sender = node.client(number).await?;
        let (room, board, posted) = (room.clone(), crowd.board(), std::sync::Arc::clone(&posted));
        running.spawn(keep_posting(sender, room, board, posted, begun + length));
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    let posted = posted.load(std::sync::atomic::Ordering::Relaxed);
    crowd.reached(posted).await?;
    let cpu = cpu_of(nodes)? - before;
    Ok((cpu, posted * readers as u64, begun.elapsed()))
}

/// How many posts a second are stored by one node and by two, in one room and in rooms of their own.
async fn store(plan: &Plan, nodes: &[Node], table: &mut Table) -> Result<()> {
    let length = Duration::from_secs(plan.size(5, 2));
    let mut host = nodes[0].client(0).await?;
    let rooms = [host.open_room("One").await?, host.open_room("Two").await?];
    let mut alone = None;
    for (count, rooms, where_) in [
        (1, &rooms[..1], "1 node"),
        (2, &rooms[..1], "2 nodes, one room"),
        (2, &rooms[..], "2 nodes, a room each"),
    ] {
        let mut senders = Vec::new();
        for (number, node) in (0..PEOPLE).zip((0..count).cycle()) {
            let room = rooms[node % rooms.len()].clone();
            senders.push((nodes[node].client(number).await?, Some(room)));
        }
        let processes: Vec<_> = nodes[..count].iter().map(|it| it.program.process).collect();
        let run = posts::run(senders, &processes, length).await?;
        let stored = rate(run.count, run.took);
        let alone = *alone.get_or_insert(stored);
        table.add(
            format!("posts/s on PostgreSQL, {PEOPLE} senders, {where_}"),
            three(stored),
            run.times.words(),
            format!("{} ×", three(stored / alone)),
        );
    }
    Ok(())
}

fn live(room: &str, rev: i64) -> String {
    let id = room.trim_start_matches("/rooms/");
    format!("/live?room={id}&rev={rev}")
}

fn cpu_of(nodes: &[Node]) -> Result<Duration> {
    let processes = nodes.iter().map(|node| node.program.process);
    processes.map(|process| process.cpu()).sum()
}
