use sea_orm::Set;
use sea_orm::entity::prelude::*;

use super::{json, read};
use crate::model::{AccountId, DocId, RightsDocument, UserId};
use crate::store::Error;

const TABLE: &str = "rights_documents";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rights_documents")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub account_id: Uuid,
    pub tenant_id: Uuid,
    pub owner_id: Uuid,
    pub name: String,
    pub cascade: bool,
    pub is_master: bool,
    pub body: Json,
    pub create_time: DateTimeUtc,
    pub update_time: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for RightsDocument {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let id = DocId(row.id);
        Ok(Self {
            id,
            account: AccountId(row.account_id),
            owner: UserId(row.owner_id),
            name: row.name,
            cascade: row.cascade,
            master: row.is_master,
            body: read(TABLE, &id, row.body)?,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

impl ActiveModel {
    /// Makes the row of a document whose account lies in `tenant`.
    pub(in crate::store) fn of(tenant: AccountId, document: RightsDocument) -> Result<Self, Error> {
        Ok(Self {
            id: Set(document.id.0),
            account_id: Set(document.account.0),
            tenant_id: Set(tenant.0),
            owner_id: Set(document.owner.0),
            name: Set(document.name),
            cascade: Set(document.cascade),
            is_master: Set(document.master),
            body: Set(json(TABLE, &document.body)?),
            create_time: Set(document.create_time),
            update_time: Set(document.update_time),
        })
    }
}
