//! The first connection to a PostgreSQL server: what is wrong is said at once, and what can pass is waited for.

use std::time::Duration;

use sea_orm::sqlx::{self, Connection as _, PgConnection};
use tokio::time::{Instant, sleep, timeout};

use super::{
    trouble::{Place, Trouble},
    watch::only_reads,
};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// How long after an attempt the next one comes.
const AGAIN: Duration = Duration::from_millis(500);
/// How long a program that serves waits for a server that starts and a network that comes up: a machine that boots is
/// ready by then, and systemd gives a service 90 s to start.
pub(in crate::store) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the server takes connections and can be written to, at most `patience` for what can pass.
///
/// # Errors
/// A sentence for the operator.
pub(in crate::store) async fn reach(url: &str, patience: Duration) -> Result<(), String> {
    let place = Place::parse(url)?;
    let begun = Instant::now();
    let mut told = String::new();
    loop {
        let Err(trouble) = attempt(&place).await else {
            if !told.is_empty() {
                tracing::info!("{place} answers");
            }
            return Ok(());
        };
        if !trouble.passes {
            return Err(trouble.words);
        }
        if begun.elapsed() >= patience {
            return Err(match patience.as_secs() {
                0 => trouble.words,
                seconds => format!("{} Waited {seconds} s for it.", trouble.words),
            });
        }
        if told != trouble.words {
            let seconds = patience.as_secs();
            tracing::warn!("{} Waiting for it, up to {seconds} s.", trouble.words);
            told = trouble.words;
        }
        sleep(AGAIN).await;
    }
}

async fn attempt(place: &Place) -> Result<(), Trouble> {
    place.has_its_files()?;
    let connected = async {
        let mut connection = PgConnection::connect_with(place.options()).await?;
        let only_reads = only_reads(&mut connection).await?;
        // Nothing was changed over it, so nothing depends on how it ends.
        let _ = connection.close().await;
        Ok::<_, sqlx::Error>(only_reads)
    };
    match timeout(ATTEMPT, connected).await {
        Ok(Ok(false)) => Ok(()),
        Ok(Ok(true)) => Err(place.only_reads()),
        Ok(Err(err)) => Err(place.trouble(&err)),
        Err(_) => Err(place.silent()),
    }
}
