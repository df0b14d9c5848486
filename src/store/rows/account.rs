use sea_orm::Set;
use sea_orm::entity::prelude::*;

use super::{key, read, word};
use crate::model::{Account, AccountId, UserId};
use crate::store::Error;

const TABLE: &str = "accounts";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub parent_id: Option<Uuid>,
    pub tenant_id: Uuid,
    pub display_name: String,
    pub email: Option<String>,
    pub email_key: Option<String>,
    pub login_alias: Option<String>,
    pub login_alias_key: Option<String>,
    pub role: Option<String>,
    pub status: String,
    pub suspended_from: Option<Uuid>,
    pub quarantined_from: Option<Uuid>,
    pub created_by: Option<Uuid>,
    pub create_time: DateTimeUtc,
    pub update_time: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Account {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let id = AccountId(row.id);
        Ok(Self {
            id,
            parent: row.parent_id.map(AccountId),
            tenant: AccountId(row.tenant_id),
            display_name: row.display_name,
            email: row.email,
            login_alias: row.login_alias,
            role: row.role,
            status: read(TABLE, &id, row.status.into())?,
            suspended_from: row.suspended_from.map(AccountId),
            quarantined_from: row.quarantined_from.map(AccountId),
            created_by: row.created_by.map(UserId),
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

impl TryFrom<Account> for ActiveModel {
    type Error = Error;

    fn try_from(account: Account) -> Result<Self, Error> {
        let email_key = account.email.as_deref().map(|name| key(TABLE, name)).transpose()?;
        let alias_key = account.login_alias.as_deref().map(|name| key(TABLE, name)).transpose()?;
        Ok(Self {
            id: Set(account.id.0),
            parent_id: Set(account.parent.map(|id| id.0)),
            tenant_id: Set(account.tenant.0),
            display_name: Set(account.display_name),
            email: Set(account.email),
            email_key: Set(email_key),
            login_alias: Set(account.login_alias),
            login_alias_key: Set(alias_key),
            role: Set(account.role),
            status: Set(word(TABLE, &account.status)?),
            suspended_from: Set(account.suspended_from.map(|id| id.0)),
            quarantined_from: Set(account.quarantined_from.map(|id| id.0)),
            created_by: Set(account.created_by.map(|id| id.0)),
            create_time: Set(account.create_time),
            update_time: Set(account.update_time),
        })
    }
}
