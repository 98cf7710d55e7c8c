//! Indexes for what is asked by time: who came, which rooms and whose memberships changed since.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table, columns) in indexes(manager) {
            let mut index = Index::create().name(name).table(table).to_owned();
            for column in columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table, _) in indexes(manager) {
            let drop = Index::drop().name(name).table(table).to_owned();
            manager.drop_index(drop).await?;
        }
        Ok(())
    }
}

/// Several nodes ask PostgreSQL again and again what changed for a person; SQLite has one node, which knows.
fn indexes(manager: &SchemaManager) -> Vec<(&'static str, &'static str, &'static [&'static str])> {
    let mut indexes: Vec<(_, _, &[_])> = vec![
        ("users_created", "users", &["created"]),
        ("rooms_changed", "rooms", &["changed"]),
    ];
    if manager.get_database_backend() == DbBackend::Postgres {
        indexes.push((
            "memberships_changed",
            "memberships",
            &["user_id", "changed"],
        ));
    }
    indexes
}
