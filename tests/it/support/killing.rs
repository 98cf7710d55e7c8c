//! `kill -9` at a chosen moment of a start.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};

use super::PATIENCE;
use super::process::spawned;

/// When a process is killed, unless it is ready before.
#[derive(Debug, Clone)]
pub enum Moment {
    /// So long after it began.
    After(Duration),
    /// So long after there is a database file.
    AfterFile(Duration),
    /// As soon as the write-ahead log is so many bytes long: between two commits of its beginning, if there are several.
    LogOf(u64),
}

/// Moments all over a start, whatever the speed of the machine.
pub fn moments() -> Vec<Moment> {
    let begun = [0, 4, 10, 20, 35, 60].map(|ms| Moment::After(Duration::from_millis(ms)));
    let made = [0, 1, 2, 4, 8, 16].map(|ms| Moment::AfterFile(Duration::from_millis(ms)));
    let logs = [
        1, 9_000, 17_000, 30_000, 45_000, 60_000, 75_000, 90_000, 105_000, 120_000, 140_000,
        160_000,
    ];
    let logs = logs.map(Moment::LogOf);
    begun.into_iter().chain(made).chain(logs).collect()
}

/// Starts `tertulia` and kills it at that moment; says whether it was ready before.
pub async fn dies_at(arguments: &[&str], data: &Path, moment: &Moment) -> bool {
    let (file, log) = (data.join("tertulia.db"), data.join("tertulia.db-wal"));
    let mut child = spawned(arguments);
    let begun = Instant::now();
    let out = child.stdout.take().expect("its output is a pipe");
    let mut ready = tokio::spawn(async move {
        let mut lines = BufReader::new(out).lines();
        lines.next_line().await
    });
    let mut made = None;
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |it| it.len());
    let is_now = |made: &mut Option<Instant>| match moment {
        Moment::After(pause) => begun.elapsed() >= *pause,
        Moment::AfterFile(pause) => {
            if made.is_none() && file.exists() {
                *made = Some(Instant::now());
            }
            made.is_some_and(|made| made.elapsed() >= *pause)
        }
        Moment::LogOf(bytes) => size(&log) >= *bytes,
    };
    while !is_now(&mut made) && !ready.is_finished() {
        assert!(begun.elapsed() < PATIENCE, "it neither starts nor fails");
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    let was_ready = ready.is_finished();
    child.kill().await.expect("it is a child of ours");
    if !was_ready {
        let _ = (&mut ready).await;
    }
    was_ready
}

/// Starts `tertulia`, waits until it is ready or has given up, and kills it.
pub async fn is_ready(arguments: &[&str]) -> bool {
    let mut child = spawned(arguments);
    let out = child.stdout.take().expect("its output is a pipe");
    let mut lines = BufReader::new(out).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
    child.kill().await.expect("it is a child of ours");
    line.expect("it starts or fails").expect("UTF-8").is_some()
}
