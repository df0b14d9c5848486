//! Who a user is at its account's identity provider, and by which e-mail address it is found there the first time.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text_null;
use sea_orm_migration::sea_orm::DbBackend;

use crate::parts::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [&str; 3] = ["email_key", "sso_issuer", "sso_subject"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in COLUMNS {
            let mut users = Table::alter();
            manager.alter_table(users.table("users").add_column(text_null(column)).take()).await?;
        }
        // As the program folds an address: letters of ASCII alone, whatever the collation.
        let folded = match manager.get_database_backend() {
            DbBackend::Postgres => "lower(email collate \"C\")",
            _ => "lower(email)",
        };
        let fill = format!("update users set email_key = {folded} where email is not null");
        manager.get_connection().execute_unprepared(&fill).await?;
        let identity = ["account_id", "sso_issuer", "sso_subject"];
        manager
            .create_index(index("users_sso_identity", "users", &identity).unique().take())
            .await?;
        manager.create_index(index("users_by_email", "users", &["account_id", "email_key"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["users_by_email", "users_sso_identity"] {
            manager.drop_index(Index::drop().name(name).table("users").to_owned()).await?;
        }
        for column in COLUMNS {
            let mut users = Table::alter();
            manager.alter_table(users.table("users").drop_column(column).take()).await?;
        }
        Ok(())
    }
}
