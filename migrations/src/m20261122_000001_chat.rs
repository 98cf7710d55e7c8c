//! People, sessions, rooms, memberships, messages. Times are milliseconds since 1970.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [users(), sessions(), rooms(), memberships(), messages()] {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["messages", "memberships", "rooms", "sessions", "users"] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

fn users() -> TableCreateStatement {
    Table::create()
        .table("users")
        .col(big_pk_auto("id"))
        .col(text("name"))
        .col(text_uniq("name_folded"))
        .col(text("password"))
        .col(text("role"))
        .col(big_integer("created"))
        .to_owned()
}

/// `id` is the hash of the id in the cookie: who reads the database cannot sign in with it.
fn sessions() -> TableCreateStatement {
    Table::create()
        .table("sessions")
        .col(text("id").primary_key())
        .col(big_integer_null("user_id"))
        .col(text("data"))
        .col(big_integer("expires"))
        .to_owned()
}

/// `last_seq` and `last_rev` are the room's end; `changed` is when anything in it last changed.
fn rooms() -> TableCreateStatement {
    Table::create()
        .table("rooms")
        .col(big_pk_auto("id"))
        .col(text("kind"))
        .col(text_null("name"))
        .col(text_null("name_folded").unique_key())
        .col(text_null("direct_key").unique_key())
        .col(big_integer_null("low_user_id"))
        .col(big_integer_null("high_user_id"))
        .col(big_integer("last_seq").default(0))
        .col(big_integer("last_rev").default(0))
        .col(big_integer("created"))
        .col(big_integer("changed"))
        .to_owned()
}

/// `joined` is when the person first opened the room, `joined_seq` where it ended then: messages up to there wait for
/// no receipt of theirs. A row without `joined` only remembers from where a public room is unread for someone who
/// signed up after it was created.
fn memberships() -> TableCreateStatement {
    Table::create()
        .table("memberships")
        .col(big_integer("room_id"))
        .col(big_integer("user_id"))
        .col(big_integer_null("joined"))
        .col(big_integer("joined_seq").default(0))
        .col(big_integer("delivered_seq").default(0))
        .col(big_integer("read_seq").default(0))
        .col(big_integer("changed"))
        .primary_key(Index::create().col("room_id").col("user_id"))
        .to_owned()
}

/// `has_audience`: somebody else was in the room when it was posted, so receipts count for it.
/// `previous_author_id` and `previous_created` are the message before: they decide, once for all,
/// whether a message begins a group or a day.
fn messages() -> TableCreateStatement {
    Table::create()
        .table("messages")
        .col(big_integer("room_id"))
        .col(big_integer("seq"))
        .col(big_integer("rev"))
        .col(big_integer("author_id"))
        .col(text_null("body"))
        .col(text("key"))
        .col(text("digest"))
        .col(boolean("has_audience"))
        .col(big_integer("created"))
        .col(big_integer_null("edited"))
        .col(big_integer_null("deleted"))
        .col(big_integer_null("previous_author_id"))
        .col(big_integer_null("previous_created"))
        .primary_key(Index::create().col("room_id").col("seq"))
        .to_owned()
}

fn indexes() -> Vec<IndexCreateStatement> {
    let index = |name: &'static str, table: &'static str| {
        Index::create().name(name).table(table).to_owned()
    };
    vec![
        index("sessions_user", "sessions").col("user_id").to_owned(),
        index("sessions_expires", "sessions")
            .col("expires")
            .to_owned(),
        index("rooms_kind", "rooms").col("kind").to_owned(),
        index("rooms_low", "rooms").col("low_user_id").to_owned(),
        index("rooms_high", "rooms").col("high_user_id").to_owned(),
        index("memberships_user", "memberships")
            .col("user_id")
            .to_owned(),
        // The lowest watermarks of a room's members are the first entries of these.
        index("memberships_delivered", "memberships")
            .col("room_id")
            .col("delivered_seq")
            .and_where(Expr::col("joined").is_not_null())
            .to_owned(),
        index("memberships_read", "memberships")
            .col("room_id")
            .col("read_seq")
            .and_where(Expr::col("joined").is_not_null())
            .to_owned(),
        index("messages_key", "messages")
            .col("author_id")
            .col("key")
            .unique()
            .to_owned(),
        index("messages_rev", "messages")
            .col("room_id")
            .col("rev")
            .unique()
            .to_owned(),
    ]
}
