//! What a sign-in is held against, and what is noted of it: traces, past the ledger (`edges.md` §5).

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _, OnConflict, Query, SimpleExpr};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, QueryFilter as _,
};

use super::rows::{password, sign_in_failure, sign_in_source};
use super::{Error, Store};
use crate::model::UserId;

/// The longest that a name or a source has to wait: so long can somebody else keep its owner out.
const LONGEST: TimeDelta = TimeDelta::minutes(15);
/// So many failures are not forgotten by themselves (`model.md` §9).
const MANY: i32 = 100;
/// How often the wait doubles, from one second on, before it is the longest.
const DOUBLINGS: u32 = 10;

/// How failures hold up the next try.
#[derive(Debug, Clone, Copy)]
pub struct BackOff {
    /// So many cost no wait; each one more doubles it, from a second to fifteen minutes.
    pub free: i32,
    /// After so many there are no more tries; `None` = there always are.
    pub most: Option<i32>,
    /// After so long without one they are forgotten; `None` = never.
    pub memory: Option<TimeDelta>,
}

impl BackOff {
    /// Returns until when the next try has to wait, after the try that makes it `count` of them.
    fn until(self, count: &SimpleExpr, now: DateTime<Utc>) -> SimpleExpr {
        let mut case = CaseStatement::new().case(count.clone().lte(self.free), Expr::val(now));
        for doubled in 0..DOUBLINGS {
            let wait = TimeDelta::seconds(1_i64 << doubled);
            let step = i32::try_from(doubled).unwrap_or(i32::MAX);
            let at = self.free.saturating_add(step).saturating_add(1);
            case = case.case(count.clone().eq(at), Expr::val(now + wait));
        }
        case.finally(Expr::val(now + LONGEST)).into()
    }
}

impl Store {
    /// Counts a try, unless it comes too early or there are no more: then `false`, and only that it was refused is counted.
    ///
    /// One statement on one row, so that of tries at the same time, here and in other processes, each is counted, and
    /// each waits for those before it. It writes in any case: else its time would tell whether a name is locked.
    pub async fn count_try(&self, key: &[u8; 32], back_off: BackOff) -> Result<bool, Error> {
        use sign_in_failure::{Column, Entity};
        let now = self.clock().now();
        let column = |column: Column| Expr::col((Entity, column));
        let mut counts: SimpleExpr = column(Column::Until).lte(now);
        if let Some(most) = back_off.most {
            counts = counts.and(column(Column::Count).lt(most));
        }
        let either = |then: SimpleExpr, other: SimpleExpr| -> SimpleExpr {
            CaseStatement::new().case(counts.clone(), then).finally(other).into()
        };
        let counted = column(Column::Count).add(1);
        let next: SimpleExpr = match back_off.memory {
            None => counted,
            Some(memory) => CaseStatement::new()
                .case(column(Column::LastTime).lt(now - memory), 1)
                .finally(counted)
                .into(),
        };
        let until = back_off.until(&next, now);
        let refused = column(Column::Refused).add(1);
        let conflict = OnConflict::column(Column::Key)
            .value(Column::Count, either(next, column(Column::Count)))
            .value(Column::LastTime, either(Expr::val(now), column(Column::LastTime)))
            .value(Column::Until, either(until, column(Column::Until)))
            .value(Column::Refused, either(Expr::val(0), refused))
            .to_owned();
        let first = if back_off.free > 0 { now } else { now + TimeDelta::seconds(1) };
        let columns =
            [Column::Key, Column::Count, Column::LastTime, Column::Until, Column::Refused];
        let statement = Query::insert()
            .into_table(Entity)
            .columns(columns)
            .values_panic([key.to_vec().into(), 1.into(), now.into(), first.into(), 0.into()])
            .on_conflict(conflict)
            .returning_col(Column::Refused)
            .to_owned();
        let row = self.traces().query_one(&statement).await?;
        let refused = row.map(|row| row.try_get_by_index::<i64>(0)).transpose()?;
        Ok(refused == Some(0))
    }

