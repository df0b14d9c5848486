//! A tenant as it was: what its ledger says of any time (`model.md` §8).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::entries::{Entry, read};
use super::rows::{ledger, number, revision, tenant};
use super::verify::images;
use super::{Error, Head, Progress, Store, world};
use crate::decision::Facts;
use crate::model::catalogue::CatalogueFile;
use crate::model::{AccountId, ChangeKind, Image, Revision};

/// Entries a page.
const PAGE: u64 = 1_000;

/// What a ledger says of a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// The tenant stood at this head, made when the platform was so far.
    At(Head, Revision),
    /// The tenant had not begun.
    NotBegun,
    /// The ledger does not reach back so far any more.
    Pruned,
}

/// A tenant as it was.
#[derive(Debug, Clone)]
pub struct Past {
    /// What its snapshot is built from.
    pub facts: Facts,
    /// The catalogue files that were in force; of the platform's tenant only.
    pub catalogues: Vec<CatalogueFile>,
}

/// Which way is gone to a time: whichever is shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From nothing, by what the entries up to then made.
    Forwards,
    /// From what is there now, by what the entries since then found.
    Backwards,
}

/// The state as images, by the names of their objects.
type State = BTreeMap<String, Image>;

impl Store {
    /// Finds the state that a tenant was in at a time.
    ///
    /// Times in a ledger do not go back, so this takes few reads however long it is.
    pub async fn head_at(&self, tenant: AccountId, at: DateTime<Utc>) -> Result<Then, Error> {
        let db = self.reading(self.loads()).await?;
        let then = head_at(&db, tenant, at).await?;
        db.commit().await?;
        Ok(then)
    }

    /// Reads a tenant as it was at a head of its history; `None` where that takes more than `most` entries either way.
    pub async fn past(&self, head: Head, most: u64) -> Result<Option<Past>, Error> {
        let platform = self.root().await? == Some(head.tenant);
        let db = self.reading(self.loads()).await?;
        let state = match way(&db, &head, most).await? {
            None => None,
            Some(Way::Forwards) => Some(forwards(&db, &head).await?),
            Some(Way::Backwards) => {
                let progress = Progress::default();
                let world = world::read(&db, head.tenant, platform, &progress).await?;
                let mut state: State = images(world).map(|one| (one.entity(), one)).collect();
                backwards(&db, &head, &mut state).await?;
                Some(state)
            }
        };
        db.commit().await?;
        Ok(state.map(|state| past(&head, state)))
    }
}

async fn head_at(
    db: &DatabaseTransaction,
    tenant: AccountId,
    at: DateTime<Utc>,
) -> Result<Then, Error> {
    let row = tenant::Entity::find_by_id(tenant.0).one(db).await?;
    let row = row.ok_or(Error::NoTenant(tenant))?;
    let (last_at, newest) = (row.last_at, Head::try_from(row)?);
    let first = made_from(db, tenant, Revision(0)).await?;
    let Some((first, first_at)) = first else { return Ok(Then::NotBegun) };
    if first_at > at {
        let whole = first == Revision(0).next();
        return Ok(if whole { Then::NotBegun } else { Then::Pruned });
    }
    // What is known of the two ends: the one was made by then, the other was not.
    let (mut by_then, mut not_yet) = (first, newest.revision.next());
    if last_at <= at {
        by_then = newest.revision;
    }
    while by_then.next() < not_yet {
        let middle = Revision(u64::midpoint(by_then.0, not_yet.0));
        match made_from(db, tenant, middle).await? {
            Some((found, made)) if made <= at && found < not_yet => by_then = found,
            _ => not_yet = middle,
        }
    }
    // Its last alone: one write may have made very many.
    let last = ledger::Entity::find()
        .filter(ledger::Column::TenantId.eq(tenant.0))
        .filter(ledger::Column::Revision.eq(number(by_then)?))
        .order_by_desc(ledger::Column::Ordinal)
        .limit(1)
        .one(db)
        .await?;
    let Some(entry) = last.map(Entry::try_from).transpose()? else { return Ok(Then::Pruned) };
    let head = Head { tenant, revision: by_then, hash: entry.hash };
    Ok(Then::At(head, entry.platform_revision))
}

/// Finds the first revision from one on that the ledger holds, and when it was made.
async fn made_from(
    db: &DatabaseTransaction,
    tenant: AccountId,
    from: Revision,
) -> Result<Option<(Revision, DateTime<Utc>)>, Error> {
    let row: Option<(i64, DateTime<Utc>)> = ledger::Entity::find()
        .select_only()
        .columns([ledger::Column::Revision, ledger::Column::At])
        .filter(ledger::Column::TenantId.eq(tenant.0))
        .filter(ledger::Column::Revision.gte(number(from)?))
        .order_by_asc(ledger::Column::Revision)
        .order_by_asc(ledger::Column::Ordinal)
        .limit(1)
        .into_tuple()
        .one(db)
        .await?;
    row.map(|(found, at)| Ok((revision("ledger", &tenant, found)?, at))).transpose()
}

