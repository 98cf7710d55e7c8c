//! Log lines: one per event, control characters escaped, never the text of a message, a password or a cookie.

use std::io::IsTerminal as _;

use tracing_subscriber::{
    Layer as _, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::{
    config::{LogConfig, LogFormat},
    store::MIGRATIONS_LOG,
    web::SERVER_LOG,
};

/// Under which target it is told who came in, who was refused, and who may do what from now on: with names and
/// addresses, which the rest of the log keeps to itself. It is told at every level, unless the level names it.
pub const SECURITY: &str = "security";

/// Starts logging to standard error, as set. Once per process.
pub fn start(config: &LogConfig) {
    let wanted: Targets = config.log_level.parse().unwrap_or_default();
    let wanted = match config.log_level.contains(SECURITY) {
        true => wanted,
        false => wanted.with_target(SECURITY, tracing::Level::INFO),
    };
    // sqlx tells of every statement, tower-sessions of every cookie it does not know, the migrations of every step, also
    // when there is none, and the web server of every address, which the line about serving has; errors of theirs reach
    // us as values.
    let filter = wanted
        .with_target("sqlx", tracing::Level::ERROR)
        .with_target(MIGRATIONS_LOG, tracing::Level::WARN)
        .with_target(SERVER_LOG, tracing::Level::WARN)
        .with_target("tower_sessions_core", tracing::Level::ERROR);
    let colours = std::io::stderr().is_terminal();
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colours);
    let layer = match config.log_format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().boxed(),
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .init();
}
