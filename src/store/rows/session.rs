use sea_orm::entity::prelude::*;
use sea_orm::{NotSet, Set};

use super::{read, word};
use crate::model::{AccountId, Session, SessionId, UserId};
use crate::store::Error;

const TABLE: &str = "sessions";

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub account_id: Uuid,
    pub tenant_id: Uuid,
    pub kind: String,
    pub actor_id: Option<Uuid>,
    pub auth_time: DateTimeUtc,
    pub create_time: DateTimeUtc,
    pub last_used_time: DateTimeUtc,
    pub expire_time: DateTimeUtc,
    pub sliding: bool,
    pub source: String,
    pub user_agent: String,
    pub used: Option<Vec<u8>>,
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

impl TryFrom<Model> for Session {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let id = SessionId(row.id);
        Ok(Self {
            id,
            user: UserId(row.user_id),
            account: AccountId(row.account_id),
            tenant: AccountId(row.tenant_id),
            kind: read(TABLE, &id, row.kind.into())?,
            actor: row.actor_id.map(UserId),
            auth_time: row.auth_time,
            create_time: row.create_time,
            last_used_time: row.last_used_time,
            expire_time: row.expire_time,
            sliding: row.sliding,
            source: row.source,
            user_agent: row.user_agent,
        })
    }
}

impl TryFrom<Session> for ActiveModel {
    type Error = Error;

    fn try_from(session: Session) -> Result<Self, Error> {
        Ok(Self {
            id: Set(session.id.0),
            user_id: Set(session.user.0),
            account_id: Set(session.account.0),
            tenant_id: Set(session.tenant.0),
            kind: Set(word(TABLE, &session.kind)?),
            actor_id: Set(session.actor.map(|id| id.0)),
            auth_time: Set(session.auth_time),
            create_time: Set(session.create_time),
            last_used_time: Set(session.last_used_time),
            expire_time: Set(session.expire_time),
            sliding: Set(session.sliding),
            source: Set(session.source),
            user_agent: Set(session.user_agent),
            used: NotSet,
        })
    }
}
