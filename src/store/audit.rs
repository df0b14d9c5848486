//! The ledger as people search it: by time, by who acted, by what was done and to what (`model.md` §8).
//!
//! A search walks along the revisions of one tenant, window by window, and looks into so many of them and no more, whatever is
//! asked: what is rare does not make one statement read a whole ledger.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, Func, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Select,
};
use uuid::Uuid;

use super::entries::{Entry, checked};
use super::rows::ledger::{Column, Entity, Model};
use super::rows::{number, revision};
use super::{Error, Store};
use crate::model::{AccountId, ChangeKind, EntityKind, Revision, UserId};

/// How many revisions the first statement looks into; each one after it looks into as many again, and so on.
const FIRST: u64 = 10_000;
/// How many times as many.
const GROWTH: u64 = 4;
/// How many revisions one search looks into.
const MOST: u64 = 250_000;
/// So many accounts are named in one statement. Of more, the rows are looked through here.
const ACCOUNTS: usize = 10_000;

/// The place of an entry in its ledger, or one between entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its revision.
    pub revision: Revision,
    /// Its number in that revision.
    pub ordinal: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.revision, self.ordinal)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (revision, ordinal) = text.split_once('.').ok_or(())?;
        let revision = Revision(revision.parse().map_err(drop)?);
        Ok(Self { revision, ordinal: ordinal.parse().map_err(drop)? })
    }
}

/// Which accounts' entries are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accounts {
    /// Those of all accounts of the tenant.
    All,
    /// Those of these.
    These(BTreeSet<AccountId>),
}

impl Accounts {
    fn has(&self, account: Uuid) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.contains(&AccountId(account)),
        }
    }
}

/// What of a ledger is wanted: all of these must hold of an entry.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Whose ledger.
    pub tenant: AccountId,
    /// Of which accounts.
    pub accounts: Accounts,
    /// Made then or later.
    pub start: Option<DateTime<Utc>>,
    /// Made before then.
    pub end: Option<DateTime<Utc>>,
    /// One of these kinds; empty = any.
    pub kinds: Vec<ChangeKind>,
    /// About one of these kinds of objects; empty = any.
    pub entities: Vec<EntityKind>,
    /// Made by this user.
    pub actor: Option<UserId>,
    /// About the object with this id, or what hangs on it.
    pub id: Option<String>,
    /// The newest first.
    pub backwards: bool,
    /// Only those behind this place, in the direction that is gone.
    pub after: Option<Place>,
    /// No newer revision than this.
    pub newest: Revision,
    /// How many at most.
    pub limit: usize,
}

/// One entry as it was found.
#[derive(Debug)]
pub struct Event {
    /// Its place.
    pub place: Place,
    /// The account that its column names.
    pub account: AccountId,
    /// When, as its column says.
    pub at: DateTime<Utc>,
    /// What was done, as its column says.
    pub kind: String,
    /// To what, as its column says.
    pub entity: String,
    /// The entry; or what is wrong with it.
    pub entry: Result<Box<Entry>, String>,
}

/// What a search found.
#[derive(Debug)]
pub struct Events {
    /// The entries, in the order that was wanted.
    pub found: Vec<Event>,
    /// Where to go on; `None` = there are no more.
    pub next: Option<Place>,
    /// The last revision that was pruned; 0 = none was.
    pub pruned: Revision,
}

/// The revisions that are left to look into, both ends included.
#[derive(Debug, Clone, Copy)]
struct Range {
    low: u64,
    high: u64,
}

impl Range {
    const fn is_empty(self) -> bool {
        self.low > self.high
    }

    /// Takes the next `width` revisions off, from the end where the search is.
    fn take(&mut self, width: u64, backwards: bool) -> Self {
        let Self { low, high } = *self;
        if backwards {
            let bottom = high.saturating_sub(width - 1).max(low);
            // Below the first revision there is none, so that the range is empty where it should end at zero.
            (self.low, self.high) = if bottom == 0 { (1, 0) } else { (low, bottom - 1) };
            Self { low: bottom, high }
        } else {
            let top = low.saturating_add(width - 1).min(high);
            self.low = top.saturating_add(1);
            Self { low, high: top }
        }
    }
}

