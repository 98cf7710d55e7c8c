//! `tertulia restore`: from a backup into a database that can be served, of either kind.

use std::path::PathBuf;

use clap::Args;

use super::{backup::told, progress::ProgressLine, stop::unless_stopped};
use crate::{
    app::StartError,
    config::{DatabaseConfig, LogConfig},
    store::{backup, progress::Progress},
};

/// What is restored, and where to.
#[derive(Debug, Clone, Args)]
pub struct RestoreConfig {
    /// Backup to restore
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,

    /// Where everything is kept; there must be nothing yet
    #[command(flatten)]
    pub place: DatabaseConfig,

    /// How log lines look
    #[command(flatten)]
    pub log: LogConfig,
}

/// Restores a backup.
///
/// # Errors
/// A sentence for the operator. The place is as it was, but for empty tables on a server.
pub async fn run(config: &RestoreConfig) -> Result<(), StartError> {
    let to = config.place.database_url();
    println!("Restoring {} into {to}", config.from.display());
    let line = ProgressLine::default();
    let report = |state: &Progress| line.show(state);
    let restored = unless_stopped(backup::restore(&config.from, &to, &report)).await;
    line.end();
    let manifest =
        restored.map_err(|words| StartError(format!("nothing was restored: {words}")))?;
    println!(
        "Restored and compared: {}. Everybody has to sign in again.",
        told(&manifest)
    );
    Ok(())
}
