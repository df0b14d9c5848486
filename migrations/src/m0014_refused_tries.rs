//! Counts the tries that were refused too, so that one that is not made costs the same write as one that is.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let refused = big_integer("refused").default(0).take();
        let table = Table::alter().table("sign_in_failures").add_column(refused).take();
        manager.alter_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter().table("sign_in_failures").drop_column("refused").take();
        manager.alter_table(table).await
    }
}