impl Store {
    /// Searches a tenant's ledger.
    ///
    /// What is found may be less than the limit though there is more: then `next` says where to go on. One that is not what was
    /// written is found as well, and says so.
    pub async fn audit(&self, wanted: &Wanted) -> Result<Events, Error> {
        let mut found = Vec::new();
        let pruned = self.pruned_to(wanted.tenant).await?;
        let mut left = self.range(wanted, pruned).await?;
        let (mut width, mut looked) = (FIRST, 0);
        let mut after = wanted.after;
        while !left.is_empty() && looked < MOST {
            let window = left.take(width, wanted.backwards);
            loop {
                // One more than is wanted tells that there are more.
                let limit = wanted.limit.saturating_sub(found.len()).saturating_add(1);
                let rows = self.window(wanted, window, after, limit).await?;
                let whole = rows.len() < limit;
                after = rows.last().map(place_of).transpose()?.or(after);
                for row in rows.into_iter().filter(|row| wanted.accounts.has(row.account_id)) {
                    found.push(Event::of(row)?);
                }
                if found.len() > wanted.limit {
                    found.truncate(wanted.limit);
                    let next = found.last().map(|event: &Event| event.place);
                    return Ok(Events { found, next, pruned });
                }
                if whole {
                    break;
                }
            }
            looked += width;
            width = (width * GROWTH).min(MOST.saturating_sub(looked).max(1));
            after = Some(wanted.border(window));
        }
        Ok(Events { found, next: after.filter(|_| !left.is_empty()), pruned })
    }

    /// Finds the revisions that a search has to do with.
    async fn range(&self, wanted: &Wanted, pruned: Revision) -> Result<Range, Error> {
        let mut range = Range { low: pruned.next().0, high: wanted.newest.0 };
        if let Some(start) = wanted.start {
            let first = self.first_since(wanted.tenant, start).await?;
            range.low = first.map_or(u64::MAX, |first| first.0.max(range.low));
        }
        if let Some(end) = wanted.end
            && let Some(first) = self.first_since(wanted.tenant, end).await?
        {
            range.high = range.high.min(first.0.saturating_sub(1));
        }
        match wanted.after {
            Some(after) if wanted.backwards => range.high = range.high.min(after.revision.0),
            Some(after) => range.low = range.low.max(after.revision.0),
            None => {}
        }
        Ok(range)
    }

    /// Finds the first revision that was made at a time or later. All entries of one are of one time.
    async fn first_since(
        &self,
        tenant: AccountId,
        at: DateTime<Utc>,
    ) -> Result<Option<Revision>, Error> {
        let found: Option<i64> = Entity::find()
            .select_only()
            .column(Column::Revision)
            .filter(Column::TenantId.eq(tenant.0))
            .filter(Column::At.gte(at))
            .order_by_asc(Column::At)
            .order_by_asc(Column::Revision)
            .limit(1)
            .into_tuple()
            .one(self.loads())
            .await?;
        found.map(|number| revision("ledger", &tenant, number)).transpose()
    }

    /// Looks into some revisions.
    async fn window(
        &self,
        wanted: &Wanted,
        window: Range,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Model>, Error> {
        let (low, high) = (number(Revision(window.low))?, number(Revision(window.high))?);
        let direction = if wanted.backwards { Order::Desc } else { Order::Asc };
        let query = Entity::find()
            .filter(Column::TenantId.eq(wanted.tenant.0))
            .filter(Column::Revision.between(low, high));
        let query = match after {
            None => query,
            Some(after) => query.filter(behind(after, wanted.backwards)?),
        };
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let query = wanted
            .restrict(query)
            .order_by(Column::Revision, direction.clone())
            .order_by(Column::Ordinal, direction)
            .limit(limit);
        Ok(query.all(self.loads()).await?)
    }
}

impl Wanted {
    fn restrict(&self, mut query: Select<Entity>) -> Select<Entity> {
        if let Accounts::These(these) = &self.accounts {
            let ids = these.iter().map(|id| id.0);
            query = match these.len() {
                1 => query.filter(Column::AccountId.is_in(ids)),
                2..=ACCOUNTS => {
                    query.filter(is_in(Column::AccountId, Expr::col(Column::TenantId), ids))
                }
                _ => query,
            };
        }
        if let Some(actor) = self.actor {
            query = query.filter(Column::Actor.eq(actor.0));
        }
        query = match self.kinds.as_slice() {
            [] => query,
            [kind] => query.filter(Column::Kind.eq(kind.name())),
            kinds => {
                let names = kinds.iter().map(|kind| kind.name());
                query.filter(is_in(Column::Kind, Expr::val(""), names))
            }
        };
        if !self.entities.is_empty() {
            let any =
                self.entities.iter().fold(Condition::any(), |any, kind| any.add(is_of(*kind)));
            query = query.filter(any);
        }
        match &self.id {
            // No id has in it what has a meaning in a pattern, but for the underscore behind its kind.
            Some(id) => query.filter(Column::Entity.like(format!("%{id}%"))),
            None => query,
        }
    }

