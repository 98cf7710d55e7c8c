//! `tertulia move`: from one database into another, as the operator sees it.

use clap::Args;

use super::{progress::ProgressLine, stop::unless_stopped};
use crate::{
    app::StartError,
    config::{DatabaseUrl, LogConfig},
    store::{copy::copy, progress::Progress},
};

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
    let line = ProgressLine::default();
    let report = |state: &Progress| line.show(state);
    let done = unless_stopped(copy(&config.from, &config.to, &report)).await;
    line.end();
    let done = done.map_err(|words| StartError(format!("not moved: {words}")))?;
    println!("{}", sum_up(&done, &config.to));
    Ok(())
}

fn sum_up(done: &[Progress], to: &DatabaseUrl) -> String {
    let rows = |table: &str| {
        let state = done.iter().find(|state| state.what == table);
        state.map_or(0, |state| state.done)
    };
    format!(
        "Everything was moved and compared: {} people, {} rooms, {} messages. Serve it with --database {to} from now \
         on; the old database is as it was.",
        rows("users"),
        rows("rooms"),
        rows("messages"),
    )
}
