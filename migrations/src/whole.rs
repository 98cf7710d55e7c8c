//! A step that is taken as a whole or not at all, whatever it says of itself.

use sea_orm_migration::{async_trait::async_trait, prelude::*};

/// Runs a step and writes its row into the log in one transaction, on every database. Left to themselves steps do so on
/// PostgreSQL only, and a process that dies in the middle on SQLite leaves tables that the next start runs into.
pub(crate) struct Whole(pub Box<dyn MigrationTrait>);

impl MigrationName for Whole {
    fn name(&self) -> &str {
        self.0.name()
    }
}

#[async_trait]
impl MigrationTrait for Whole {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.up(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.down(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
