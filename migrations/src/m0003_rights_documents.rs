//! Rights documents, and who has them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean, json_binary, text, timestamp_with_time_zone, uuid, uuid_null,
};

use crate::parts::{index, key, refers};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Every table of this step; a table stands before those that refer to it.
const TABLES: [&str; 2] = ["rights_documents", "assignments"];

/// Name, table and columns of every index: one for each query. Primary keys need none.
const INDEXES: [(&str, &str, &[&str]); 5] = [
    ("rights_documents_by_tenant", "rights_documents", &["tenant_id", "id"]),
    ("rights_documents_by_account", "rights_documents", &["account_id", "id"]),
    ("rights_documents_by_owner", "rights_documents", &["owner_id", "id"]),
    ("assignments_by_document", "assignments", &["document_id", "user_id"]),
    ("assignments_by_tenant", "assignments", &["tenant_id", "user_id"]),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(rights_documents()).await?;
        manager.create_table(assignments()).await?;
        for (name, table, columns) in INDEXES {
            manager.create_index(index(name, table, columns)).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES.into_iter().rev() {
            manager.drop_table(Table::drop().table(table).take()).await?;
        }
        Ok(())
    }
}

fn rights_documents() -> TableCreateStatement {
    Table::create()
        .table("rights_documents")
        .col(uuid("id").primary_key())
        .col(uuid("account_id"))
        .col(uuid("tenant_id"))
        .col(uuid("owner_id"))
        .col(text("name"))
        .col(boolean("cascade"))
        .col(boolean("is_master"))
        .col(json_binary("body"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone("update_time"))
        .foreign_key(&mut refers("rights_documents", "account_id", "accounts"))
        .foreign_key(&mut refers("rights_documents", "owner_id", "users"))
        .take()
}

/// A document may be one that a catalogue declares and that has no row, so that nothing refers to it.
fn assignments() -> TableCreateStatement {
    Table::create()
        .table("assignments")
        .col(uuid("user_id"))
        .col(uuid("document_id"))
        .col(uuid("account_id"))
        .col(uuid("tenant_id"))
        .col(timestamp_with_time_zone("create_time"))
        .col(uuid_null("created_by"))
        .primary_key(&mut key("assignments_key", &["user_id", "document_id"]))
        .foreign_key(&mut refers("assignments", "user_id", "users"))
        .take()
}
