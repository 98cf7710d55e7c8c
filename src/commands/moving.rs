//! `tertulia move`: from one database into another, as the operator sees it.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use clap::Args;

use crate::{
    app::StartError,
    config::{DatabaseUrl, LogConfig},
    store::copy::{Progress, copy},
};

/// How often a long table says how far it is.
const TOLD: Duration = Duration::from_secs(1);

/// From where to where everything is moved.
#[derive(Debug, Clone, Args)]
pub struct MoveConfig {
    /// Database that has everything; no server may be running on it
    #[arg(long, value_name = "URL")]
    pub from: DatabaseUrl,

    /// Empty database
    #[arg(long, value_name = "URL")]
    pub to: DatabaseUrl,

    /// How log lines look
    #[command(flatten)]
    pub log: LogConfig,
}

/// Moves everything, and says how far it is.
///
/// # Errors
/// A sentence for the operator. The old database is as it was; nothing is in the new one.
pub async fn run(config: &MoveConfig) -> Result<(), StartError> {
    println!("Moving from {} to {}", config.from, config.to);
    let last = Cell::new(Instant::now());
    let progress = |state: &Progress| {
        let is_at_an_end = state.rows == 0 || state.rows == state.of;
        if is_at_an_end || last.get().elapsed() >= TOLD {
            last.set(Instant::now());
            println!("  {}: {} of {}", state.table, state.rows, state.of);
        }
    };
    let done = copy(&config.from, &config.to, progress).await;
    let done = done.map_err(|words| StartError(format!("not moved: {words}")))?;
    println!("{}", sum_up(&done, &config.to));
    Ok(())
}

fn sum_up(done: &[Progress], to: &DatabaseUrl) -> String {
    let rows = |table: &str| {
        let state = done.iter().find(|state| state.table == table);
        state.map_or(0, |state| state.rows)
    };
    format!(
        "Everything was moved and compared: {} people, {} rooms, {} messages. Serve it with --database {to} from now \
         on; the old database is as it was.",
        rows("users"),
        rows("rooms"),
        rows("messages"),
    )
}
