//! Nothing looks for tokens by their end any more: what of them somebody may read is found in memory. A process of before works
//! without the index, only slower.

use sea_orm_migration::prelude::*;

use crate::parts::index;

const NAME: &str = "api_tokens_by_expiry";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(NAME).table("api_tokens").to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = ["account_id", "expire_time", "id"];
        manager.create_index(index(NAME, "api_tokens", &columns)).await
    }
}
