use sea_orm::Set;
use sea_orm::entity::prelude::*;

use super::{json, key, read, word};
use crate::model::{AccountId, Identity, SessionMarks, User, UserId};
use crate::store::Error;

const TABLE: &str = "users";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub account_id: Uuid,
    pub tenant_id: Uuid,
    pub parent_id: Option<Uuid>,
    pub kind: String,
    pub user_name: String,
    pub user_name_key: String,
    pub first_name: String,
    pub last_name: String,
    pub full_name: String,
    pub email: Option<String>,
    pub phone_number: String,
    pub regional_settings: Json,
    pub enabled: bool,
    pub sso: bool,
    pub application: Option<String>,
    pub create_time: DateTimeUtc,
    pub update_time: DateTimeUtc,
    pub delete_time: Option<DateTimeUtc>,
    pub session_marks: Option<Json>,
    pub email_key: Option<String>,
    pub sso_issuer: Option<String>,
    pub sso_subject: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(has_many = "super::role_grant::Entity")]
    Grants,
}

impl Related<super::role_grant::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Grants.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for User {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let id = UserId(row.id);
        Ok(Self {
            id,
            account: AccountId(row.account_id),
            parent: row.parent_id.map(UserId),
            kind: read(TABLE, &id, row.kind.into())?,
            user_name: row.user_name,
            first_name: row.first_name,
            last_name: row.last_name,
            full_name: row.full_name,
            email: row.email,
            phone_number: row.phone_number,
            regional_settings: read(TABLE, &id, row.regional_settings)?,
            enabled: row.enabled,
            sso: row.sso,
            application: row.application,
            create_time: row.create_time,
            update_time: row.update_time,
            delete_time: row.delete_time,
            session_marks: match row.session_marks {
                Some(marks) => read(TABLE, &id, marks)?,
                None => SessionMarks::default(),
            },
            identity: row
                .sso_issuer
                .zip(row.sso_subject)
                .map(|(issuer, subject)| Identity { issuer, subject }),
        })
    }
}

impl ActiveModel {
    /// Makes the row of a user whose account lies in `tenant`.
    pub(in crate::store) fn of(tenant: AccountId, user: User) -> Result<Self, Error> {
        let identity = user.identity.map(|identity| (identity.issuer, identity.subject));
        let (sso_issuer, sso_subject) = identity.unzip();
        Ok(Self {
            id: Set(user.id.0),
            account_id: Set(user.account.0),
            tenant_id: Set(tenant.0),
            parent_id: Set(user.parent.map(|id| id.0)),
            kind: Set(word(TABLE, &user.kind)?),
            user_name_key: Set(key(TABLE, &user.user_name)?),
            user_name: Set(user.user_name),
            first_name: Set(user.first_name),
            last_name: Set(user.last_name),
            full_name: Set(user.full_name),
            email_key: Set(user.email.as_deref().map(User::email_key)),
            email: Set(user.email),
            phone_number: Set(user.phone_number),
            regional_settings: Set(json(TABLE, &user.regional_settings)?),
            enabled: Set(user.enabled),
            sso: Set(user.sso),
            application: Set(user.application),
            create_time: Set(user.create_time),
            update_time: Set(user.update_time),
            delete_time: Set(user.delete_time),
            session_marks: Set(if user.session_marks.is_empty() {
                None
            } else {
                Some(json(TABLE, &user.session_marks)?)
            }),
            sso_issuer: Set(sso_issuer),
            sso_subject: Set(sso_subject),
        })
    }
}
