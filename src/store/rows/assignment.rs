use sea_orm::Set;
use sea_orm::entity::prelude::*;

use crate::model::{AccountId, Assignment, DocId, UserId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "assignments")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// A document's row, or the id of one that a catalogue declares.
    #[sea_orm(primary_key, auto_increment = false)]
    pub document_id: Uuid,
    pub account_id: Uuid,
    pub tenant_id: Uuid,
    pub create_time: DateTimeUtc,
    pub created_by: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for Assignment {
    fn from(row: Model) -> Self {
        Self {
            document: DocId(row.document_id),
            user: UserId(row.user_id),
            account: AccountId(row.account_id),
            create_time: row.create_time,
            created_by: row.created_by.map(UserId),
        }
    }
}

impl ActiveModel {
    /// Makes the row of an assignment to a user whose account lies in `tenant`.
    pub(in crate::store) fn of(tenant: AccountId, one: &Assignment) -> Self {
        Self {
            user_id: Set(one.user.0),
            document_id: Set(one.document.0),
            account_id: Set(one.account.0),
            tenant_id: Set(tenant.0),
            create_time: Set(one.create_time),
            created_by: Set(one.created_by.map(|id| id.0)),
        }
    }
}
