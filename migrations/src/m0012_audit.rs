//! Finds a ledger's entries by when they were made, by whom, and by what was done.

use sea_orm_migration::prelude::*;

use crate::parts::index;

/// Name and columns of every index of the ledger that this step makes.
const INDEXES: [(&str, &[&str]); 3] = [
    ("ledger_by_time", &["tenant_id", "at", "revision"]),
    ("ledger_by_actor", &["tenant_id", "actor", "revision", "ordinal"]),
    ("ledger_by_kind", &["tenant_id", "kind", "revision", "ordinal"]),
];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, columns) in INDEXES {
            manager.create_index(index(name, "ledger", columns)).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, _) in INDEXES {
            manager.drop_index(Index::drop().name(name).table("ledger").to_owned()).await?;
        }
        Ok(())
    }
}
