//! Log lines: one per event, control characters escaped, never the text of a message, a password or a cookie.

use std::io::IsTerminal as _;

use tracing_subscriber::{
    Layer as _, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::config::{LogConfig, LogFormat};

/// Starts logging to standard error, as set. Once per process.
pub fn start(config: &LogConfig) {
    let wanted: Targets = config.log_level.parse().unwrap_or_default();
    // sqlx tells of every statement and tower-sessions of every cookie it does not know; errors of theirs reach us as values.
    let filter = wanted
        .with_target("sqlx", tracing::Level::ERROR)
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
