//! What was done that changed nothing: sign-ins, failures, denials, uses of tokens.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{integer, string, text, timestamp_with_time_zone, uuid, uuid_null};

use crate::parts::index;

const TABLE: &str = "activity";

/// Name and columns of every index: one for each query.
const INDEXES: [(&str, &[&str]); 2] =
    [("activity_by_account", &["account_id", "at", "id"]), ("activity_by_time", &["at"])];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(TABLE)
            .col(uuid("id").primary_key())
            .col(uuid("tenant_id"))
            .col(uuid("account_id"))
            .col(uuid_null("user_id"))
            .col(string("kind"))
            .col(text("what"))
            .col(text("source"))
            .col(integer("count"))
            .col(timestamp_with_time_zone("at"))
            .col(timestamp_with_time_zone("last_at"))
            .take();
        manager.create_table(table).await?;
        for (name, columns) in INDEXES {
            manager.create_index(index(name, TABLE, columns)).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).take()).await
    }
}
