//! `tertulia doctor`: looks at everything that a chat needs, as the server is set, and says what to do about what is
//! not as it should be. It changes nothing, but for a pass that ends within two minutes, by which the server tells it
//! what reaches it from outside.

use std::fmt::Display;

use clap::Args;

use crate::{app::StartError, config::Config, version::VERSION};

mod address;
mod database;
mod http;
mod outside;
mod place;

/// What is looked at: the same flags and variables as the server's.
#[derive(Debug, Clone, Args)]
pub struct DoctorConfig {
    /// How the server is set
    #[command(flatten)]
    pub config: Config,
}

/// What was found, line by line, as it is printed.
#[derive(Debug, Default)]
struct Report {
    faults: usize,
}

impl Report {
    /// Something is as it should be.
    fn good(&mut self, what: &str, words: impl Display) {
        println!("ok  {what:15} {words}");
    }

    /// Something is not; and what to do.
    fn bad(&mut self, what: &str, words: impl Display, remedy: impl Display) {
        self.faults += 1;
        println!("!   {what:15} {words}\n{:20}→ {remedy}", "");
    }
}

/// Looks at everything and prints a line for each.
///
/// # Errors
/// When something is not as it should be: how many lines say so.
pub async fn run(config: &DoctorConfig) -> Result<(), StartError> {
    let config = &config.config;
    let mut report = Report::default();
    settings(config, &mut report);
    place::look(config, &mut report);
    let newest = database::look(config, &mut report).await;
    database::look_at_clock(config, newest, &mut report).await;
    database::look_at_redis(config, &mut report).await;
    let serves = address::look(config, &mut report).await;
    outside::look(config, serves, &mut report).await;
    match report.faults {
        0 => Ok(()),
        1 => Err(StartError("one thing needs to be looked after".into())),
        faults => Err(StartError(format!(
            "{faults} things need to be looked after"
        ))),
    }
}

/// What is set, and what does not go together.
fn settings(config: &Config, report: &mut Report) {
    use crate::config::{DatabaseUrl, Switch};
    let database = config.database_url();
    report.good(
        "configuration",
        format!("Tertulia {}, on {database}", &*VERSION),
    );
    if !config.redis.is_empty() && matches!(database, DatabaseUrl::Sqlite(_)) {
        report.bad(
            "configuration",
            "Redis joins nodes on one PostgreSQL database, and this one is a file of SQLite's",
            "set --database postgres://… as well, or leave --redis out",
        );
    }
    if config.limits == Switch::Off || config.signals == Switch::Off {
        report.bad(
            "configuration",
            "limits or signals are off, which is for load tests only",
            "leave --limits and --signals out",
        );
    }
}
