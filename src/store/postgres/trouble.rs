//! Why a PostgreSQL server cannot be used, in a sentence for the operator: what was tried, what came back, what to do.
//! Knows the user, the host, the port and the database; never says the password.

use std::{fmt, io, path::PathBuf, str::FromStr as _};

use sea_orm::sqlx::{self, ConnectOptions as _, postgres::PgConnectOptions};

/// What the operator is to look at when what was set is wrong.
const SETTING: &str = "--database (TERTULIA_DATABASE)";

/// Where a server is and as whom it is spoken to.
#[derive(Debug, Clone)]
pub(in crate::store) struct Place {
    options: PgConnectOptions,
    /// Files of certificates and keys that the address names, each with the parameter that names it.
    files: Vec<(String, PathBuf)>,
}

/// Why a server cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Trouble {
    /// What came back, without where and as whom: for those who may know that something is wrong, and no more.
    pub cause: String,
    /// A sentence or two for the operator.
    pub words: String,
    /// Whether it can pass without anybody changing what was set: the server starts, the network comes up.
    pub passes: bool,
}

impl Place {
    /// Reads a URL.
    ///
    /// # Errors
    /// A sentence that says what cannot be read in it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let options = PgConnectOptions::from_str(url).map_err(|err| {
            format!(
                "cannot read the address of the database ({err}): write \
                 postgres://USER:PASSWORD@HOST:PORT/NAME, with %40 for a @ in the password, into {SETTING}"
            )
        })?;
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let files = form_urlencoded::parse(query.as_bytes()).filter_map(|(name, value)| {
            let is_file = matches!(&*name, "sslrootcert" | "sslcert" | "sslkey");
            (is_file && !value.contains("-----BEGIN"))
                .then(|| (name.into_owned(), value.as_ref().into()))
        });
        Ok(Self {
            files: files.collect(),
            options: adjusted(options),
        })
    }

    /// How it is connected to.
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Whether the files that the address names can be read.
    ///
    /// # Errors
    /// Which cannot.
    pub fn has_its_files(&self) -> Result<(), Trouble> {
        for (name, file) in &self.files {
            if let Err(err) = std::fs::read(file) {
                let what = format!("{name}={} cannot be read ({err})", file.display());
                return Err(self.lasting(&what, &format!("Correct the path in {SETTING}.")));
            }
        }
        Ok(())
    }

    /// What an attempt to connect, or a statement, met with.
    pub fn trouble(&self, err: &sqlx::Error) -> Trouble {
        match err {
            sqlx::Error::Database(err) => {
                self.refusal(err.code().as_deref().unwrap_or_default(), err.message())
            }
            sqlx::Error::Io(err) => self.broken(err),
            sqlx::Error::Tls(err) => self.lasting(
                &format!("TLS, which sslmode asks for, cannot be used ({err})"),
                &format!("Switch TLS on there, or change sslmode in {SETTING}."),
            ),
            // How sqlx tells an end of the connection from an answer that no PostgreSQL server gives.
            sqlx::Error::Protocol(words) if words.ends_with("0x00") => self.hung_up(),
            sqlx::Error::Protocol(words) => self.lasting(
                &format!("what answers there is not PostgreSQL ({words})"),
                &format!("Correct host and port in {SETTING}."),
            ),
            sqlx::Error::PoolTimedOut => self.silent(),
            err => self.lasting(&err.to_string(), &format!("Look at {SETTING}.")),
        }
    }

    /// There is no answer.
    pub fn silent(&self) -> Trouble {
        self.passing(
            "there is no answer",
            "Is the server up, and does no firewall stand in between?",
        )
    }

    /// It answers, but nothing can be written.
    pub fn only_reads(&self) -> Trouble {
        self.passing(
            super::ONLY_READS,
            "Point the address at the primary, or promote this one.",
        )
    }

    /// It is another server than the one that answered before: what is set there concerns its operator.
    fn refusal(&self, code: &str, said: &str) -> Trouble {
        let said = said.trim_end_matches('.');
        let name = self.options.get_database();
        let name = name.unwrap_or_else(|| self.options.get_username());
        match code {
            "28P01" if !self.has_password() => self.lasting(
                &format!("it wants a password, and none is set ({said})"),
                &format!("Write postgres://USER:PASSWORD@HOST/NAME into {SETTING}."),
            ),
            "28P01" => self.lasting(
                &format!("it refuses the password ({said})"),
                &format!(
                    "Put the right one into {SETTING}, with %40 for @, %2F for / and %3A for :."
                ),
            ),
            "28000" => self.lasting(
                &format!("it does not let this user in ({said})"),
                "Its pg_hba.conf says who may come from where and whether TLS is asked for (sslmode=require).",
            ),
            "3D000" => self.lasting(
                &format!("it has no such database ({said})"),
                &format!("Make it (createdb {name}), or correct the name in {SETTING}."),
            ),
            "42501" => self.lasting(
                &format!("this user may not use it ({said})"),
                &format!("GRANT ALL ON DATABASE {name}, or make the user its owner."),
            ),
            "53300" => self.passing(
                &format!("it has no connection left ({said})"),
                &format!(
                    "Each node takes up to {}: raise max_connections there, or stop what takes them.",
                    super::WRITERS + super::READERS
                ),
            ),
            "57P03" => self.passing(&format!("it is not ready yet ({said})"), "It says so itself."),
            "25006" => self.only_reads(),
            _ => Trouble {
                passes: super::can_pass(code),
                ..self.passing(&format!("it says: {said} ({code})"), "Its log may say more.")
            },
        }
    }

    fn broken(&self, err: &io::Error) -> Trouble {
        use io::ErrorKind as Kind;
        let inner = err.get_ref();
        if let Some(err) = inner.and_then(|it| it.downcast_ref::<rustls::Error>()) {
            return self.mistrusted(err);
        }
        let host = self.options.get_host();
        match err.kind() {
            Kind::ConnectionRefused => self.passing(
                "nobody listens there (connection refused)",
                "Start the server, or correct host and port.",
            ),
            Kind::NotFound => self.passing(
                &format!("there is no such socket ({err})"),
                "Start the server, or correct the path.",
            ),
            Kind::PermissionDenied => self.lasting(
                &format!("this process may not open it ({err})"),
                "Give its user the right to.",
            ),
            Kind::UnexpectedEof
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe => self.hung_up(),
            Kind::TimedOut => self.silent(),
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => self.passing(
                &format!("there is no way to it ({err})"),
                "Look at the network.",
            ),
            _ => {
                let said = err.to_string();
                match said.strip_prefix("failed to lookup address information: ") {
                    Some(said) if said.starts_with("Temporary") => self.passing(
                        &format!("the name {host} cannot be looked up now ({said})"),
                        "Look at the network and its name server.",
                    ),
                    Some(said) => self.lasting(
                        &format!("the name {host} is not known ({said})"),
                        &format!("Correct the host in {SETTING}."),
                    ),
                    None => self.passing(&said, "Look at the network."),
                }
            }
        }
    }

    fn mistrusted(&self, err: &rustls::Error) -> Trouble {
        use rustls::{CertificateError as Certificate, Error};
        let host = self.options.get_host();
        match err {
            Error::InvalidCertificate(Certificate::UnknownIssuer) => self.lasting(
                "its certificate is by nobody whom this machine trusts",
                "Add sslrootcert=FILE with the certificate of who signed it to the address.",
            ),
            Error::InvalidCertificate(
                Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
            ) => self.lasting(
                &format!("its certificate is not for the name {host} ({err})"),
                "Use the name that the certificate has, or sslmode=verify-ca, which does not compare names.",
            ),
            err => self.lasting(
                &format!("its certificate cannot be trusted ({err})"),
                "Renew it there, or look at sslmode and sslrootcert.",
            ),
        }
    }

    fn hung_up(&self) -> Trouble {
        self.passing(
            "the connection is closed at once",
            "Is there a server behind that address, and is it up?",
        )
    }

    fn has_password(&self) -> bool {
        // Put into a URL by sqlx as they are, an IPv6 address and signs in a name would make one that cannot be read.
        let options = self.options.clone().host("localhost").username("somebody");
        options.to_url_lossy().password().is_some()
    }

    fn lasting(&self, what: &str, todo: &str) -> Trouble {
        Trouble {
            passes: false,
            ..self.passing(what, todo)
        }
    }

    fn passing(&self, what: &str, todo: &str) -> Trouble {
        Trouble {
            cause: what.to_owned(),
            words: format!("cannot use {self}: {what}. {todo}"),
            passes: true,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.options;
        f.write_str("PostgreSQL at ")?;
        match options.get_socket() {
            Some(socket) => write!(f, "{}/.s.PGSQL.{}", socket.display(), options.get_port())?,
            None => write!(f, "{}:{}", options.get_host(), options.get_port())?,
        }
        let user = options.get_username();
        let name = options.get_database().unwrap_or(user);
        write!(f, " (user {user}, database {name})")
    }
}

/// As it is meant: sqlx would look up the name of an IPv6 address with its brackets.
pub(in crate::store) fn adjusted(options: PgConnectOptions) -> PgConnectOptions {
    let host = options.get_host().to_owned();
    match host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(address) => options.host(address),
        None => options,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_tried_is_said_without_the_password() {
        let place = Place::parse("postgres://ada:s3cret@[::1]:7777/chat?sslmode=disable");
        let place = place.expect("a URL");
        assert_eq!(
            place.to_string(),
            "PostgreSQL at ::1:7777 (user ada, database chat)"
        );
        for trouble in [
            place.silent(),
            place.refusal("28P01", "no"),
            place.hung_up(),
        ] {
            assert!(!trouble.words.contains("s3cret"), "{}", trouble.words);
            assert!(trouble.words.contains("::1:7777"), "{}", trouble.words);
        }
    }

    #[test]
    fn an_address_that_cannot_be_read_is_not_repeated() {
        let words = Place::parse("postgres://ada:s3cret@host:99999/chat").expect_err("no port");
        assert!(!words.contains("s3cret"), "{words}");
        assert!(words.contains("port"), "{words}");
    }
}