/// Finds the shorter way to a head; `None` where both are too long. The way from nothing is there as long as the ledger is.
async fn way(db: &DatabaseTransaction, head: &Head, most: u64) -> Result<Option<Way>, Error> {
    let at = number(head.revision)?;
    let is_short = async |which: Expr| {
        let beyond: Option<i64> = ledger::Entity::find()
            .select_only()
            .column(ledger::Column::Revision)
            .filter(ledger::Column::TenantId.eq(head.tenant.0))
            .filter(which)
            .order_by_asc(ledger::Column::Revision)
            .order_by_asc(ledger::Column::Ordinal)
            .offset(most)
            .limit(1)
            .into_tuple()
            .one(db)
            .await?;
        Ok::<_, Error>(beyond.is_none())
    };
    let first = made_from(db, head.tenant, Revision(0)).await?;
    let whole = first.is_some_and(|(first, _)| first == Revision(0).next());
    let on = whole && is_short(ledger::Column::Revision.lte(at)).await?;
    let back = is_short(ledger::Column::Revision.gt(at)).await?;
    let newest = tenant::Entity::find_by_id(head.tenant.0).one(db).await?;
    let newest = Head::try_from(newest.ok_or(Error::NoTenant(head.tenant))?)?.revision;
    // About, by revisions: which of two short ways is the shorter, need not be known better.
    let nearer = head.revision.0 < newest.0.saturating_sub(head.revision.0);
    Ok(match (on, back) {
        (true, false) => Some(Way::Forwards),
        (true, true) if nearer => Some(Way::Forwards),
        (_, true) => Some(Way::Backwards),
        (false, false) => None,
    })
}

/// Makes the state of then of what the entries up to it made.
async fn forwards<C: ConnectionTrait>(db: &C, head: &Head) -> Result<State, Error> {
    let (mut state, mut done) = (State::new(), Revision(0));
    while done < head.revision {
        let page = read(db, head.tenant, done, PAGE).await?;
        let Some(last) = page.last() else { break };
        done = last.revision;
        for entry in page.into_iter().filter(is_state) {
            if entry.revision > head.revision {
                break;
            }
            let entity = entry.change.entity();
            match entry.change.after {
                Some(after) => state.insert(entity, after),
                None => state.remove(&entity),
            };
        }
    }
    Ok(state)
}

/// Makes the state of then of the state of now: of each object, what the first entry since then has found.
async fn backwards<C: ConnectionTrait>(
    db: &C,
    head: &Head,
    state: &mut State,
) -> Result<(), Error> {
    let (mut found, mut done) = (BTreeMap::new(), head.revision);
    loop {
        let page = read(db, head.tenant, done, PAGE).await?;
        let Some(last) = page.last() else { break };
        done = last.revision;
        for entry in page.into_iter().filter(is_state) {
            found.entry(entry.change.entity()).or_insert(entry.change.before);
        }
    }
    for (entity, before) in found {
        match before {
            Some(before) => state.insert(entity, before),
            None => state.remove(&entity),
        };
    }
    Ok(())
}

/// Tells whether an entry says anything of its tenant's state: one of a message or of another tenant does not.
pub(super) fn is_state(entry: &Entry) -> bool {
    let image = entry.change.after.as_ref().or(entry.change.before.as_ref());
    entry.change.kind != ChangeKind::TenantOpen && !matches!(image, Some(Image::Message(_)))
}

fn past(head: &Head, state: State) -> Past {
    let facts = Facts {
        tenant: Some(head.tenant),
        revision: head.revision,
        head: head.hash,
        ..Facts::default()
    };
    let mut past = Past { facts, catalogues: Vec::new() };
    for image in state.into_values() {
        let facts = &mut past.facts;
        match image {
            Image::Account(one) => facts.accounts.push(one),
            Image::User(one) => facts.users.push(one),
            Image::RoleGrant(one) => facts.grants.push(one),
            Image::Role(one) => facts.roles.push(one),
            Image::ApiToken(one) => facts.tokens.push(one),
            Image::Document(one) => facts.documents.push(one),
            Image::Assignment(one) => facts.assignments.push(one),
            Image::SigningKey(one) => facts.signing_keys.push(one),
            Image::Catalogue(file) => past.catalogues.push(file),
            Image::Message(_) => {}
        }
    }
    // As they were given: of grants that do alike, the first is named.
    past.facts.grants.sort_by_key(|grant| grant.create_time);
    past.facts.assignments.sort_by_key(|one| one.create_time);
    past
}
