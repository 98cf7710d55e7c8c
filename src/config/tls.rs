//! HTTPS by the program itself: with certificates from files, or from a certificate authority by ACME.

use std::{fmt, path::PathBuf, str::FromStr};

use clap::Args;

use super::{ListenAddress, PublicUrl};

/// Whose directory is asked when no other was set.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// How the server speaks HTTPS by itself.
#[derive(Debug, Clone, Args)]
pub struct TlsConfig {
    /// HTTPS without a proxy: auto gets and renews a certificate for --public-url (which accepts the terms of the
    /// certificate authority), or CERTIFICATE.pem,KEY.pem, which are read again when they change
    #[arg(long, env = "TERTULIA_TLS", value_name = "auto|CERT,KEY")]
    pub tls: Option<TlsSource>,

    /// With --tls: where http is answered, with the way to https and for the certificate authority, which asks on
    /// port 80; several, separated by commas [default with --tls auto: [::]:80]
    #[arg(
        long,
        env = "TERTULIA_HTTP_LISTEN",
        value_name = "ADDRESS:PORT",
        value_delimiter = ','
    )]
    pub http_listen: Vec<ListenAddress>,

    /// With --tls auto: the certificate authority's ACME directory
    #[arg(long, env = "TERTULIA_ACME_DIRECTORY", value_name = "URL", default_value = LETS_ENCRYPT, value_parser = directory)]
    pub acme_directory: String,

    /// With --tls auto: PEM file of the authorities that the directory's own certificate is checked with, for one that
    /// this machine does not know
    #[arg(long, env = "TERTULIA_ACME_ROOT", value_name = "FILE")]
    pub acme_root: Option<PathBuf>,
}

impl TlsConfig {
    /// Why these settings do not go together, in a sentence for the operator; `is_shared`: a database or a Redis that
    /// several nodes can share.
    ///
    /// # Errors
    /// That sentence.
    pub fn check(&self, public: Option<&PublicUrl>, is_shared: bool) -> Result<(), String> {
        let Some(tls) = &self.tls else {
            return match self.http_listen.is_empty() {
                true => Ok(()),
                false => Err(
                    "--http-listen is for servers with --tls; without it --listen is http".into(),
                ),
            };
        };
        if public.is_some_and(|public| !public.https) {
            return Err("with --tls people come by https: write --public-url https://…".into());
        }
        if *tls != TlsSource::Auto {
            return Ok(());
        }
        let Some(public) = public else {
            return Err("--tls auto needs the name that the certificate is for: add --public-url https://chat.example.org".into());
        };
        if !public.has_name() {
            return Err(format!(
                "--tls auto needs a name that the certificate authority can look up, and {public} has none: use a \
                 name that leads to this machine, or --tls with a certificate and a key"
            ));
        }
        if is_shared {
            return Err("--tls auto is for one server alone: several nodes would each ask for a certificate, and the \
                 authority's question would reach the wrong one. End TLS in the balancer, or give every node \
                 --tls CERTIFICATE.pem,KEY.pem"
                .into());
        }
        Ok(())
    }
}

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsSource {
    /// From a certificate authority, by ACME.
    Auto,
    /// From files that somebody else keeps up to date.
    Files {
        /// The certificate and those between it and the authority, as PEM.
        certificate: PathBuf,
        /// Its private key, as PEM.
        key: PathBuf,
    },
}

impl fmt::Display for TlsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Files { certificate, key } => {
                write!(f, "{},{}", certificate.display(), key.display())
            }
        }
    }
}

impl FromStr for TlsSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(',') {
            None if text == "auto" => Ok(Self::Auto),
            Some((certificate, key)) if !certificate.is_empty() && !key.is_empty() => {
                Ok(Self::Files {
                    certificate: certificate.into(),
                    key: key.into(),
                })
            }
            _ => Err(
                "write auto, or the files of certificate and key, as in cert.pem,key.pem".into(),
            ),
        }
    }
}

fn directory(text: &str) -> Result<String, String> {
    match text.starts_with("https://") && text.parse::<http::Uri>().is_ok() {
        true => Ok(text.into()),
        false => Err(format!("write an https address, as in {LETS_ENCRYPT}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::Config;

    fn check(flags: &[&str], is_shared: bool) -> Result<(), String> {
        let config = Config::parse_from([&["tertulia"], flags].concat());
        config.tls.check(config.public_url.as_ref(), is_shared)
    }

    #[test]
    fn tls_needs_a_name_and_a_server_that_is_alone() {
        let url = "--public-url=https://chat.example.org";
        assert_eq!(check(&["--tls=auto", url], false), Ok(()));
        assert_eq!(check(&["--tls=a.pem,b.pem"], true), Ok(()));
        for (flags, is_shared, word) in [
            (&["--tls=auto"][..], false, "--public-url"),
            (&["--tls=auto", url], true, "several nodes"),
            (
                &["--tls=auto", "--public-url=https://10.0.0.5"],
                false,
                "name",
            ),
            (&["--tls=auto", "--public-url=https://[::1]"], false, "name"),
            (
                &["--tls=a.pem,b.pem", "--public-url=http://x"],
                false,
                "https",
            ),
            (&["--http-listen=[::]:80"], false, "--tls"),
        ] {
            let words = check(flags, is_shared).expect_err("it is refused");
            assert!(words.contains(word), "{flags:?}: {words}");
        }
        assert!("auto,".parse::<TlsSource>().is_err() && "on".parse::<TlsSource>().is_err());
        assert!(directory("http://localhost/dir").is_err());
    }
}
