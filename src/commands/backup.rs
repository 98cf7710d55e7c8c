//! `tertulia backup`: one file with everything in it, made while the chat is served; or whether such a file is whole.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{progress::ProgressLine, stop::unless_stopped};
use crate::{
    app::StartError,
    clock::{Clock, UnixMillis},
    config::{DatabaseConfig, LogConfig},
    store::{
        backup::{self, Manifest},
        progress::Progress,
    },
};

/// What is copied, and where to.
#[derive(Debug, Clone, Args)]
pub struct BackupConfig {
    /// File to make, or directory in which each backup gets a name by its date and time (UTC)
    #[arg(
        long,
        value_name = "FILE|DIR",
        required_unless_present = "verify",
        conflicts_with = "verify"
    )]
    pub to: Option<PathBuf>,

    /// How many backups are kept in the directory; the oldest go when the new one is whole
    #[arg(long, value_name = "N", requires = "to", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,

    /// Only check whether this backup is whole and unchanged
    #[arg(long, value_name = "FILE")]
    pub verify: Option<PathBuf>,

    /// Where everything is kept
    #[command(flatten)]
    pub place: DatabaseConfig,

    /// How log lines look
    #[command(flatten)]
    pub log: LogConfig,
}

/// Makes a backup, or checks one.
///
/// # Errors
/// A sentence for the operator. There is no half file then, and older backups are as they were.
pub async fn run(config: &BackupConfig) -> Result<(), StartError> {
    let done = match (&config.verify, &config.to) {
        (Some(file), _) => verify(file).await,
        (None, Some(to)) => make(config, to)
            .await
            .map_err(|words| format!("no backup was made: {words}")),
        (None, None) => Err("say where to, with --to FILE or --to DIR".into()),
    };
    done.map_err(StartError)
}

async fn verify(file: &Path) -> Result<(), String> {
    let manifest = backup::verify(file).await?;
    println!(
        "{} is whole and unchanged: {}",
        file.display(),
        told(&manifest)
    );
    Ok(())
}

async fn make(config: &BackupConfig, to: &Path) -> Result<(), String> {
    let made = Clock::system().now();
    let dir = is_directory(to).then_some(to);
    let file = match dir {
        Some(dir) => backup::place_in(dir, made)?,
        None if config.keep.is_some() => {
            return Err(
                "--keep is for a directory: write --to DIR/ with a slash at its end".into(),
            );
        }
        None => to.to_owned(),
    };
    let line = ProgressLine::default();
    let from = config.place.database_url();
    let report = |state: &Progress| line.show(state);
    let manifest = unless_stopped(backup::backup(&from, &file, made, &report)).await;
    line.end();
    let manifest = manifest?;
    println!("{} has {}", file.display(), told(&manifest));
    if let (Some(dir), Some(keep)) = (dir, config.keep) {
        let newest = (&*file, manifest.count("messages"));
        let pruned = backup::prune(dir, keep as usize, newest).await?;
        for old in pruned.removed {
            println!("removed {}", old.display());
        }
        for old in pruned.kept {
            println!(
                "kept {}: it has more messages than this backup. Is this the right chat, and has it lost nothing?",
                old.display()
            );
        }
    }
    Ok(())
}

/// What there is, or what its name says it will be.
fn is_directory(to: &Path) -> bool {
    to.is_dir() || to.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// What is in a backup, in words.
pub(super) fn told(manifest: &Manifest) -> String {
    let rows = |table: &str| manifest.count(table);
    format!(
        "{} people, {} rooms, {} messages, as of {} (Tertulia {}, schema {})",
        rows("users"),
        rows("rooms"),
        rows("messages"),
        in_words(manifest.made),
        manifest.version,
        manifest.step,
    )
}

fn in_words(moment: UnixMillis) -> String {
    let moment = jiff::Timestamp::from_millisecond(moment.0).unwrap_or_default();
    moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
