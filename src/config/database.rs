//! Where a command finds the chat's database.

use std::path::PathBuf;

use clap::Args;

use super::DatabaseUrl;

/// Where a command finds the chat's database: as the server does.
#[derive(Debug, Clone, Args)]
pub struct DatabaseConfig {
    /// Directory that holds the database and everything else [default: ./data]
    #[arg(long, env = "TERTULIA_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Database: sqlite://FILE or postgres://USER@HOST/NAME [default: tertulia.db in the data directory]
    #[arg(
        long,
        env = "TERTULIA_DATABASE",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database: Option<DatabaseUrl>,
}

impl DatabaseConfig {
    /// The data directory: what was set, or `./data`.
    pub fn data_dir(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| "data".into())
    }

    /// The database: what was set, or `tertulia.db` in the data directory.
    pub fn database_url(&self) -> DatabaseUrl {
        self.database
            .clone()
            .unwrap_or_else(|| DatabaseUrl::Sqlite(self.data_dir().join("tertulia.db")))
    }
}