    /// Returns the place behind all of a window, in the direction that is gone.
    fn border(&self, window: Range) -> Place {
        if self.backwards {
            Place { revision: Revision(window.low), ordinal: 0 }
        } else {
            Place {
                revision: Revision(window.high),
                ordinal: u32::try_from(i32::MAX).unwrap_or_default(),
            }
        }
    }
}

/// Tells that a column, which is never null, has one of some values: so written that no index is gone by but one that has the
/// entries in their order.
fn is_in<V: Into<sea_orm::Value>>(
    column: Column,
    other: SimpleExpr,
    values: impl Iterator<Item = V>,
) -> SimpleExpr {
    use sea_orm::sea_query::ExprTrait as _;
    let column = Func::coalesce([Expr::col(column), other]);
    Expr::expr(column).is_in(values.map(|value| Expr::val(value)))
}

/// Tells by the name of an object what it is. A role's scope may hold any path, so the user's id before it is of its length.
fn is_of(kind: EntityKind) -> Condition {
    let like = |pattern: String| Column::Entity.like(pattern);
    let of_user = |part: &str| like(format!("user/{}/{part}/%", "_".repeat(USER_ID)));
    let all = Condition::all();
    match kind {
        EntityKind::User => {
            all.add(like("user/%".to_owned())).add(Column::Entity.not_like("user/%/%"))
        }
        EntityKind::RoleGrant => all.add(of_user("role")),
        EntityKind::Assignment => all.add(of_user("rights_document")),
        EntityKind::Message => all.add(of_user("message")),
        EntityKind::Account
        | EntityKind::Role
        | EntityKind::ApiToken
        | EntityKind::ServiceKey
        | EntityKind::Document
        | EntityKind::Catalogue
        | EntityKind::SigningKey => all.add(like(format!("{}/%", kind.name()))),
    }
}

/// The length of a user's id, as text.
const USER_ID: usize = UserId::PREFIX.len() + 1 + 26;

fn behind(place: Place, backwards: bool) -> Result<Condition, Error> {
    let (revision, ordinal) = (number(place.revision)?, i64::from(place.ordinal));
    let (further, next) = if backwards {
        (Column::Revision.lt(revision), Column::Ordinal.lt(ordinal))
    } else {
        (Column::Revision.gt(revision), Column::Ordinal.gt(ordinal))
    };
    let same = Condition::all().add(Column::Revision.eq(revision)).add(next);
    Ok(Condition::any().add(further).add(same))
}

fn place_of(row: &Model) -> Result<Place, Error> {
    let name = format!("{}.{}", row.revision, row.ordinal);
    let ordinal =
        u32::try_from(row.ordinal).map_err(|why| super::corrupt("ledger", &name, &why))?;
    Ok(Place { revision: revision("ledger", &name, row.revision)?, ordinal })
}

impl Event {
    fn of(row: Model) -> Result<Self, Error> {
        let place = place_of(&row)?;
        let (account, at) = (AccountId(row.account_id), row.at);
        let (kind, entity) = (row.kind.clone(), row.entity.clone());
        let entry = match checked(row) {
            Ok(entry) => Ok(Box::new(entry)),
            Err(Error::Corrupt { why, .. } | Error::Newer(why)) => Err(why),
            Err(other) => return Err(other),
        };
        Ok(Self { place, account, at, kind, entity, entry })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widths(mut left: Range, backwards: bool) -> Vec<(u64, u64)> {
        let mut taken = Vec::new();
        while !left.is_empty() {
            let window = left.take(4, backwards);
            taken.push((window.low, window.high));
        }
        taken
    }

    #[test]
    fn windows_cover_every_revision_once_in_either_direction() {
        assert_eq!(widths(Range { low: 1, high: 10 }, false), [(1, 4), (5, 8), (9, 10)]);
        assert_eq!(widths(Range { low: 1, high: 10 }, true), [(7, 10), (3, 6), (1, 2)]);
        assert_eq!(widths(Range { low: 0, high: 3 }, true), [(0, 3)]);
        assert_eq!(widths(Range { low: 5, high: 4 }, false), []);
        let end = Range { low: u64::MAX - 1, high: u64::MAX };
        assert_eq!(widths(end, true), [(u64::MAX - 1, u64::MAX)]);
    }

    #[test]
    fn a_place_reads_back_and_nothing_else_is_one() {
        let place = Place { revision: Revision(12), ordinal: 3 };
        assert_eq!(place.to_string().parse(), Ok(place));
        for bad in ["", "1", "1.", ".1", "1.2.3", "-1.0", "1.-1", "x.y"] {
            assert_eq!(bad.parse::<Place>(), Err(()), "{bad}");
        }
    }
}
