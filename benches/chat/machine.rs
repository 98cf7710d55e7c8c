//! The machine under all this: which cores the server and the load take, how many files may be open, what it is.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread::available_parallelism,
    time::{Duration, Instant},
};

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

use super::Result;

static SHARED: AtomicBool = AtomicBool::new(false);

/// Leaves server and load wherever the system puts them.
pub fn share_all_cores() {
    SHARED.store(true, Ordering::Relaxed);
}

/// Runs `act` on the server's core, the first one (a child that it starts stays there), then goes back to the others.
pub fn on_the_server_core<T>(act: impl FnOnce() -> T) -> Result<T> {
    if shares_cores() {
        return Ok(act());
    }
    let before = sched_getaffinity(None)?;
    pin(|core| core == 0)?;
    let done = act();
    sched_setaffinity(None, &before)?;
    Ok(done)
}

/// Runs `act` on all cores (a child that it starts may use them), then goes back.
pub fn on_all_cores<T>(act: impl FnOnce() -> T) -> Result<T> {
    let before = sched_getaffinity(None)?;
    pin(|_| true)?;
    let done = act();
    sched_setaffinity(None, &before)?;
    Ok(done)
}

/// Keeps the load off the server's core.
pub fn take_the_load_cores() -> Result<()> {
    if shares_cores() {
        Ok(())
    } else {
        pin(|core| core > 0)
    }
}

fn pin(wanted: impl Fn(usize) -> bool) -> Result<()> {
    let mut cores = CpuSet::new();
    (0..cores_online())
        .filter(|&core| wanted(core))
        .for_each(|core| cores.set(core));
    Ok(sched_setaffinity(None, &cores)?)
}

fn shares_cores() -> bool {
    SHARED.load(Ordering::Relaxed) || cores_online() < 2
}

fn cores_online() -> usize {
    let listed = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let listed = listed
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    listed.max(available_parallelism().map_or(1, Into::into))
}

/// Raises the limit of open files as far as it goes, for this process and those it starts.
pub fn allow_many_files() -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )?)
}

/// How long one append of 4 KiB takes until it is on the disk, in this directory: the median of a second of them.
pub fn time_of_a_sync(directory: &Path) -> Result<Duration> {
    let path = directory.join("sync");
    let mut file = File::create(&path)?;
    let (start, mut times) = (Instant::now(), super::figures::Times::default());
    while start.elapsed() < Duration::from_secs(1) {
        let begun = Instant::now();
        file.write_all(&[0x5A; 4096])?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    fs::remove_file(path)?;
    Ok(times.at(0.5))
}

/// What the figures were measured on.
pub fn description() -> Result<String> {
    let all = fs::read_to_string("/proc/cpuinfo")?;
    let model = all
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kib: u64 = memory.split_whitespace().nth(1).unwrap_or("0").parse()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or("?");
    let cores = match shares_cores() {
        true => "server and load share them",
        false => "the server has one, the load the rest",
    };
    Ok(format!(
        "{model}, {} cores ({cores}), {} GiB, Linux {}; load average at the end {load}",
        cores_online(),
        kib.div_ceil(1024 * 1024),
        kernel.trim()
    ))
}
