//! Finds what ends next, of whatever account: for the figures, which a server works out by itself.
//!
//! Most credentials and roles never end; those take no place in it.

use sea_orm_migration::prelude::*;

use crate::parts::index;

const INDEXES: [(&str, &str); 2] =
    [("api_tokens_by_end", "api_tokens"), ("role_grants_by_end", "role_grants")];
const COLUMN: &str = "expire_time";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table) in INDEXES {
            let mut index = index(name, table, &[COLUMN]);
            index.and_where(Expr::col(COLUMN).is_not_null());
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table) in INDEXES {
            manager.drop_index(Index::drop().name(name).table(table).to_owned()).await?;
        }
        Ok(())
    }
}
