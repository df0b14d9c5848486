use sea_orm::Set;
use sea_orm::entity::prelude::*;

use super::{json, key, read, word};
use crate::model::{AccountId, CustomRole, RoleId};
use crate::store::Error;

const TABLE: &str = "custom_roles";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "custom_roles")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub account_id: Uuid,
    pub tenant_id: Uuid,
    pub name: String,
    pub name_key: String,
    pub description: String,
    pub permits: Json,
    pub except: Json,
    pub includes: Json,
    pub reach: String,
    pub on: Option<String>,
    pub when: Option<String>,
    pub assignable_to: Json,
    pub active: bool,
    pub create_time: DateTimeUtc,
    pub update_time: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for CustomRole {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let id = RoleId(row.id);
        Ok(Self {
            id,
            account: AccountId(row.account_id),
            name: row.name,
            description: row.description,
            permits: read(TABLE, &id, row.permits)?,
            except: read(TABLE, &id, row.except)?,
            includes: read(TABLE, &id, row.includes)?,
            reach: read(TABLE, &id, row.reach.into())?,
            on: row.on.map(|on| read(TABLE, &id, on.into())).transpose()?,
            when: row.when,
            assignable_to: read(TABLE, &id, row.assignable_to)?,
            active: row.active,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

impl ActiveModel {
    /// Makes the row of a role whose account lies in `tenant`.
    pub(in crate::store) fn of(tenant: AccountId, role: CustomRole) -> Result<Self, Error> {
        Ok(Self {
            id: Set(role.id.0),
            account_id: Set(role.account.0),
            tenant_id: Set(tenant.0),
            name_key: Set(key(TABLE, &role.name)?),
            name: Set(role.name),
            description: Set(role.description),
            permits: Set(json(TABLE, &role.permits)?),
            except: Set(json(TABLE, &role.except)?),
            includes: Set(json(TABLE, &role.includes)?),
            reach: Set(word(TABLE, &role.reach)?),
            on: Set(role.on.map(|on| word(TABLE, &on)).transpose()?),
            when: Set(role.when),
            assignable_to: Set(json(TABLE, &role.assignable_to)?),
            active: Set(role.active),
            create_time: Set(role.create_time),
            update_time: Set(role.update_time),
        })
    }
}
