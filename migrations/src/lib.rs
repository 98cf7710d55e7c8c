//! The database schema as steps that run at start, in order, each once. The same steps build SQLite and PostgreSQL.
//!
//! A step that has landed is never edited: databases have taken it as it was. What must change is a new step.
//! `tests/it/upgrading/` holds the checksums, and upgrades a database that each earlier version really wrote.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{MigrationTrait, async_trait::async_trait};

mod m20261122_000001_chat;
mod m20261123_000002_signals;
mod m20261124_000003_since;
mod m20261127_000004_one_time_links;
mod whole;

use whole::Whole;

/// All steps, oldest first.
pub struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let steps: Vec<Box<dyn MigrationTrait>> = vec![
            Box::new(m20261122_000001_chat::Migration),
            Box::new(m20261123_000002_signals::Migration),
            Box::new(m20261124_000003_since::Migration),
            Box::new(m20261127_000004_one_time_links::Migration),
        ];
        let whole = |step| Box::new(Whole(step)) as Box<dyn MigrationTrait>;
        steps.into_iter().map(whole).collect()
    }
}
