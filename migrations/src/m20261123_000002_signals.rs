//! What people let others see (receipts, presence), what they marked and muted, when watermarks moved, who is banned.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in columns() {
            let alter = Table::alter().table(table).add_column(column).to_owned();
            manager.alter_table(alter).await?;
        }
        manager.create_table(settings()).await?;
        manager
            .drop_index(
                Index::drop()
                    .name("memberships_read")
                    .table("memberships")
                    .to_owned(),
            )
            .await?;
        manager.create_index(readers()).await?;
        manager.get_connection().execute_unprepared(FLOORS).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let drop = Index::drop()
            .name("memberships_read")
            .table("memberships")
            .to_owned();
        manager.drop_index(drop).await?;
        manager
            .drop_table(Table::drop().table("settings").to_owned())
            .await?;
        for (table, column) in columns() {
            let alter = Table::alter()
                .table(table)
                .drop_column(column.get_column_name())
                .to_owned();
            manager.alter_table(alter).await?;
        }
        manager
            .create_index(
                Index::create()
                    .name("memberships_read")
                    .table("memberships")
                    .col("room_id")
                    .col("read_seq")
                    .and_where(Expr::col("joined").is_not_null())
                    .to_owned(),
            )
            .await
    }
}

/// `memberships.sends_receipts` repeats the person's own choice, so that an index knows the lowest of those who do.
/// `marked_seq`: what is behind it was marked as unread. `muted_until` is a time; the `_trail`s are when the
/// watermarks last moved. `messages.counts_reads`: somebody else in the room sent read receipts when it was posted.
/// `rooms.read_floor` is kept because it must not fall when somebody begins to send receipts.
fn columns() -> Vec<(&'static str, ColumnDef)> {
    vec![
        ("users", boolean("sends_receipts").default(true).take()),
        ("users", boolean("shows_presence").default(true).take()),
        ("users", big_integer_null("last_seen").take()),
        ("users", boolean("banned").default(false).take()),
        ("rooms", big_integer("read_floor").default(0).take()),
        (
            "memberships",
            boolean("sends_receipts").default(true).take(),
        ),
        ("memberships", big_integer_null("marked_seq").take()),
        ("memberships", big_integer_null("muted_until").take()),
        ("memberships", text("delivered_trail").default("").take()),
        ("memberships", text("read_trail").default("").take()),
        ("messages", boolean("counts_reads").default(true).take()),
    ]
}

/// What the administrator set for everyone.
fn settings() -> TableCreateStatement {
    Table::create()
        .table("settings")
        .col(text("name").primary_key())
        .col(text("value"))
        .to_owned()
}

/// The lowest read watermark of those who send receipts is its first entry.
fn readers() -> IndexCreateStatement {
    Index::create()
        .name("memberships_read")
        .table("memberships")
        .col("room_id")
        .col("read_seq")
        .and_where(Expr::col("joined").is_not_null())
        .and_where(Expr::col("sends_receipts").eq(true))
        .to_owned()
}

const FLOORS: &str = "\
UPDATE rooms SET read_floor = COALESCE(
  (SELECT MIN(read_seq) FROM memberships WHERE room_id = rooms.id AND joined IS NOT NULL), 0)";
