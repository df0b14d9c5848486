//! Sign-ins, failures, denials and uses of tokens, as they are looked up later: traces, past the ledger.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use uuid::Uuid;

use super::rows::activity::{ActiveModel, Column, Entity};
use super::{Error, Store};
use crate::model::{AccountId, Activity, ActivityId, ActivityKind, UserId};

/// So many are written by one statement.
const BATCH: usize = 200;

/// The place of an activity among those of its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub DateTime<Utc>, pub ActivityId);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.timestamp_micros(), self.1)
    }
}

impl FromStr for Moment {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (micros, id) = text.split_once(' ').ok_or(())?;
        let time = DateTime::from_timestamp_micros(micros.parse().map_err(drop)?).ok_or(())?;
        Ok(Self(time, id.parse().map_err(drop)?))
    }
}

/// Which activity of an account is wanted: all of these must hold.
#[derive(Debug, Clone)]
pub struct Sought {
    /// The account.
    pub account: AccountId,
    /// Begun then or later.
    pub start: Option<DateTime<Utc>>,
    /// Begun before then.
    pub end: Option<DateTime<Utc>>,
    /// One of these kinds; empty = any.
    pub kinds: Vec<ActivityKind>,
    /// Of this user.
    pub user: Option<UserId>,
    /// The newest first.
    pub backwards: bool,
    /// Only what lies behind this, in the direction that is gone.
    pub after: Option<Moment>,
    /// How many at most.
    pub limit: u64,
}

impl Store {
    /// Writes down what was done.
    pub async fn note_activity(&self, done: Vec<Activity>) -> Result<(), Error> {
        let mut rows = done.into_iter().map(ActiveModel::from).peekable();
        while rows.peek().is_some() {
            let batch: Vec<ActiveModel> = rows.by_ref().take(BATCH).collect();
            Entity::insert_many(batch).exec_without_returning(self.traces()).await?;
        }
        Ok(())
    }

    /// Looks up what was done.
    pub async fn activity(&self, sought: &Sought) -> Result<Vec<Activity>, Error> {
        let direction = if sought.backwards { Order::Desc } else { Order::Asc };
        let mut query = Entity::find().filter(Column::AccountId.eq(sought.account.0));
        if let Some(start) = sought.start {
            query = query.filter(Column::At.gte(start));
        }
        if let Some(end) = sought.end {
            query = query.filter(Column::At.lt(end));
        }
        if let Some(user) = sought.user {
            query = query.filter(Column::UserId.eq(user.0));
        }
        if !sought.kinds.is_empty() {
            query = query.filter(Column::Kind.is_in(sought.kinds.iter().map(|kind| kind.name())));
        }
        if let Some(Moment(at, id)) = sought.after {
            query = query.filter(behind(at, id.0, sought.backwards));
        }
        let rows = query
            .order_by(Column::At, direction.clone())
            .order_by(Column::Id, direction)
            .limit(sought.limit)
            .all(self.credentials())
            .await?;
        rows.into_iter().map(Activity::try_from).collect()
    }

    /// Forgets what was done before a time; returns how much.
    pub async fn forget_activity(&self, before: DateTime<Utc>) -> Result<u64, Error> {
        let old = Entity::delete_many().filter(Column::At.lt(before));
        Ok(old.exec(self.traces()).await?.rows_affected)
    }
}

fn behind(at: DateTime<Utc>, id: Uuid, backwards: bool) -> Condition {
    let (border, further, next) = if backwards {
        (Column::At.lte(at), Column::At.lt(at), Column::Id.lt(id))
    } else {
        (Column::At.gte(at), Column::At.gt(at), Column::Id.gt(id))
    };
    // The first says no more than the others: it is what an index is entered by.
    Condition::all().add(border).add(Condition::any().add(further).add(next))
}
