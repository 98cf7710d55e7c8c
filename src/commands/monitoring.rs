//! `tertulia monitoring`: what Prometheus and Grafana need to watch over a server, as files to be kept beside theirs.

use clap::Subcommand;

/// What is printed.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Monitoring {
    /// Print alerts for Prometheus (alerts.yml)
    Alerts,
    /// Print a dashboard for Grafana (dashboard.json)
    Dashboard,
}

impl Monitoring {
    /// The file.
    pub fn text(self) -> &'static str {
        match self {
            Self::Alerts => include_str!("../../monitoring/alerts.yml"),
            Self::Dashboard => include_str!("../../monitoring/dashboard.json"),
        }
    }
}
