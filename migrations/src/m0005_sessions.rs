//! Sessions with their refresh tokens, the keys that access tokens are signed with, and the marks that end a user's sessions.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    blob, boolean, json_binary_null, string, text, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid, uuid_null, var_binary, var_binary_null,
};

use crate::parts::{index, refers};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Every table of this step; a table stands before those that refer to it.
const TABLES: [&str; 3] = ["sessions", "refresh_tokens", "signing_keys"];

/// Name, table and columns of every index: one for each query. Primary keys need none.
const INDEXES: [(&str, &str, &[&str]); 4] = [
    ("sessions_by_user", "sessions", &["user_id", "id"]),
    ("sessions_by_end", "sessions", &["expire_time"]),
    ("refresh_tokens_by_session", "refresh_tokens", &["session_id"]),
    ("refresh_tokens_by_time", "refresh_tokens", &["create_time"]),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [sessions(), refresh_tokens(), signing_keys()] {
            manager.create_table(table).await?;
        }
        for (name, table, columns) in INDEXES {
            manager.create_index(index(name, table, columns)).await?;
        }
        let mut users = Table::alter();
        users.table("users").add_column(json_binary_null("session_marks"));
        manager.alter_table(users).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut users = Table::alter();
        manager.alter_table(users.table("users").drop_column("session_marks").take()).await?;
        for table in TABLES.into_iter().rev() {
            manager.drop_table(Table::drop().table(table).take()).await?;
        }
        Ok(())
    }
}

/// `used` is the digest of the refresh token that was used last; nothing before the first use.
fn sessions() -> TableCreateStatement {
    Table::create()
        .table("sessions")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(uuid("account_id"))
        .col(uuid("tenant_id"))
        .col(string("kind"))
        .col(uuid_null("actor_id"))
        .col(timestamp_with_time_zone("auth_time"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone("last_used_time"))
        .col(timestamp_with_time_zone("expire_time"))
        .col(boolean("sliding"))
        .col(text("source"))
        .col(text("user_agent"))
        .col(var_binary_null("used", 32))
        .foreign_key(&mut refers("sessions", "user_id", "users"))
        .take()
}

/// `parent` is the digest of the token that this one was given for; nothing for a session's first. Those that were used are
/// kept, so that one that comes a second time is known.
fn refresh_tokens() -> TableCreateStatement {
    Table::create()
        .table("refresh_tokens")
        .col(var_binary("digest", 32).primary_key())
        .col(uuid("session_id"))
        .col(var_binary_null("parent", 32))
        .col(timestamp_with_time_zone("create_time"))
        .foreign_key(&mut refers("refresh_tokens", "session_id", "sessions"))
        .take()
}

/// `sealed` opens under the master key alone, and only beside the other columns as they were when it was made.
fn signing_keys() -> TableCreateStatement {
    Table::create()
        .table("signing_keys")
        .col(uuid("id").primary_key())
        .col(string("algorithm"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone("activate_time"))
        .col(timestamp_with_time_zone_null("retire_time"))
        .col(blob("sealed"))
        .take()
}
