use sea_orm::Set;
use sea_orm::entity::prelude::*;

use crate::crypto::fingerprint;
use crate::model::{AccountId, RoleGrant, RoleRef, UserId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "role_grants")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub role: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope_key: String,
    pub scope: Option<String>,
    pub account_id: Uuid,
    pub tenant_id: Uuid,
    pub expire_time: Option<DateTimeUtc>,
    pub create_time: DateTimeUtc,
    pub created_by: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::user::Entity",
        from = "Column::UserId",
        to = "super::user::Column::Id"
    )]
    Holder,
}

impl Related<super::user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Holder.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// Stands for a scope in the key: a scope itself can be longer than an index takes.
pub(in crate::store) fn scope_key(scope: Option<&str>) -> String {
    scope.map_or_else(String::new, fingerprint)
}

impl From<Model> for RoleGrant {
    fn from(row: Model) -> Self {
        let Ok(role) = row.role.parse::<RoleRef>();
        Self {
            user: UserId(row.user_id),
            account: AccountId(row.account_id),
            role,
            scope: row.scope,
            expire_time: row.expire_time,
            create_time: row.create_time,
            created_by: row.created_by.map(UserId),
        }
    }
}

impl ActiveModel {
    /// Makes the row of a grant to a user whose account lies in `tenant`.
    pub(in crate::store) fn of(tenant: AccountId, grant: RoleGrant) -> Self {
        Self {
            user_id: Set(grant.user.0),
            role: Set(grant.role.to_string()),
            scope_key: Set(scope_key(grant.scope.as_deref())),
            scope: Set(grant.scope),
            account_id: Set(grant.account.0),
            tenant_id: Set(tenant.0),
            expire_time: Set(grant.expire_time),
            create_time: Set(grant.create_time),
            created_by: Set(grant.created_by.map(|id| id.0)),
        }
    }
}
