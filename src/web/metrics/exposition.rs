//! The text format of Prometheus, version 0.0.4. Knows no metric.

use std::fmt::{Display, Write as _};

/// What a metric does: it only grows, or it goes up and down.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// It only grows; its name ends in `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A text that grows metric by metric.
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// Begins a metric: what it is called and what it says.
    pub fn metric(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A value of the metric that was begun last.
    pub fn value(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.0, "{name} {value}");
    }

    /// A value of it under a label. Names of labels and their values are ours: nothing in them has to be escaped.
    pub fn labelled(&mut self, name: &str, (label, of): (&str, &str), value: impl Display) {
        let _ = writeln!(self.0, "{name}{{{label}=\"{of}\"}} {value}");
    }

    /// A metric of one value.
    pub fn one(&mut self, (name, kind): (&str, Kind), help: &str, value: impl Display) {
        self.metric(name, kind, help);
        self.value(name, value);
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }
}
