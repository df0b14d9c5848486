//! Keys of service users, beside their tokens; and the assertions that were used.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{json_binary_null, timestamp_with_time_zone, uuid, var_binary};

use crate::parts::{index, key};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut tokens = Table::alter();
        tokens.table("api_tokens").add_column(json_binary_null("key"));
        manager.alter_table(tokens).await?;
        manager.create_table(assertions()).await?;
        manager.create_index(index("assertions_by_end", "assertions", &["expire_time"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("assertions").take()).await?;
        let mut tokens = Table::alter();
        manager.alter_table(tokens.table("api_tokens").drop_column("key").take()).await
    }
}

/// `jti` is a hash of what the assertion calls itself; it is kept until the assertion is worth nothing in any case.
fn assertions() -> TableCreateStatement {
    Table::create()
        .table("assertions")
        .col(uuid("key_id"))
        .col(var_binary("jti", 32))
        .col(timestamp_with_time_zone("expire_time"))
        .primary_key(&mut key("assertions_key", &["key_id", "jti"]))
        .take()
}
