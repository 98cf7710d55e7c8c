//! Rows put into the database behind the server's back: what would take a minute of requests.

use sea_orm::ConnectionTrait;

use super::{Town, databases};

impl Town {
    /// Runs these statements on the database that the server has open too.
    pub async fn stores(&self, statements: &[String]) {
        let database = databases::open(self.data()).await;
        for sql in statements {
            let stored = database.execute_unprepared(sql).await;
            stored.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        database.close().await.expect("it was open");
    }
}
