//! Who made the first of a line of tokens, where that is not who made the token itself. Absent in rows of before: nobody
//! else, as far as is known.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::uuid_null;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::alter();
        manager.alter_table(table.table("api_tokens").add_column(uuid_null("origin")).take()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::alter();
        manager.alter_table(table.table("api_tokens").drop_column("origin").take()).await
    }
}
