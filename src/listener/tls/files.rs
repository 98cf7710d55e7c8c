//! A certificate that somebody else keeps up to date in two files.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{Certificate, Shown};
use crate::clock::Clock;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(60);

/// A certificate and its key in two files.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    /// The chain, as PEM.
    pub certificate: PathBuf,
    /// The key, as PEM.
    pub key: PathBuf,
}

/// What tells that a file is another one than before: inode, size, and when it was written.
type Mark = [Option<(u64, u64, i64, i64)>; 2];

impl CertificateFiles {
    /// Reads both.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn read(&self) -> Result<Certificate, String> {
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|err| format!("{} cannot be read: {err}", path.display()))
        };
        let (chain, key) = (read(&self.certificate)?, read(&self.key)?);
        Certificate::from_pem(&chain, &key).map_err(|words| {
            format!(
                "{} and {}: {words}",
                self.certificate.display(),
                self.key.display()
            )
        })
    }

    fn mark(&self) -> Mark {
        [&self.certificate, &self.key].map(|path| {
            let file = fs::metadata(path).ok()?;
            Some((file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
        })
    }

    /// Shows what the files hold whenever they have changed: looked at once a minute, and when `reload` says so.
    /// What cannot be used is said once, and the old certificate stays. Ends when `stopping` is cancelled.
    pub async fn keep(
        self,
        shown: Arc<Shown>,
        clock: Clock,
        reload: Arc<Notify>,
        stopping: CancellationToken,
    ) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        // The files may have changed since they were read at the start.
        let mut last = Mark::default();
        loop {
            let mark = self.mark();
            if std::mem::replace(&mut last, mark) != mark {
                self.show(&shown, &clock);
            }
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = ticks.tick() => {}
                () = reload.notified() => last = Mark::default(),
            }
        }
    }

    fn show(&self, shown: &Shown, clock: &Clock) {
        match self.read() {
            Ok(certificate) => {
                shown.replace(&certificate);
                certificate.tell(clock.now());
            }
            Err(words) => tracing::error!("{words}; the certificate from before stays in use"),
        }
    }
}
