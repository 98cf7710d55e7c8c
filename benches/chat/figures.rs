//! Times and tables.

use std::{fmt, time::Duration};

/// Some measured times.
#[derive(Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// One more.
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// All of the others too.
    pub fn extend(&mut self, others: Times) {
        self.0.extend(others.0);
    }

    /// The time that this part of them does not exceed: 0.5 is the median. Zero when there are none.
    pub fn at(&self, part: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        let last = sorted.len().saturating_sub(1);
        sorted
            .get((last as f64 * part).round() as usize)
            .copied()
            .unwrap_or_default()
    }

    /// Median and 99th percentile, in words.
    pub fn words(&self) -> String {
        format!("{} · {}", time(self.at(0.5)), time(self.at(0.99)))
    }
}

/// A time with three figures and its unit.
pub fn time(time: Duration) -> String {
    let us = time.as_secs_f64() * 1e6;
    match us {
        ..1_000.0 => format!("{} µs", three(us)),
        ..1_000_000.0 => format!("{} ms", three(us / 1e3)),
        _ => format!("{} s", three(us / 1e6)),
    }
}

/// So many in such a time, per second.
pub fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// A number without needless digits, thousands set apart.
pub fn three(number: f64) -> String {
    match number.abs() {
        ..10.0 => format!("{number:.2}"),
        ..100.0 => format!("{number:.1}"),
        _ => {
            let digits = format!("{number:.0}");
            let groups = digits
                .as_bytes()
                .rchunks(3)
                .rev()
                .map(String::from_utf8_lossy);
            groups.collect::<Vec<_>>().join(",")
        }
    }
}

/// How many times as large `ours` is.
pub fn ratio(ours: Duration, theirs: Duration) -> String {
    format!("{} ×", three(ours.as_secs_f64() / theirs.as_secs_f64()))
}

/// What was measured, in the order it was.
#[derive(Default)]
pub struct Table(Vec<[String; 4]>);

impl Table {
    /// Adds a figure, the baseline of the same run that it stands beside, and their ratio; both may be empty.
    pub fn add(
        &mut self,
        what: impl Into<String>,
        figure: impl Into<String>,
        beside: impl Into<String>,
        ratio: impl Into<String>,
    ) {
        let row = [what.into(), figure.into(), beside.into(), ratio.into()];
        eprintln!("  {}: {} ({} {})", row[0], row[1], row[2], row[3]);
        self.0.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["what", "figure", "beside it", "ratio"].map(String::from);
        let rule = ["---"; 4].map(String::from);
        let rows: Vec<_> = [&head, &rule].into_iter().chain(&self.0).collect();
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths = [0, 1, 2, 3].map(width);
        for row in rows {
            let cells = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("| {cell:<width$} "));
            writeln!(f, "{}|", cells.collect::<String>())?;
        }
        Ok(())
    }
}
