//! HTTPS by the server itself: which certificate, and who keeps it up to date.

use std::{path::Path, sync::Arc};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    acme::Renewal,
    tls::{CertificateFiles, PlainHttp, Shown, Tls},
};
use crate::{
    clock::Clock,
    config::{PublicUrl, TlsConfig, TlsSource},
};

/// What serving by HTTPS takes.
pub struct Https {
    /// Makes connections TLS.
    pub tls: Tls,
    /// Where people find the server: what was set, or a name of the certificate, or nothing when it has none.
    pub public: Option<PublicUrl>,
    /// The names that the certificate is for, where it lies in files.
    pub names: Vec<String>,
    keeper: Keeper,
    clock: Clock,
}

enum Keeper {
    Files(CertificateFiles),
    Acme(Box<Renewal>),
}

impl Https {
    /// With the certificate in the configured files, or one that is got by ACME and kept in `data`. `port` is where
    /// the server listens, for the address that is derived from the certificate.
    ///
    /// # Errors
    /// A sentence for the operator: the files cannot be used, or an authority that is to be trusted.
    pub fn new(
        source: &TlsSource,
        config: &TlsConfig,
        public: Option<&PublicUrl>,
        data: &Path,
        port: u16,
        clock: Clock,
    ) -> Result<Self, String> {
        let shown = Arc::new(Shown::default());
        match source {
            TlsSource::Files { certificate, key } => {
                let files = CertificateFiles {
                    certificate: certificate.clone(),
                    key: key.clone(),
                };
                let certificate = files.read()?;
                shown.replace(&certificate);
                let names = certificate.names();
                let public = public.cloned().or_else(|| derived(&names, port));
                Ok(Self {
                    tls: tls(PlainHttp::new(public.clone(), shown))?,
                    public,
                    names,
                    keeper: Keeper::Files(files),
                    clock,
                })
            }
            TlsSource::Auto => {
                let host = public
                    .map(|public| public.host().to_owned())
                    .unwrap_or_default();
                let tls = tls(PlainHttp::new(public.cloned(), shown))?;
                let renewal = Renewal::new(
                    host,
                    config.acme_directory.clone(),
                    config.acme_root.as_deref(),
                    data.join("acme"),
                    tls.plain.clone(),
                    clock.clone(),
                )?;
                Ok(Self {
                    tls,
                    public: public.cloned(),
                    names: Vec::new(),
                    keeper: Keeper::Acme(Box::new(renewal)),
                    clock,
                })
            }
        }
    }

    /// Whether there is a certificate to show.
    pub fn has_certificate(&self) -> bool {
        self.tls.plain.shown.is_there()
    }

    /// Keeps the certificate up to date; `reload` means at once. Ends when `stopping` is cancelled.
    pub async fn keep(self, reload: Arc<Notify>, stopping: CancellationToken) {
        match self.keeper {
            Keeper::Files(files) => {
                let shown = self.tls.plain.shown.clone();
                files.keep(shown, self.clock, reload, stopping).await;
            }
            Keeper::Acme(renewal) => renewal.keep(reload, stopping).await,
        }
    }
}

fn tls(plain: PlainHttp) -> Result<Tls, String> {
    Tls::new(plain).map_err(|err| format!("TLS cannot be used: {err}"))
}

/// The first name that is one host's, with the port.
fn derived(names: &[String], port: u16) -> Option<PublicUrl> {
    let name = names.iter().find(|name| !name.starts_with('*'))?;
    format!("https://{name}:{port}").parse().ok()
}
