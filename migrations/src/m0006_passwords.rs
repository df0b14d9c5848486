//! Passwords, the sign-ins that failed and the places where they did not, and messages that wait to be sent.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    integer, string, text, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
    uuid_null, var_binary,
};

use crate::parts::{index, key, refers};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Every table of this step; a table stands before those that refer to it.
const TABLES: [&str; 4] = ["passwords", "sign_in_failures", "sign_in_sources", "outbox"];

/// Name, table and columns of every index that is not unique: one for each query. Primary keys need none.
const INDEXES: [(&str, &str, &[&str]); 5] = [
    ("sign_in_failures_by_time", "sign_in_failures", &["last_time"]),
    ("sign_in_sources_by_time", "sign_in_sources", &["last_time"]),
    ("outbox_by_user", "outbox", &["user_id", "id"]),
    ("outbox_by_turn", "outbox", &["next_time"]),
    ("outbox_by_expiry", "outbox", &["expire_time"]),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [passwords(), sign_in_failures(), sign_in_sources(), outbox()] {
            manager.create_table(table).await?;
        }
        let digest = index("outbox_digest", "outbox", &["digest"]).unique().take();
        manager.create_index(digest).await?;
        for (name, table, columns) in INDEXES {
            manager.create_index(index(name, table, columns)).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES.into_iter().rev() {
            manager.drop_table(Table::drop().table(table).take()).await?;
        }
        Ok(())
    }
}

fn passwords() -> TableCreateStatement {
    Table::create()
        .table("passwords")
        .col(uuid("user_id").primary_key())
        .col(text("hash"))
        .col(timestamp_with_time_zone("change_time"))
        .foreign_key(&mut refers("passwords", "user_id", "users"))
        .take()
}

/// One row for each that is counted: a user, a user and a source, a source, a bucket of names that nobody has.
fn sign_in_failures() -> TableCreateStatement {
    Table::create()
        .table("sign_in_failures")
        .col(var_binary("key", 32).primary_key())
        .col(integer("count"))
        .col(timestamp_with_time_zone("last_time"))
        .col(timestamp_with_time_zone("until"))
        .take()
}

fn sign_in_sources() -> TableCreateStatement {
    Table::create()
        .table("sign_in_sources")
        .col(uuid("user_id"))
        .col(string("source"))
        .col(timestamp_with_time_zone("last_time"))
        .primary_key(&mut key("sign_in_sources_key", &["user_id", "source"]))
        .foreign_key(&mut refers("sign_in_sources", "user_id", "users"))
        .take()
}

/// No row holds an address or a secret. Of a name that nobody has there is a row too, without a user.
fn outbox() -> TableCreateStatement {
    Table::create()
        .table("outbox")
        .col(uuid("id").primary_key())
        .col(uuid_null("user_id"))
        .col(string("kind"))
        .col(text("return_uri"))
        .col(var_binary("digest", 32))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone("expire_time"))
        .col(timestamp_with_time_zone_null("next_time"))
        .col(integer("tries"))
        .col(timestamp_with_time_zone_null("end_time"))
        .foreign_key(&mut refers("outbox", "user_id", "users"))
        .take()
}
