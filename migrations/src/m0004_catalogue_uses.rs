//! Who has what a catalogue declares: accounts by their role, and custom roles by their name on the whole platform.

use sea_orm_migration::prelude::*;

use crate::parts::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Name, table and columns of every index: one for each query.
const INDEXES: [(&str, &str, &[&str]); 2] = [
    ("accounts_by_role", "accounts", &["role", "status", "id"]),
    ("custom_roles_by_name", "custom_roles", &["name_key", "id"]),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table, columns) in INDEXES {
            manager.create_index(index(name, table, columns)).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table, _) in INDEXES {
            manager.drop_index(Index::drop().name(name).table(table).to_owned()).await?;
        }
        Ok(())
    }
}
