//! Taking a tenant's lock, and bringing snapshots to what it holds still.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, LockType, Query};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction};

use super::rows::{hash, revision, tenant};
use super::{Entry, Error, Head, entries, follow};
use crate::decision::Snapshot;
use crate::model::{AccountId, Revision};

/// Revisions read at a time when a snapshot is behind.
const BEHIND: u64 = 1_000;

/// A tenant's row, locked.
#[derive(Debug)]
pub(super) struct Locked {
    /// The head that the write goes on from.
    pub(super) head: Head,
    /// When its last entry was made.
    pub(super) last_at: DateTime<Utc>,
    /// How far the platform is.
    pub(super) platform: Head,
}

/// Takes the tenant's lock and its next revision, and looks how far the platform is, all in one statement. With `share`
/// the platform cannot go on meanwhile either, though others may rest on it too.
pub(super) async fn lock(
    db: &DatabaseTransaction,
    tenant: AccountId,
    root: AccountId,
    share: bool,
) -> Result<Locked, Error> {
    let mut update = Query::update();
    update
        .table(tenant::Entity)
        .value(tenant::Column::Revision, Expr::col(tenant::Column::Revision).add(1))
        .and_where(Expr::col(tenant::Column::Id).eq(tenant.0))
        .returning(Query::returning().exprs([
            Expr::col(tenant::Column::Revision),
            Expr::col(tenant::Column::Hash),
            Expr::col(tenant::Column::LastAt),
            platform(root, tenant::Column::Revision, share),
            platform(root, tenant::Column::Hash, share),
        ]));
    let row = db.query_one(&update).await?.ok_or(Error::NoTenant(tenant))?;
    let taken = revision("tenants", &tenant, row.try_get_by_index(0)?)?;
    let before = Revision(taken.0.saturating_sub(1));
    let head = |tenant: AccountId, revision, at| {
        let bytes: Vec<u8> = row.try_get_by_index(at)?;
        Ok::<_, Error>(Head { tenant, revision, hash: hash("tenants", &tenant, &bytes)? })
    };
    let stands = revision("tenants", &root, row.try_get_by_index(3)?)?;
    Ok(Locked {
        head: head(tenant, before, 1)?,
        last_at: row.try_get_by_index(2)?,
        platform: head(root, stands, 4)?,
    })
}

/// Reads a column of the platform's row; with a lock, which SQLite has no need of, as it is when it is got.
fn platform(root: AccountId, column: tenant::Column, share: bool) -> Expr {
    let platform = Alias::new("platform");
    let mut row = Query::select();
    row.column((platform.clone(), column))
        .from_as(tenant::Entity, platform.clone())
        .and_where(Expr::col((platform, tenant::Column::Id)).eq(root.0));
    if share {
        row.lock(LockType::Share);
    }
    Expr::from(row)
}

/// Brings a copy of a snapshot to a head that cannot move meanwhile. What it missed is added to `missed`.
pub(super) async fn catch_up(
    db: &DatabaseTransaction,
    snapshot: &Snapshot,
    head: &Head,
    missed: &mut Vec<Entry>,
) -> Result<Snapshot, Error> {
    let tenant = head.tenant;
    let mut snapshot = snapshot.clone();
    if snapshot.tenant() != tenant {
        return Err(Error::NoTenant(snapshot.tenant()));
    }
    while snapshot.revision() < head.revision {
        let behind = entries::read(db, tenant, snapshot.revision(), BEHIND).await?;
        if behind.is_empty() {
            return Err(Error::Forked { tenant });
        }
        if follow(&mut snapshot, &behind)? {
            return Err(Error::Stale { tenant });
        }
        missed.extend(behind);
    }
    if snapshot.revision() != head.revision || *snapshot.head() != head.hash {
        return Err(Error::Forked { tenant });
    }
    Ok(snapshot)
}
