//! What decisions do not rest on: it goes past the ledger, takes no revision and blocks nobody.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::rows::{api_token, idempotency};
use super::{Engine, Error, Store};
use crate::model::TokenId;

/// So many tokens are touched in one statement.
const BATCH: usize = 200;

impl Store {
    /// Notes when tokens were last used. An older time than the one noted changes nothing.
    pub async fn touch_tokens(&self, uses: &[(TokenId, DateTime<Utc>)]) -> Result<(), Error> {
        // In order of id, so that two processes do not wait for each other.
        let mut uses = uses.to_vec();
        uses.sort_unstable();
        for uses in uses.chunks(BATCH) {
            let newest = || {
                let last = Expr::col(api_token::Column::LastUsedTime);
                // Later uses first: the first case that fits is taken.
                uses.iter()
                    .rev()
                    .fold(CaseStatement::new(), |case, (id, at)| {
                        case.case(api_token::Column::Id.eq(id.0), Expr::val(*at))
                    })
                    .finally(last)
            };
            let last = Expr::col(api_token::Column::LastUsedTime);
            api_token::Entity::update_many()
                .col_expr(api_token::Column::LastUsedTime, newest().into())
                .filter(api_token::Column::Id.is_in(uses.iter().map(|(id, _)| id.0)))
                .filter(last.clone().is_null().or(last.lt(newest())))
                .exec(self.traces())
                .await?;
        }
        Ok(())
    }

    /// Forgets remembered requests older than `before`; returns how many. Kept ≥ 24 h (`edges.md` §4).
    pub async fn forget_requests(&self, before: DateTime<Utc>) -> Result<u64, Error> {
        let old = idempotency::Column::At.lt(before);
        let done = idempotency::Entity::delete_many().filter(old).exec(self.traces()).await?;
        Ok(done.rows_affected)
    }

    /// The pool for writes that are no acts: SQLite has but one connection that can write.
    pub(super) fn traces(&self) -> &sea_orm::DatabaseConnection {
        match self.engine() {
            Engine::Sqlite => self.writes(),
            Engine::Postgres => self.credentials(),
        }
    }
}
