//! The chat as a command sees it: its database, opened beside a server that may be running on it, and its rules.

use tokio::task::JoinHandle;

use crate::{
    app::StartError,
    clock::Clock,
    config::DatabaseConfig,
    domain::Chat,
    error::Error,
    realtime::{Bus, Hub},
    store::Store,
};

/// The chat, without anybody who listens: a server finds by looking into the database what is done here.
pub struct Beside {
    /// Its rules.
    pub chat: Chat,
    writer: JoinHandle<()>,
}

impl Beside {
    /// Opens the database; whether a server runs on it does not matter.
    ///
    /// # Errors
    /// A sentence for the operator: there is none, it cannot be opened, or it belongs to another version.
    pub async fn open(config: &DatabaseConfig) -> Result<Self, StartError> {
        let store = Store::open_beside(&config.database_url()).await;
        let store = store.map_err(StartError)?;
        let bus = Bus::Local(Hub::default());
        let started = Chat::start(store, Clock::system(), bus).await;
        let (chat, writer) = started.map_err(refused)?;
        Ok(Self { chat, writer })
    }

    /// Closes the database.
    pub async fn close(self) {
        self.chat.close(self.writer).await;
    }
}

/// Why nothing was done, as a sentence for the operator.
pub fn refused(err: Error) -> StartError {
    StartError(match err {
        Error::Invalid { words, .. } | Error::Conflict { words } | Error::Forbidden { words } => {
            words.into()
        }
        Error::Unavailable(why) => {
            format!("the database does not answer ({why}). Nothing was changed; try again")
        }
        err => format!("nothing was changed: {err}"),
    })
}
