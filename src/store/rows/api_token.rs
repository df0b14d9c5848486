use sea_orm::entity::prelude::*;
use sea_orm::{NotSet, Set};

use super::{json, read};
use crate::model::{AccountId, ApiToken, TokenId, UserId};
use crate::store::Error;

const TABLE: &str = "api_tokens";

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub account_id: Uuid,
    pub tenant_id: Uuid,
    pub display_name: String,
    pub scopes: Json,
    pub expanded: Json,
    pub created_by: Option<Uuid>,
    pub origin: Option<Uuid>,
    pub create_time: DateTimeUtc,
    pub expire_time: Option<DateTimeUtc>,
    pub digest: Vec<u8>,
    pub last_used_time: Option<DateTimeUtc>,
    /// When it was ended; from then on the row is here for its digest alone.
    pub end_time: Option<DateTimeUtc>,
    /// Of a key, its public half. Its digest is that of no secret.
    pub key: Option<Json>,
}

/// Without the digest, which is kept from every log though it is no secret by itself.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for ApiToken {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let id = TokenId(row.id);
        Ok(Self {
            id,
            user: UserId(row.user_id),
            account: AccountId(row.account_id),
            display_name: row.display_name,
            scopes: read(TABLE, &id, row.scopes)?,
            expanded: read(TABLE, &id, row.expanded)?,
            created_by: row.created_by.map(UserId),
            origin: row.origin.map(UserId),
            create_time: row.create_time,
            expire_time: row.expire_time,
            key: row.key.map(|key| read(TABLE, &id, key)).transpose()?,
        })
    }
}

impl ActiveModel {
    /// Makes the row of a token of a user whose account lies in `tenant`; digest, last use and end are left as they are.
    pub(in crate::store) fn of(tenant: AccountId, token: ApiToken) -> Result<Self, Error> {
        Ok(Self {
            id: Set(token.id.0),
            user_id: Set(token.user.0),
            account_id: Set(token.account.0),
            tenant_id: Set(tenant.0),
            scopes: Set(json(TABLE, &token.scopes)?),
            expanded: Set(json(TABLE, &token.expanded)?),
            display_name: Set(token.display_name),
            created_by: Set(token.created_by.map(|id| id.0)),
            origin: Set(token.origin.map(|id| id.0)),
            create_time: Set(token.create_time),
            expire_time: Set(token.expire_time),
            digest: NotSet,
            last_used_time: NotSet,
            end_time: NotSet,
            key: Set(token.key.as_ref().map(|key| json(TABLE, key)).transpose()?),
        })
    }
}
