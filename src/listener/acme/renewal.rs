//! Getting the certificate and renewing it for as long as the server runs.

use std::{path::PathBuf, sync::Arc, time::Duration};

use instant_acme::{Account, Error, NewAccount};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::tls::{Certificate, PlainHttp, Validity},
    client::Client,
    failure::in_words,
    files::AcmeFiles,
    order::issue,
};
use crate::clock::Clock;

/// How long after the first, second … failure the next try comes; the last one also after all later ones. The usual
/// authority takes five failed tries for a name within an hour, then none for a while.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3 * 60 * 60),
];
/// The longest pause that the authority can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long one try may take as a whole.
const TRY: Duration = Duration::from_secs(10 * 60);
/// The longest sleep before the clock is looked at again: machines sleep too, and clocks are set.
const LOOK: Duration = Duration::from_secs(60 * 60);

/// Keeps a certificate for one name.
pub struct Renewal {
    host: String,
    directory: String,
    client: Client,
    files: AcmeFiles,
    plain: Arc<PlainHttp>,
    clock: Clock,
    validity: Option<Validity>,
    failures: usize,
}

impl Renewal {
    /// For `host`, from the authority with this ACME directory. What it got before, in `folder`, is shown from now on.
    ///
    /// # Errors
    /// A sentence: the certificates that the directory is checked with cannot be used.
    pub fn new(
        host: String,
        directory: String,
        root: Option<&std::path::Path>,
        folder: PathBuf,
        plain: Arc<PlainHttp>,
        clock: Clock,
    ) -> Result<Self, String> {
        let mut renewal = Self {
            host,
            directory,
            client: Client::new(root)?,
            files: AcmeFiles::new(folder),
            plain,
            clock,
            validity: None,
            failures: 0,
        };
        match renewal.files.certificate(&renewal.host) {
            Ok(Some(certificate)) => renewal.show(&certificate),
            Ok(None) => {}
            Err(words) => tracing::error!("{words}; a new one is asked for"),
        }
        Ok(renewal)
    }

    fn show(&mut self, certificate: &Certificate) {
        self.plain.shown.replace(certificate);
        self.validity = Some(certificate.validity);
        certificate.tell(self.clock.now());
    }

    /// Gets a certificate whenever the one that is there has lived two thirds of its time; `reload` makes the next try
    /// after a failure come at once. Ends when `stopping` is cancelled.
    pub async fn keep(mut self, reload: Arc<Notify>, stopping: CancellationToken) {
        let forever = async {
            loop {
                let wait = self.until_due();
                if wait.is_zero() {
                    self.renew(&reload).await;
                } else {
                    sleep(wait.min(LOOK)).await;
                }
            }
        };
        stopping.run_until_cancelled(forever).await;
    }

    fn until_due(&self) -> Duration {
        let now = self.clock.now();
        self.validity
            .map_or(Duration::ZERO, |validity| validity.two_thirds().since(now))
    }

    async fn renew(&mut self, reload: &Notify) {
        tracing::info!(
            host = self.host,
            directory = self.directory,
            "asking for a certificate"
        );
        let outcome = timeout(TRY, self.get()).await;
        let outcome = outcome
            .unwrap_or_else(|_| Err("the certificate authority has not decided in time".into()));
        match outcome {
            Ok(certificate) => {
                self.failures = 0;
                self.show(&certificate);
            }
            Err(words) => {
                let pause = self.pause();
                self.failures += 1;
                let state = match self.validity {
                    Some(validity) => format!(
                        "The one from before stays in use; it is valid until {}",
                        validity.until_in_words()
                    ),
                    None => "Until there is one, nobody can open the chat by https".into(),
                };
                tracing::error!(
                    "no new certificate for {}: {words}. {state}. The next try is in {} seconds, or at SIGHUP",
                    self.host,
                    pause.as_secs()
                );
                tokio::select! {
                    () = sleep(pause) => {}
                    () = reload.notified() => {}
                }
            }
        }
    }

    /// How long to wait after one more failure: at least what the authority asks for.
    fn pause(&self) -> Duration {
        let ours = PAUSES[self.failures.min(PAUSES.len() - 1)];
        let theirs = self.client.asked_for_patience().unwrap_or_default();
        ours.max(theirs.min(LONGEST_PAUSE))
    }

    async fn get(&self) -> Result<Certificate, String> {
        let wrong = |err: Error| in_words(&err, &self.host);
        let issued = match self.files.account(&self.directory) {
            None => None,
            Some(known) => {
                let builder = Account::builder_with_http(Box::new(self.client.clone()));
                let account = builder.from_credentials(known).await.map_err(wrong)?;
                match issue(&account, &self.host, &self.plain).await {
                    Err(err) if is_unknown(&err) => None,
                    outcome => Some(outcome.map_err(wrong)?),
                }
            }
        };
        let issued = match issued {
            Some(issued) => issued,
            None => {
                let account = self.open_account().await?;
                issue(&account, &self.host, &self.plain)
                    .await
                    .map_err(wrong)?
            }
        };
        let certificate = Certificate::from_pem(issued.chain.as_bytes(), issued.key.as_bytes())?;
        self.files.keep_certificate(&issued.key, &issued.chain)?;
        Ok(certificate)
    }

    /// By asking for it, the operator accepts the authority's terms.
    async fn open_account(&self) -> Result<Account, String> {
        let wanted = NewAccount {
            contact: &[],
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let builder = Account::builder_with_http(Box::new(self.client.clone()));
        let (account, credentials) = builder
            .create(&wanted, self.directory.clone(), None)
            .await
            .map_err(|err| in_words(&err, &self.host))?;
        self.files.keep_account(&credentials)?;
        Ok(account)
    }
}

/// Whether the authority does not know the account any more: a new one does as well.
fn is_unknown(error: &Error) -> bool {
    let Error::Api(problem) = error else {
        return false;
    };
    let kind = problem.r#type.as_deref().unwrap_or_default();
    kind.ends_with(":accountDoesNotExist")
}
