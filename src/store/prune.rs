//! Entries that are older than they are kept for give way to a signed checkpoint (`model.md` §8).
//!
//! A tenant has one checkpoint, for all that was ever pruned of its ledger: each takes the place of the one before, in the
//! transaction that takes the entries away. A list of them would prove no more, since the newest says how many entries there were,
//! what the last one's hash was and what they had come to; those before it are in the log.
//!
//! What is about to go is verified first, with all that stays and with the rows. Nothing is signed that is not what was written, or
//! else whoever changed an entry past the program would only have to wait.

use std::time::Instant;

use chrono::{DateTime, SubsecRound as _, Utc};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::checkpoint::{TABLE, replace};
use super::entries::{checked, rows};
use super::past::is_state;
use super::rows::{ledger, number, revision, tenant};
use super::state::{self, State};
use super::verify::{Stretch, Verified, aside};
use super::{Error, Store, immediate};
use crate::crypto::{Checkpoint, LedgerKey, SignedCheckpoint, chain};
use crate::model::{AccountId, Revision};

/// So many entries go in one transaction; more only where one write has made more.
const BATCH: u64 = 2_000;

/// What became of a ledger.
#[derive(Debug)]
pub enum Pruning {
    /// None of it is old enough, or somebody else is at it.
    Nothing,
    /// So many entries are gone, and this stands for them and all before them.
    Done(u64, Box<SignedCheckpoint>),
    /// It is not what was written, and stays as it is.
    Faulty(Box<Verified>),
}

/// What the entries so far come to.
struct Ahead {
    tenant: AccountId,
    revision: Revision,
    ordinal: Option<u32>,
    hash: [u8; 32],
    entries: u64,
    last_at: DateTime<Utc>,
    state: State,
}

impl Store {
    /// Names tenants behind one, in the order of ids.
    pub async fn tenants_behind(
        &self,
        after: Option<AccountId>,
        limit: u64,
    ) -> Result<Vec<AccountId>, Error> {
        let all = tenant::Entity::find().select_only().column(tenant::Column::Id);
        let rest = match after {
            None => all,
            Some(after) => all.filter(tenant::Column::Id.gt(after.0)),
        };
        let ids: Vec<uuid::Uuid> = rest
            .order_by_asc(tenant::Column::Id)
            .limit(limit)
            .into_tuple()
            .all(self.loads())
            .await?;
        Ok(ids.into_iter().map(AccountId).collect())
    }

    /// Prunes a tenant's ledger of what was over before a time: of all entries but those of the state that stood then and those since,
    /// so that every time from then on can still be asked about. The newest entry is always among these.
    ///
    /// It verifies the whole ledger, and rests as long as it works. Where it is dropped, what was pruned so far is pruned.
    pub async fn prune(
        &self,
        tenant: AccountId,
        before: DateTime<Utc>,
        key: &LedgerKey,
    ) -> Result<Pruning, Error> {
        let Some(goal) = self.over_before(tenant, before).await? else {
            return Ok(Pruning::Nothing);
        };
        let stretch = Stretch { gently: true, key: Some(key.public()), ..Stretch::default() };
        let whole = self.fold(tenant, stretch).await?;
        let (Some(state), 0) = (whole.base, whole.verified.fault_count) else {
            return Ok(Pruning::Faulty(Box::new(whole.verified)));
        };
        let mut ahead = Ahead::behind(tenant, whole.verified.checkpoint.as_ref(), state);
        let (mut found, mut count, mut last) = (whole.found, 0, None);
        while ahead.revision < goal {
            let began = Instant::now();
            let (next, signed, rows) = match self.step(ahead, (found, goal), key).await {
                Ok(Some(done)) => done,
                Ok(None) => break,
                Err(error) => {
                    // Whoever has come first has taken away what was to be read.
                    if self.pruned_to(tenant).await? == found.unwrap_or_default() {
                        return Err(error);
                    }
                    break;
                }
            };
            (found, last) = (Some(next.revision), Some(signed));
            count += rows;
            ahead = next;
            tokio::time::sleep(began.elapsed()).await;
        }
        Ok(last.map_or(Pruning::Nothing, |signed| Pruning::Done(count, Box::new(signed))))
    }

    /// Goes over the next entries, and puts a checkpoint in their place; `None` where somebody else has come first.
    async fn step(
        &self,
        ahead: Ahead,
        (found, goal): (Option<Revision>, Revision),
        key: &LedgerKey,
    ) -> Result<Option<(Ahead, SignedCheckpoint, u64)>, Error> {
        let tenant = ahead.tenant;
        let mut batch = rows(self.loads(), tenant, ahead.revision, BATCH).await?;
        let last = number(goal)?;
        batch.retain(|row| row.revision <= last);
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let ahead = aside(move || ahead.over(batch)).await?;
        let checkpoint = ahead.checkpoint(self.clock().now().trunc_subsecs(6));
        let signed = key.sign_checkpoint(checkpoint);
        let signed = signed.map_err(|why| broken(tenant, &why.to_string()))?;
        let done = self.take_away(found, &signed, count).await?;
        Ok(done.then_some((ahead, signed, count)))
    }

