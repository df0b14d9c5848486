//! What ends by its time, whosesoever it is: for the figures, which name nobody.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::rows::{api_token, role_grant};
use super::{Error, Store};

/// When something ends, of each kind in the order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ends {
    /// API tokens, without those that were ended before their time.
    pub api_tokens: Vec<DateTime<Utc>>,
    /// Service keys, likewise.
    pub service_keys: Vec<DateTime<Utc>>,
    /// Roles on users.
    pub grants: Vec<DateTime<Utc>>,
}

impl Store {
    /// Finds what ends behind one time, and no later than another: the first `most` credentials and the first `most` grants.
    pub async fn ends(
        &self,
        behind: DateTime<Utc>,
        until: DateTime<Utc>,
        most: u64,
    ) -> Result<Ends, Error> {
        use {api_token::Column as Token, role_grant::Column as Grant};
        let credentials: Vec<(DateTime<Utc>, bool)> = api_token::Entity::find()
            .select_only()
            .column(Token::ExpireTime)
            .expr_as(Token::Key.is_not_null(), "is_key")
            .filter(Token::ExpireTime.gt(behind))
            .filter(Token::ExpireTime.lte(until))
            .filter(Token::EndTime.is_null())
            .order_by_asc(Token::ExpireTime)
            .limit(most)
            .into_tuple()
            .all(self.loads())
            .await?;
        let grants = role_grant::Entity::find()
            .select_only()
            .column(Grant::ExpireTime)
            .filter(Grant::ExpireTime.gt(behind))
            .filter(Grant::ExpireTime.lte(until))
            .order_by_asc(Grant::ExpireTime)
            .limit(most)
            .into_tuple()
            .all(self.loads())
            .await?;
        let of = |key: bool| {
            let these = credentials.iter().filter(|(_, is_key)| *is_key == key);
            these.map(|(end, _)| *end).collect()
        };
        Ok(Ends { api_tokens: of(false), service_keys: of(true), grants })
    }
}
