//! Keys of service users: registered, listed, ended; and assertions, each of which counts once (`model.md` §9).

use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use uuid::Uuid;

use super::etags::{token_etag, unchanged};
use super::rows::{api_token, assertion};
use super::{Error, KeptToken, Refusal, Store, Tx};
use crate::model::{ApiToken, Change, ChangeKind, Image, KeyId, TokenId, UserId};

impl Tx {
    /// Ends a key; returns it as it was.
    pub fn end_key(&mut self, id: KeyId, etag: &str) -> Result<ApiToken, Refusal> {
        let facts = self.world().token(TokenId(id.0)).filter(|facts| facts.token.key.is_some());
        let key = facts.map(|facts| facts.token.clone());
        let key = key.ok_or_else(|| Refusal::unseen("service_key", id))?;
        unchanged(etag, &token_etag(&key))?;
        self.put(Change {
            account: key.account,
            kind: ChangeKind::KeyDelete,
            before: Some(Image::ApiToken(key.clone())),
            after: None,
        })?;
        Ok(key)
    }
}

impl Store {
    /// Lists a user's keys, in order of id, from behind `after` on.
    pub async fn keys_of(
        &self,
        user: UserId,
        after: Option<KeyId>,
        limit: u64,
    ) -> Result<Vec<KeptToken>, Error> {
        let mut keys = api_token::Entity::find()
            .filter(api_token::Column::UserId.eq(user.0))
            .filter(api_token::Column::EndTime.is_null())
            .filter(api_token::Column::Key.is_not_null());
        if let Some(after) = after {
            keys = keys.filter(api_token::Column::Id.gt(after.0));
        }
        let keys = keys.order_by_asc(api_token::Column::Id).limit(limit);
        let rows = keys.all(self.credentials()).await?;
        rows.into_iter().map(KeptToken::try_from).collect()
    }

    /// Notes that an ID token was used, as [`Store::use_assertion`] does; it is of no key of ours.
    pub async fn use_id_token(&self, name: [u8; 32], end: DateTime<Utc>) -> Result<bool, Error> {
        self.use_assertion(KeyId(Uuid::nil()), name, end).await
    }

    /// Notes that an assertion was used, whose name hashes to `jti` and which is worth nothing from `end` on; `false` if it
    /// had been used before.
    pub async fn use_assertion(
        &self,
        key: KeyId,
        jti: [u8; 32],
        end: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let row = assertion::ActiveModel {
            key_id: Set(key.0),
            jti: Set(jti.to_vec()),
            expire_time: Set(end),
        };
        let conflict = OnConflict::columns([assertion::Column::KeyId, assertion::Column::Jti])
            .do_nothing()
            .to_owned();
        let insert = assertion::Entity::insert(row).on_conflict(conflict);
        Ok(insert.exec_without_returning(self.traces()).await? == 1)
    }

    /// Forgets assertions that are worth nothing in any case; returns how many.
    pub async fn forget_assertions(&self) -> Result<u64, Error> {
        let old = assertion::Column::ExpireTime.lt(self.clock().now());
        let gone = assertion::Entity::delete_many().filter(old).exec(self.traces()).await?;
        Ok(gone.rows_affected)
    }
}
