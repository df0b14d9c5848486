//! Keeping a write: rows, ledger entries, head and remembered request in one transaction, or nothing.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query, UpdateStatement};
use sea_orm::{ActiveValue::Set, EntityTrait as _, QueryTrait as _};
use serde_json::Value;

use super::batch::{Step, one_by_one, together};
use super::entries::Stamp;
use super::idempotency::{remember, token};
use super::rows::{ledger, number, tenant};
use super::{Error, Head, Tx, write};
use crate::crypto::{ConsistencyToken, chain};
use crate::decision::Snapshot;
use crate::model::{AccountId, Change, ChangeKind, Image, Revision};

/// Entries a statement.
const ENTRIES: usize = 500;

/// What a write came to.
#[derive(Debug, Clone)]
pub struct Committed {
    /// For the answer: whoever reads with it sees this write.
    pub token: ConsistencyToken,
    /// The revision that the write made; the one found, if it changed nothing.
    pub revision: Revision,
    /// The tenant at that revision. Of a dry run: as it would have become, under the revision it was judged at.
    pub snapshot: Arc<Snapshot>,
    /// The head of the tenant that was opened, if one was.
    pub opened: Option<Head>,
    /// Whether anything was written.
    pub changed: bool,
}

impl Tx {
    /// Keeps the write: in Postgres by one statement, unless it is of hundreds of changes, and `COMMIT`. `outcome` is what a repeat of the request will be answered from; it holds no secret.
    ///
    /// A write without changes takes no revision. Of a dry run nothing is kept, and the answer tells the
    /// revision it was judged at. After [`Error::Unavailable`] it is unknown whether the write was kept:
    /// repeat the request with its id.
    pub async fn commit(mut self, outcome: Value) -> Result<Committed, Error> {
        if self.is_dry_run() {
            return Ok(committed(&self.head, self.platform, self.there));
        }
        if self.changes.is_empty() {
            return self.commit_nothing(outcome).await;
        }
        let revision = self.head.revision.next();
        let stamp = self.stamp(self.head.tenant, revision);
        let mut steps = Vec::new();
        let opened = self.open(revision, &mut steps)?;
        steps.extend(write::steps(self.head.tenant, &self.changes, &self.secrets, self.now)?);
        steps.append(&mut self.beside);
        if self.changes.len() > ENTRIES {
            one_by_one(&self.db, std::mem::take(&mut steps)).await?;
        }
        let (entries, hash) = self.link(&stamp).await?;
        self.head = Head { tenant: self.head.tenant, revision, hash };
        steps.push(ledger::Entity::insert_many(entries).into_query().into());
        let request = remember(&self.request, &self.head, stamp.platform, outcome, self.now)?;
        steps.extend(request.map(Step::from));
        together(&self.db, steps, (advance(&self.head, self.now), "tenants")).await?;
        self.there.advance(revision, hash);

        let Self { db, place, store, there, head, platform, .. } = self;
        db.commit().await?;
        if let Some(hints) = store.hints() {
            hints.moved(head);
        }
        drop(place);
        Ok(Committed { opened, changed: true, ..committed(&head, platform, there) })
    }

    /// Gives the lock back first: what is left to do does not need it.
    async fn commit_nothing(self, outcome: Value) -> Result<Committed, Error> {
        let Self { db, place, store, request, there, head, platform, .. } = self;
        db.rollback().await?;
        let stands = platform.unwrap_or(head.revision);
        store.remember_unchanged(&request, &head, stands, outcome).await?;
        drop(place);
        Ok(committed(&head, platform, there))
    }

    /// Returns what the entries of this write have in common, in the ledger of `tenant`.
    fn stamp(&self, tenant: AccountId, revision: Revision) -> Stamp {
        Stamp {
            tenant,
            revision,
            at: self.now,
            actor: self.request.actor,
            acting_as: self.request.acting_as,
            request_id: self.request.id,
            source: self.request.source.clone(),
            platform: self.platform.unwrap_or(revision),
        }
    }

    /// Begins the ledger of a tenant that this write opens; its account is written with the other changes.
    fn open(&self, platform: Revision, steps: &mut Vec<Step>) -> Result<Option<Head>, Error> {
        let Some(account) = &self.opened else { return Ok(None) };
        let change = Change {
            account: account.id,
            kind: ChangeKind::AccountCreate,
            before: None,
            after: Some(Image::Account(account.clone())),
        };
        let stamp = Stamp { platform, ..self.stamp(account.id, Revision::default().next()) };
        let (entries, hash) =
            stamp.link(chain::first(&account.id.to_string()), &mut 0, &[change])?;
        let row = tenant::ActiveModel {
            id: Set(account.id.0),
            revision: Set(number(stamp.revision)?),
            hash: Set(hash.to_vec()),
            last_at: Set(self.now),
        };
        steps.push(tenant::Entity::insert(row).into_query().into());
        steps.push(ledger::Entity::insert_many(entries).into_query().into());
        Ok(Some(Head { tenant: account.id, revision: stamp.revision, hash }))
    }

    /// Writes all entries but the last few, which are returned with the new hash.
    ///
    /// In turns of making some and writing them: a long silence on the connection would end it.
    async fn link(&self, stamp: &Stamp) -> Result<(Vec<ledger::ActiveModel>, [u8; 32]), Error> {
        let (mut ordinal, mut last) = (0, (Vec::new(), self.head.hash));
        for changes in self.changes.chunks(ENTRIES) {
            let (entries, hash) = last;
            if !entries.is_empty() {
                ledger::Entity::insert_many(entries).exec_without_returning(&self.db).await?;
            }
            last = stamp.link(hash, &mut ordinal, changes)?;
        }
        Ok(last)
    }
}

fn advance(head: &Head, at: DateTime<Utc>) -> UpdateStatement {
    Query::update()
        .table(tenant::Entity)
        .value(tenant::Column::Hash, head.hash.to_vec())
        .value(tenant::Column::LastAt, at)
        .and_where(Expr::col(tenant::Column::Id).eq(head.tenant.0))
        .to_owned()
}

fn committed(head: &Head, platform: Option<Revision>, there: Snapshot) -> Committed {
    Committed {
        token: token(head, platform.unwrap_or(head.revision)),
        revision: head.revision,
        snapshot: Arc::new(there),
        opened: None,
        changed: false,
    }
}
