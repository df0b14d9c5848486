//! When rights were last used, and by whom.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{text, timestamp_with_time_zone, uuid};

use crate::parts::{index, key};

const TABLE: &str = "right_uses";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(right_uses()).await?;
        manager.create_index(index("right_uses_by_time", TABLE, &["last_used_time"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).take()).await
    }
}

/// A trace: no row here refers to another, and none is missed.
fn right_uses() -> TableCreateStatement {
    Table::create()
        .table(TABLE)
        .col(uuid("user_id"))
        .col(text("permission"))
        .col(timestamp_with_time_zone("last_used_time"))
        .primary_key(&mut key("right_uses_key", &["user_id", "permission"]))
        .take()
}
