//! What the program can do, a file per command: its flags, what it says on the terminal, and nothing that others need.

use clap::{Parser, Subcommand};

use crate::{config::Config, version::VERSION};

pub mod backup;
mod beside;
pub mod doctor;
pub mod health;
mod line;
pub mod monitoring;
pub mod moving;
pub mod password;
pub mod people;
pub mod progress;
pub mod restore;
mod secret;
pub mod serve;
mod stop;

/// Tertulia: a self-hosted chat that loses nothing. Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "tertulia", version = VERSION.as_str(), args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub config: Config,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the chat (what happens without a command, too)
    Serve(Config),
    /// Serve a chat filled with demo people, rooms and a few days of talk, in ./demo-data
    Demo(Config),
    /// Give somebody who has forgotten their password a new one, or print a link for it
    Password(password::PasswordConfig),
    /// List who has an account; add, promote, shut out
    People(people::PeopleConfig),
    /// Ask the server on this machine whether it is well, as a container's health check
    Health(health::HealthConfig),
    /// Look at everything that the chat needs, and say what to do about what is wrong
    Doctor(doctor::DoctorConfig),
    /// Move everything from one database into another that is empty; the old one is only read
    Move(moving::MoveConfig),
    /// Print what Prometheus and Grafana need to watch over servers
    #[command(subcommand)]
    Monitoring(monitoring::Monitoring),
    /// Copy everything into one file while the chat goes on, or check such a file (--verify)
    Backup(backup::BackupConfig),
    /// Bring a backup back, into a place where there is nothing yet
    Restore(restore::RestoreConfig),
}
