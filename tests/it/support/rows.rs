//! Rows put into the database behind the server's back: what would take a minute of requests.

use sea_orm::{ConnectionTrait, Database};

use super::Town;

impl Town {
    /// Runs these statements on the database that the server has open too.
    pub async fn stores(&self, statements: &[String]) {
        let file = self.data().join("tertulia.db");
        let database = Database::connect(format!("sqlite://{}?mode=rw", file.display())).await;
        let database = database.expect("the database is there");
        for sql in statements {
            let stored = database.execute_unprepared(sql).await;
            stored.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        database.close().await.expect("it was open");
    }
}
