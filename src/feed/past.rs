//! Tenants as they were: snapshots of other times, made anew from the ledger, and never shown for what is now.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use moka::future::Cache;

use super::{Error, Feed};
use crate::decision::Snapshot;
use crate::model::catalogue::Catalogue;
use crate::model::{AccountId, Revision};
use crate::store::{Head, Then};

/// The most entries that are gone through to a time.
const MOST: u64 = 100_000;
/// Of those made last, so many users are kept.
const KEPT: u64 = 100_000;

/// A tenant as it was.
#[derive(Debug, Clone)]
pub struct AsOf {
    /// All that was decided by then.
    pub world: Arc<Snapshot>,
    /// How far the platform was.
    pub platform: Revision,
}

/// Which state: of which line of history, and compiled with the catalogues of which platform.
type Key = (AccountId, Revision, [u8; 32], Revision);

/// The snapshots of other times that were made last.
#[derive(Debug)]
pub(super) struct Made(Cache<Key, Arc<Snapshot>>);

impl Default for Made {
    fn default() -> Self {
        let size = |_: &Key, one: &Arc<Snapshot>| {
            u32::try_from(one.user_count().saturating_add(1)).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(KEPT).weigher(size).build())
    }
}

impl Feed {
    /// Returns a tenant as it was at a time, with the catalogues of then. This is heavy work.
    ///
    /// [`Error::NotBegun`], [`Error::Pruned`], [`Error::TooFar`].
    pub async fn as_of(&self, tenant: AccountId, at: DateTime<Utc>) -> Result<AsOf, Error> {
        self.as_of_within(tenant, at, MOST).await
    }

    /// Does so by no more than `most` entries.
    pub async fn as_of_within(
        &self,
        tenant: AccountId,
        at: DateTime<Utc>,
        most: u64,
    ) -> Result<AsOf, Error> {
        let root = self.root();
        let (mut head, _) = self.head_at(root, at).await?;
        let mut own = None;
        if tenant != root {
            let (found, stood) = self.head_at(tenant, at).await?;
            own = Some(found);
            // The tenant's own entry knows better where two clocks have told two times.
            if stood > head.revision {
                let hash = self.inner.store.hash_at(root, stood).await?.ok_or(Error::Pruned)?;
                head = Head { revision: stood, hash, ..head };
            }
        }
        let platform = self.made(head, head.revision, None, most).await?;
        let world = match own {
            None => platform,
            Some(own) => self.made(own, head.revision, Some(platform.catalogue()), most).await?,
        };
        Ok(AsOf { world, platform: head.revision })
    }

    async fn head_at(
        &self,
        tenant: AccountId,
        at: DateTime<Utc>,
    ) -> Result<(Head, Revision), Error> {
        match self.inner.store.head_at(tenant, at).await? {
            Then::At(head, platform) => Ok((head, platform)),
            Then::NotBegun => Err(Error::NotBegun),
            Then::Pruned => Err(Error::Pruned),
        }
    }

    /// Makes the snapshot of a head: with a catalogue, or of the platform with those that were in force.
    async fn made(
        &self,
        head: Head,
        platform: Revision,
        catalogue: Option<&Arc<Catalogue>>,
        most: u64,
    ) -> Result<Arc<Snapshot>, Error> {
        let now = self.tenant(head.tenant).await?;
        let same = catalogue.is_none_or(|catalogue| Arc::ptr_eq(catalogue, now.catalogue()));
        if same && now.revision() == head.revision && *now.head() == head.hash {
            // Nothing has happened since.
            return Ok(now);
        }
        let key = (head.tenant, head.revision, head.hash, platform);
        let made = self.inner.made.0.try_get_with(key, self.make(head, catalogue, most)).await;
        made.map_err(|error| Error::clone(&error))
    }

    async fn make(
        &self,
        head: Head,
        catalogue: Option<&Arc<Catalogue>>,
        most: u64,
    ) -> Result<Arc<Snapshot>, Error> {
        let past = self.inner.store.past(head, most).await?.ok_or(Error::TooFar)?;
        let catalogue = match catalogue {
            Some(catalogue) => Arc::clone(catalogue),
            None => Arc::new(Catalogue::build(&past.catalogues).map_err(Arc::new)?),
        };
        Ok(Arc::new(Snapshot::build(catalogue, past.facts)?))
    }
}
