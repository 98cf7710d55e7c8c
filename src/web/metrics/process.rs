//! What the system says of this process, under the names that every program uses. Read from `/proc`: where there is
//! none, these metrics are missing.

use std::fs;

use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

use super::exposition::{Exposition, Kind};

/// What `/proc/self/stat` says.
#[derive(Debug, PartialEq)]
struct Stat {
    /// Processor time, in clock ticks.
    ticks: u64,
    /// When it started, in clock ticks since the system did.
    started: u64,
    /// Virtual memory in bytes.
    virtual_bytes: u64,
    /// Memory that it really has, in pages.
    resident_pages: u64,
}

impl Stat {
    /// The second field is the program's name in brackets, whatever is in it.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // The manual counts from 1, and two fields are before the bracket's end.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            ticks: field(14)? + field(15)?,
            started: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// Seconds since 1970 at which the system started.
fn booted() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

/// Adds them.
pub fn add(text: &mut Exposition) {
    let stat = fs::read_to_string("/proc/self/stat").ok();
    let stat = stat.and_then(|stat| Stat::parse(&stat));
    let ticks = clock_ticks_per_second().max(1);
    if let Some(stat) = stat {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a process does not run for that long"
        )]
        let seconds = |of: u64| of as f64 / ticks as f64;
        text.one(
            ("process_cpu_seconds_total", Kind::Counter),
            "Processor time, user and system, in seconds.",
            seconds(stat.ticks),
        );
        text.one(
            ("process_resident_memory_bytes", Kind::Gauge),
            "Memory that the process really has.",
            stat.resident_pages.saturating_mul(page_size() as u64),
        );
        text.one(
            ("process_virtual_memory_bytes", Kind::Gauge),
            "Addresses that the process has.",
            stat.virtual_bytes,
        );
        if let Some(booted) = booted() {
            #[expect(
                clippy::cast_precision_loss,
                reason = "seconds since 1970 are exact for ages"
            )]
            let booted = booted as f64;
            text.one(
                ("process_start_time_seconds", Kind::Gauge),
                "When the process started, in seconds since 1970.",
                booted + seconds(stat.started),
            );
        }
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        text.one(
            ("process_open_fds", Kind::Gauge),
            "File descriptors that are open.",
            // One is for the look itself.
            open.count().saturating_sub(1),
        );
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        text.one(
            ("process_max_fds", Kind::Gauge),
            "File descriptors that may be open.",
            most,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_name_may_have_anything_in_it() {
        let text = "42 (a ) (b) R 1 42 42 0 -1 4194304 100 0 0 0 7 5 0 0 20 0 4 0 12345 1000000 250 18446744073709551615 1";
        let stat = Stat {
            ticks: 12,
            started: 12345,
            virtual_bytes: 1_000_000,
            resident_pages: 250,
        };
        assert_eq!(Stat::parse(text), Some(stat));
        assert_eq!(Stat::parse("42 (a"), None);
    }
}
