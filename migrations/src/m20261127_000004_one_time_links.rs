//! Links and codes that work once: for a new password, and for the first account of all.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(TABLE).await?;
        manager.create_index(by_user()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let drop = Table::drop().table("one_time_links").to_owned();
        manager.drop_table(drop).await
    }
}

/// `token_hash` is the hash of what stands in the link: who reads the database cannot use it. Without `expires` it
/// works until it is used. The reference is checked at the commit, so that tables can be copied in any order.
const TABLE: &str = "\
CREATE TABLE one_time_links (
  token_hash text NOT NULL PRIMARY KEY,
  kind text NOT NULL,
  user_id bigint NULL REFERENCES users (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  created bigint NOT NULL,
  expires bigint NULL
)";

fn by_user() -> IndexCreateStatement {
    Index::create()
        .name("one_time_links_user")
        .table("one_time_links")
        .col("user_id")
        .to_owned()
}