    /// Takes back one that was counted and then not made.
    pub async fn uncount_try(&self, key: &[u8; 32]) -> Result<(), Error> {
        use sign_in_failure::{Column, Entity};
        Entity::update_many()
            .col_expr(Column::Count, Expr::col(Column::Count).sub(1))
            .col_expr(Column::Until, Expr::val(self.clock().now()))
            .filter(Column::Key.eq(key.to_vec()))
            .filter(Column::Count.gt(0))
            .exec(self.traces())
            .await?;
        Ok(())
    }

    /// Returns until when a source, or whatever else is counted, has to wait; `None` = it has not failed.
    pub async fn waits_until(&self, key: &[u8; 32]) -> Result<Option<DateTime<Utc>>, Error> {
        let row = sign_in_failure::Entity::find_by_id(key.to_vec()).one(self.credentials()).await?;
        Ok(row.map(|row| row.until))
    }

    /// Returns the hash of a user's password; `None` where there is none, or no such user.
    pub async fn password_hash(&self, user: UserId) -> Result<Option<String>, Error> {
        let row = password::Entity::find_by_id(user.0).one(self.credentials()).await?;
        Ok(row.map(|row| row.hash))
    }

    /// Tells whether a user has signed in from a source since a time.
    pub async fn has_signed_in_from(
        &self,
        user: UserId,
        source: &str,
        since: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let key = (user.0, source.to_owned());
        let row = sign_in_source::Entity::find_by_id(key).one(self.credentials()).await?;
        Ok(row.is_some_and(|row| row.last_time >= since))
    }

    /// Notes that a user signed in from a source, and forgets the failures counted under `keys`.
    pub async fn note_sign_in(
        &self,
        user: UserId,
        source: &str,
        keys: &[[u8; 32]],
    ) -> Result<(), Error> {
        use sign_in_source::{ActiveModel, Column, Entity};
        let row = ActiveModel {
            user_id: Set(user.0),
            source: Set(source.to_owned()),
            last_time: Set(self.clock().now()),
        };
        let again = OnConflict::columns([Column::UserId, Column::Source])
            .update_column(Column::LastTime)
            .to_owned();
        Entity::insert(row).on_conflict(again).exec_without_returning(self.traces()).await?;
        self.forget_tries(keys).await
    }

    /// Forgets what was counted under `keys`.
    pub async fn forget_tries(&self, keys: &[[u8; 32]]) -> Result<(), Error> {
        use sign_in_failure::{Column, Entity};
        let these = Column::Key.is_in(keys.iter().map(|key| key.to_vec()));
        Entity::delete_many().filter(these).exec(self.traces()).await?;
        Ok(())
    }

    /// Puts a hash of another cost in the place of one; of a password that has changed since, nothing.
    pub async fn rehash(&self, user: UserId, old: &str, new: String) -> Result<(), Error> {
        use password::{Column, Entity};
        Entity::update_many()
            .col_expr(Column::Hash, Expr::val(new))
            .filter(Column::UserId.eq(user.0))
            .filter(Column::Hash.eq(old))
            .exec(self.traces())
            .await?;
        Ok(())
    }

    /// Forgets sources that nobody has signed in from since `before`, and failures that have not become too many since then.
    pub async fn forget_sign_ins(&self, before: DateTime<Utc>) -> Result<(), Error> {
        use sign_in_failure::Column;
        let few = Column::Count.lt(MANY);
        let old = Column::LastTime.lt(before).and(few);
        sign_in_failure::Entity::delete_many().filter(old).exec(self.traces()).await?;
        let old = sign_in_source::Column::LastTime.lt(before);
        sign_in_source::Entity::delete_many().filter(old).exec(self.traces()).await?;
        Ok(())
    }
}
