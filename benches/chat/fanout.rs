//! Live readers of one room: how soon each sees a post, what a delivery costs the server, what an idle one holds.
//! The bare server is measured in the same run, by the same readers, with frames of the same bytes.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{
    Plan, Result,
    figures::{Table, Times, rate, ratio, three, time},
    program::Program,
    side::{self, Side},
};

/// What one side came to.
struct Outcome {
    times: Times,
    last: Times,
    cpu_of_a_post: Duration,
    deliveries: f64,
    cpu_of_a_delivery: Duration,
}

pub async fn measure(
    plan: &Plan,
    program: &mut Program,
    data: &Path,
    table: &mut Table,
) -> Result<()> {
    program.invite(side::PEOPLE).await?;
    for readers in plan.size(vec![200, 1_000], vec![400]) {
        program.begin_afresh(&plan.server, data).await?;
        let (mut ours, sample) = Side::tertulia(program, readers).await?;
        let mut bare = Side::bare(&sample, readers).await?;
        let (our_memory, bare_memory) = (ours.memory_of_a_reader, bare.memory_of_a_reader);
        let beside = |text: String| format!("bare {text}");
        table.add(
            format!("memory of an idle live connection, {readers}"),
            kib(our_memory),
            beside(kib(bare_memory)),
            format!("{} ×", three(our_memory / bare_memory)),
        );
        let (ours, bare) = compare(plan, readers, &mut ours, &mut bare).await?;
        table.add(
            format!("post → each of {readers} readers, 1/s, p50 · p99"),
            ours.times.words(),
            beside(bare.times.words()),
            ratio(ours.times.at(0.5), bare.times.at(0.5)),
        );
        let (our_last, bare_last) = (ours.last.at(0.5), bare.last.at(0.5));
        let what = format!("post → the last of {readers} readers, 1/s, p50");
        table.add(
            what,
            time(our_last),
            beside(time(bare_last)),
            ratio(our_last, bare_last),
        );
        let (our_cpu, bare_cpu) = (ours.cpu_of_a_post, bare.cpu_of_a_post);
        let what = format!("processor time of a post to {readers} readers, 1/s");
        table.add(
            what,
            time(our_cpu),
            beside(time(bare_cpu)),
            ratio(our_cpu, bare_cpu),
        );
        let (our_cpu, bare_cpu) = (ours.cpu_of_a_delivery, bare.cpu_of_a_delivery);
        let what = format!("processor time of a delivery to {readers} readers, full speed");
        table.add(
            what,
            time(our_cpu),
            beside(time(bare_cpu)),
            ratio(our_cpu, bare_cpu),
        );
        let what = format!("deliveries/s to {readers} readers, full speed");
        let more = format!("{} ×", three(ours.deliveries / bare.deliveries));
        table.add(
            what,
            three(ours.deliveries),
            beside(three(bare.deliveries)),
            more,
        );
    }
    Ok(())
}

/// A post a second on each side, in turn, so that noise meets both; then each at full speed.
async fn compare(
    plan: &Plan,
    readers: usize,
    ours: &mut Side,
    bare: &mut Side,
) -> Result<(Outcome, Outcome)> {
    let mut sides = [ours, bare];
    let mut timed = [(); 2].map(|()| (Times::default(), Times::default(), Duration::ZERO));
    let rounds = plan.size(20, 5);
    for _ in 0..rounds {
        for (side, (times, last, cpu)) in sides.iter_mut().zip(&mut timed) {
            let before = side.process.cpu()?;
            let arrivals = side.post_once().await?;
            sleep(Duration::from_millis(500)).await;
            last.push(arrivals.at(1.0));
            times.extend(arrivals);
            *cpu += side.process.cpu()? - before;
        }
    }
    let mut outcomes = Vec::new();
    for (side, (times, last, cpu)) in sides.into_iter().zip(timed) {
        let (before, begun, posted) = (side.process.cpu()?, Instant::now(), side.posted);
        side.flood(Duration::from_secs(plan.size(10, 3))).await?;
        let deliveries = (side.posted - posted) * readers as u64;
        outcomes.push(Outcome {
            times,
            last,
            cpu_of_a_post: cpu / rounds,
            deliveries: rate(deliveries, begun.elapsed()),
            cpu_of_a_delivery: (side.process.cpu()? - before).div_f64(deliveries as f64),
        });
    }
    let bare = outcomes.pop().ok_or("two sides")?;
    Ok((outcomes.pop().ok_or("two sides")?, bare))
}

fn kib(bytes: f64) -> String {
    format!("{} KiB", three(bytes))
}
