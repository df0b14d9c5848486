use sea_orm::Set;
use sea_orm::entity::prelude::*;

use super::corrupt;
use crate::model::{AccountId, Activity, ActivityId, Deed, UserId};
use crate::store::Error;

const TABLE: &str = "activity";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "activity")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub account_id: Uuid,
    pub user_id: Option<Uuid>,
    pub kind: String,
    pub what: String,
    pub source: String,
    pub count: i32,
    pub at: DateTimeUtc,
    pub last_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Activity {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let id = ActivityId(row.id);
        let count = u32::try_from(row.count).map_err(|why| corrupt(TABLE, &id, &why))?;
        let deed = Deed {
            tenant: AccountId(row.tenant_id),
            account: AccountId(row.account_id),
            user: row.user_id.map(UserId),
            kind: row.kind.parse().map_err(Error::Newer)?,
            what: row.what,
            source: row.source,
        };
        Ok(Self { id, deed, count, at: row.at, last_at: row.last_at })
    }
}

impl From<Activity> for ActiveModel {
    fn from(activity: Activity) -> Self {
        let Activity { id, deed, count, at, last_at } = activity;
        Self {
            id: Set(id.0),
            tenant_id: Set(deed.tenant.0),
            account_id: Set(deed.account.0),
            user_id: Set(deed.user.map(|id| id.0)),
            kind: Set(deed.kind.name().to_owned()),
            what: Set(deed.what),
            source: Set(deed.source),
            count: Set(i32::try_from(count).unwrap_or(i32::MAX)),
            at: Set(at),
            last_at: Set(last_at),
        }
    }
}
