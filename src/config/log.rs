//! How and how much is logged.

use clap::{Args, ValueEnum};
use tracing_subscriber::filter::{LevelFilter, Targets};

/// How and how much is logged.
#[derive(Debug, Clone, Args)]
pub struct LogConfig {
    /// Form of the log lines
    #[arg(long, env = "TERTULIA_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,

    /// How much is logged: error, warn, info, debug, trace, or target=level pairs
    #[arg(long, env = "TERTULIA_LOG_LEVEL", default_value = "info", value_name = "LEVEL", value_parser = log_level)]
    pub log_level: String,
}

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

fn log_level(text: &str) -> Result<String, String> {
    // A word alone would be taken for a target, and silence everything else.
    let is_level = |word: &str| word.contains('=') || word.parse::<LevelFilter>().is_ok();
    match text.parse::<Targets>() {
        Ok(_) if text.split(',').all(|word| is_level(word.trim())) => Ok(text.into()),
        _ => Err(
            "write error, warn, info, debug or trace, or pairs as in info,tertulia=debug".into(),
        ),
    }
}