    /// Finds the last revision that was over before a time, where the ledger holds it.
    async fn over_before(
        &self,
        tenant: AccountId,
        before: DateTime<Utc>,
    ) -> Result<Option<Revision>, Error> {
        let of_tenant = || {
            let all = ledger::Entity::find().select_only().column(ledger::Column::Revision);
            all.filter(ledger::Column::TenantId.eq(tenant.0))
        };
        let stood: Option<i64> = of_tenant()
            .filter(ledger::Column::At.lte(before))
            .order_by_desc(ledger::Column::At)
            .order_by_desc(ledger::Column::Revision)
            .limit(1)
            .into_tuple()
            .one(self.loads())
            .await?;
        let first: Option<i64> = of_tenant()
            .order_by_asc(ledger::Column::Revision)
            .order_by_asc(ledger::Column::Ordinal)
            .limit(1)
            .into_tuple()
            .one(self.loads())
            .await?;
        let over = stood.zip(first).filter(|(stood, first)| first < stood);
        over.map(|(stood, _)| revision("ledger", &tenant, stood - 1)).transpose()
    }

    /// Puts a checkpoint in the place of entries, or changes nothing: `false` where somebody else has come first.
    async fn take_away(
        &self,
        found: Option<Revision>,
        signed: &SignedCheckpoint,
        count: u64,
    ) -> Result<bool, Error> {
        let Checkpoint { account, revision: to, hash, .. } = &signed.checkpoint;
        let of_tenant = ledger::Column::TenantId.eq(account.0);
        let db = immediate(self.writes()).await?;
        if !replace(&db, found, signed).await? {
            db.rollback().await?;
            return Ok(false);
        }
        let old = ledger::Entity::delete_many()
            .filter(of_tenant.clone())
            .filter(ledger::Column::Revision.lte(number(*to)?));
        let gone = old.exec(&db).await?.rows_affected;
        let next: Option<Vec<u8>> = ledger::Entity::find()
            .select_only()
            .column(ledger::Column::PrevHash)
            .filter(of_tenant)
            .filter(ledger::Column::Revision.eq(number(to.next())?))
            .filter(ledger::Column::Ordinal.eq(0))
            .into_tuple()
            .one(&db)
            .await?;
        // Whoever follows on it, and how many have gone, is what was just verified; or somebody writes here who may not.
        if gone != count || next.as_deref() != Some(hash) {
            db.rollback().await?;
            return Err(broken(*account, "the entries are not those that were verified"));
        }
        db.commit().await?;
        metrics::counter!("chancery_ledger_pruned_entries_total").increment(count);
        Ok(true)
    }
}

impl Ahead {
    fn behind(tenant: AccountId, signed: Option<&SignedCheckpoint>, state: State) -> Self {
        let Some(SignedCheckpoint { checkpoint, .. }) = signed else {
            return Self {
                tenant,
                revision: Revision::default(),
                ordinal: None,
                hash: chain::first(&tenant.to_string()),
                entries: 0,
                last_at: DateTime::<Utc>::MIN_UTC,
                state,
            };
        };
        Self {
            tenant,
            revision: checkpoint.revision,
            ordinal: None,
            hash: checkpoint.hash,
            entries: checkpoint.entries,
            last_at: checkpoint.last_at,
            state,
        }
    }

    /// Goes on over whole revisions. Each entry must follow on the one before, also since that was verified.
    fn over(mut self, batch: Vec<ledger::Model>) -> Result<Self, Error> {
        if batch.is_empty() {
            return Err(broken(self.tenant, "entries that were verified are gone"));
        }
        for row in batch {
            let entry = checked(row)?;
            let next = match self.ordinal {
                Some(ordinal) if entry.revision == self.revision => entry.ordinal == ordinal + 1,
                _ => entry.revision == self.revision.next() && entry.ordinal == 0,
            };
            if !next || entry.prev_hash != self.hash {
                return Err(broken(self.tenant, "the entries are not those that were verified"));
            }
            (self.revision, self.ordinal) = (entry.revision, Some(entry.ordinal));
            (self.hash, self.last_at) = (entry.hash, entry.at);
            self.entries += 1;
            if is_state(&entry) {
                self.state.pass(&entry.change)?;
            }
        }
        Ok(self)
    }

    fn checkpoint(&self, at: DateTime<Utc>) -> Checkpoint {
        Checkpoint {
            account: self.tenant,
            revision: self.revision,
            hash: self.hash,
            entries: self.entries,
            last_at: self.last_at,
            at,
            state: self.state.digests(),
            state_format: state::FORMAT,
        }
    }
}

fn broken(tenant: AccountId, why: &str) -> Error {
    super::corrupt(TABLE, &tenant, &why)
}
