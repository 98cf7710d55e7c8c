//! What the operator can set: each flag is also a `TERTULIA_…` variable, has a default and one line of help.
//! A wrong value is refused with a sentence that says what to write instead.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Tertulia: a self-hosted chat that loses nothing. Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "tertulia", version)]
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
    /// Move everything from one database into another that is empty; the old one is only read
    Move(MoveConfig),
}

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

/// Everything that can be set.
#[derive(Debug, Clone, Parser)]
#[command(name = "tertulia", version)]
pub struct Config {
    /// Address and port to listen on (port 0 takes a free one)
    #[arg(long, env = "TERTULIA_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS:PORT", value_parser = listen)]
    pub listen: SocketAddr,

    /// Directory that holds the database and everything else [default: ./data]
    #[arg(long, env = "TERTULIA_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Database: sqlite://FILE or postgres://USER@HOST/NAME [default: tertulia.db in the data directory]
    #[arg(long, env = "TERTULIA_DATABASE", value_name = "URL")]
    pub database: Option<DatabaseUrl>,

    /// Redis that joins several nodes on one PostgreSQL database: redis://[USER:PASSWORD@]HOST:PORT or rediss://…; several, separated by commas, or one that ends in ?cluster, are of a Redis Cluster
    #[arg(long, env = "TERTULIA_REDIS", value_name = "URL", hide_env_values = true, value_delimiter = ',', value_parser = redis)]
    pub redis: Vec<String>,

    /// Address that people type, when it differs from the one listened on (https://chat.example.org)
    #[arg(long, env = "TERTULIA_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<PublicUrl>,

    /// Addresses of proxies whose X-Forwarded-For counts, separated by commas
    #[arg(
        long,
        env = "TERTULIA_TRUSTED_PROXIES",
        value_name = "IP",
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<IpAddr>,

    /// Who may create an account (the first account, the administrator's, can always be created)
    #[arg(long, env = "TERTULIA_SIGNUP", value_enum, default_value = "open")]
    pub signup: Signup,

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

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Where the facts are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of SQLite's.
    Sqlite(PathBuf),
    /// A PostgreSQL server, as its URL.
    Postgres(String),
}

/// Without the password.
impl std::fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(file) => write!(f, "sqlite://{}", file.display()),
            Self::Postgres(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
                let rest = rest.split_once('?').map_or(rest, |(place, _)| place);
                match rest.rsplit_once('@') {
                    Some((person, place)) => {
                        let name = person.split(':').next().unwrap_or_default();
                        write!(f, "{scheme}://{name}@{place}")
                    }
                    None => write!(f, "{scheme}://{rest}"),
                }
            }
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let file = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"));
        match file {
            Some("") | Some(":memory:") => Err("write sqlite://FILE with the path of a file, as in sqlite:///var/lib/tertulia/chat.db".into()),
            Some(file) => Ok(Self::Sqlite(file.split('?').next().unwrap_or(file).into())),
            None if text.starts_with("postgres://") || text.starts_with("postgresql://") => Ok(Self::Postgres(text.into())),
            None => Err("write sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME".into()),
        }
    }
}

/// The address that people type: scheme and authority, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// Whether it begins with `https`.
    pub https: bool,
    /// Host, with the port unless it is the scheme's own; lower case.
    pub authority: String,
}

impl PublicUrl {
    /// The port that a browser uses for it.
    pub fn port(&self) -> u16 {
        let port = self
            .authority
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok());
        port.unwrap_or(if self.https { 443 } else { 80 })
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "write the address without a path, as in https://chat.example.org or http://10.0.0.5:8000".to_string()
        };
        let (https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(wrong()),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest).to_ascii_lowercase();
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if authority.is_empty() || !authority.chars().all(plain) {
            return Err(wrong());
        }
        let own_port = if https { ":443" } else { ":80" };
        let authority = authority
            .strip_suffix(own_port)
            .unwrap_or(&authority)
            .to_string();
        Ok(Self { https, authority })
    }
}

impl std::fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}://{}",
            if self.https { "https" } else { "http" },
            self.authority
        )
    }
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
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "write an IP address and a port, as in 127.0.0.1:8000 or [::]:8000".into())
}

fn token(text: &str) -> Result<String, String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.len() >= 16 && plain {
        Ok(text.into())
    } else {
        Err("write 16 or more letters, digits and signs, without spaces".into())
    }
}

fn redis(text: &str) -> Result<String, String> {
    if text.starts_with("redis://") || text.starts_with("rediss://") {
        Ok(text.into())
    } else {
        Err("write redis://HOST:PORT, or rediss://HOST:PORT for TLS".into())
    }
}

fn log_level(text: &str) -> Result<String, String> {
    match text.parse::<tracing_subscriber::filter::Targets>() {
        Ok(_) => Ok(text.into()),
        Err(_) => Err(
            "write error, warn, info, debug or trace, or pairs as in info,tertulia=debug".into(),
        ),
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
        assert_eq!(config.listen.port(), 8000);
    }

    #[test]
    fn a_public_address_is_scheme_and_host() {
        let url: PublicUrl = "https://Chat.example.org:443/".parse().expect("it is one");
        assert_eq!(
            (url.to_string().as_str(), url.port()),
            ("https://chat.example.org", 443)
        );
        for wrong in [
            "chat.example.org",
            "ftp://x",
            "https://",
            "https://x/chat",
            "http://a b",
            "http://x?y",
        ] {
            assert!(wrong.parse::<PublicUrl>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_database_is_a_file_or_a_server() {
        assert_eq!(
            "sqlite://a/b.db".parse(),
            Ok(DatabaseUrl::Sqlite("a/b.db".into()))
        );
        assert!("mysql://x".parse::<DatabaseUrl>().is_err());
        assert!("sqlite://".parse::<DatabaseUrl>().is_err());
    }
}
