//! What the operator can set: each flag is also a `TERTULIA_…` variable, has a default and one line of help.
//! A wrong value is refused with a sentence that says what to write instead.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::version::VERSION;

mod database;
mod database_url;
mod host_name;
mod listen;
mod log;
mod public_url;
mod secret;
mod setup_code;
mod tls;
mod trusted_proxies;

pub use database::DatabaseConfig;
pub use database_url::DatabaseUrl;
pub use host_name::HostName;
pub use listen::{ListenAddress, ListenConfig};
pub use log::{LogConfig, LogFormat};
pub use public_url::PublicUrl;
pub use secret::text_or_file;
pub use setup_code::SetupCode;
pub use tls::{TlsConfig, TlsSource};
pub use trusted_proxies::TrustedProxies;

/// Everything that can be set. What may hold a password may also be `@FILE`, and stands in that file.
#[derive(Debug, Clone, Parser)]
#[command(name = "tertulia", version = VERSION.as_str())]
pub struct Config {
    /// Where it listens.
    #[command(flatten)]
    pub listener: ListenConfig,

    /// Whether it speaks HTTPS by itself.
    #[command(flatten)]
    pub tls: TlsConfig,

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

    /// Do not copy an SQLite database before a new version changes its schema (there is no way back then)
    #[arg(long, env = "TERTULIA_NO_BACKUP", value_parser = clap::builder::FalseyValueParser::new())]
    pub no_backup: bool,

    /// Redis that joins several nodes on one PostgreSQL database: redis://[USER:PASSWORD@]HOST:PORT or rediss://…; several, separated by commas, or one that ends in ?cluster, are of a Redis Cluster
    #[arg(long, env = "TERTULIA_REDIS", value_name = "URL", hide_env_values = true, value_delimiter = ',', value_parser = redis)]
    pub redis: Vec<String>,

    /// Address that people type, when it differs from the one listened on (https://chat.example.org)
    #[arg(long, env = "TERTULIA_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<PublicUrl>,

    /// Further names under which the server answers, separated by commas or given several times; with any port
    #[arg(
        long = "host",
        env = "TERTULIA_HOST",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub hosts: Vec<HostName>,

    /// Proxies whose X-Forwarded-For or Forwarded counts: addresses, networks (10.0.0.0/8, fd00::/8), loopback, private; separated by commas
    #[arg(
        long,
        env = "TERTULIA_TRUSTED_PROXIES",
        value_name = "NETWORK",
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<TrustedProxies>,

    /// Who may create an account (the first account, the administrator's, can always be created)
    #[arg(long, env = "TERTULIA_SIGNUP", value_enum, default_value = "open")]
    pub signup: Signup,

    /// Code that the first account takes in place of the one in the printed link; off: it takes none (for automation and tests)
    #[arg(
        long,
        env = "TERTULIA_SETUP_CODE",
        value_name = "TEXT|off",
        hide_env_values = true
    )]
    pub setup_code: Option<SetupCode>,

    /// Rate limits; off is for load tests only (sizes stay limited)
    #[arg(long, env = "TERTULIA_LIMITS", value_enum, default_value = "on")]
    pub limits: Switch,

    /// Receipts, badges, typing and presence on live pages; off is for load tests only, to see what they cost
    #[arg(long, env = "TERTULIA_SIGNALS", value_enum, default_value = "on")]
    pub signals: Switch,

    /// Token for /metrics from elsewhere (Authorization: Bearer …); without one, only this machine may read it
    #[arg(long, env = "TERTULIA_METRICS_TOKEN", value_name = "TOKEN", hide_env_values = true, value_parser = token)]
    pub metrics_token: Option<String>,

    /// How log lines look
    #[command(flatten)]
    pub log: LogConfig,
}

/// Who may create an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Signup {
    /// Everyone who can open the page.
    Open,
    /// Nobody but the first person.
    Closed,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// In force.
    On,
    /// Not in force.
    Off,
}

impl Config {
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

    /// The addresses of Redis, each by itself: a file may hold several.
    pub fn redis_urls(&self) -> Vec<String> {
        let urls = self.redis.iter().flat_map(|urls| urls.split(','));
        urls.map(|url| url.trim().to_owned()).collect()
    }
}

fn token(text: &str) -> Result<String, String> {
    let text = text_or_file(text)?;
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.len() >= 16 && plain {
        Ok(text)
    } else {
        Err("write 16 or more letters, digits and signs, without spaces".into())
    }
}

fn redis(text: &str) -> Result<String, String> {
    let text = text_or_file(text)?;
    if text.starts_with("redis://") || text.starts_with("rediss://") {
        Ok(text)
    } else {
        Err("write redis://HOST:PORT, or rediss://HOST:PORT for TLS".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_need_nothing_but_a_directory() {
        let config = Config::parse_from(["tertulia", "--data", "/tmp/x"]);
        assert_eq!(
            config.database_url(),
            DatabaseUrl::Sqlite("/tmp/x/tertulia.db".into())
        );
        let listen = config.listener.addresses();
        assert_eq!(listen, ["127.0.0.1:8000".parse().expect("an address")]);
    }
}
