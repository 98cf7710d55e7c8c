//! The database's address: a file of SQLite's, or a PostgreSQL server.

use std::{path::PathBuf, str::FromStr};

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
                let place = |rest: &str| rest.split('?').next().unwrap_or_default().to_owned();
                // The last @ ends the password, whatever else is in it.
                match rest.rsplit_once('@') {
                    Some((person, rest)) => {
                        let name = person.split(':').next().unwrap_or_default();
                        write!(f, "{scheme}://{name}@{}", place(rest))
                    }
                    None => write!(f, "{scheme}://{}", place(rest)),
                }
            }
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = &*super::text_or_file(text)?;
        let file = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"));
        match file {
            Some("") | Some(":memory:") => Err("write sqlite://FILE with the path of a file, as in sqlite:///var/lib/tertulia/chat.db".into()),
            Some(file) => Ok(Self::Sqlite(file.split('?').next().unwrap_or(file).into())),
            None if text.starts_with("postgres://") || text.starts_with("postgresql://") => {
                can_be_read(text)?;
                Ok(Self::Postgres(text.into()))
            }
            None => Err("write sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME".into()),
        }
    }
}

/// What may stand behind the `?` of a server's address, as sqlx takes it; it takes no notice of anything else.
const PARAMETERS: [&str; 14] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "ssl-mode",
    "ssl-root-cert",
    "ssl-cert",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
];

/// Refuses what would be read otherwise than it was meant: a password that ends early, a parameter that does not exist.
fn can_be_read(url: &str) -> Result<(), String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    if place.matches('@').count() > 1 {
        return Err(
            "in the password write %40 for @, %2F for /, %3F for ?, %23 for # and %25 for %".into(),
        );
    }
    let names = query.split('&').filter_map(|pair| pair.split('=').next());
    for name in names.filter(|name| !name.is_empty()) {
        let others = ["application_name", "options", "statement-cache-capacity"];
        let is_known = PARAMETERS.contains(&name) || others.contains(&name);
        if !is_known && !name.starts_with("options[") {
            return Err(format!(
                "{name:?} is nothing that can be set behind the ? of the address: sslmode and sslrootcert are, as in \
                 ?sslmode=verify-full&sslrootcert=FILE"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_shown_without_its_password() {
        for (url, shown) in [
            ("postgres://a:canary@h/d", "postgres://a@h/d"),
            ("postgres://a:can?ary@h/d", "postgres://a@h/d"),
            (
                "postgres://a:c@nary@h:5/d?password=canary",
                "postgres://a@h:5/d",
            ),
            ("postgres://h/d?user=a&password=canary", "postgres://h/d"),
        ] {
            assert_eq!(DatabaseUrl::Postgres(url.into()).to_string(), shown);
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
