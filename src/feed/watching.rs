//! Following the changes of one tenant, from a place in its history on: nothing is left out, and nothing comes twice.

use std::sync::{Arc, PoisonError};

use tokio::sync::watch;

use super::ring::{Place, Ring, Step};
use super::{Error, Feed};
use crate::crypto::ConsistencyToken;
use crate::decision::Snapshot;
use crate::model::{AccountId, Revision};

/// Somebody who follows a tenant.
#[derive(Debug)]
pub struct Watching {
    feed: Feed,
    tenant: AccountId,
    ring: Arc<Ring>,
    place: Place,
    /// How far the platform was known to be: it does not go back.
    platform: Revision,
    moved: watch::Receiver<()>,
}

impl Feed {
    /// Begins to follow a tenant: behind a state that was seen, or from now on.
    ///
    /// [`Error::Lost`] where that state is of another history or ahead of this one, [`Error::Pruned`] where the ledger does
    /// not reach back to it.
    pub async fn watch(
        &self,
        tenant: AccountId,
        after: Option<&ConsistencyToken>,
    ) -> Result<Watching, Error> {
        let slot = self.inner.slot(tenant);
        let moved = slot.moves();
        let mut newest = self.tenant(tenant).await?;
        let place = after.map_or_else(
            || Place::from(&*newest),
            |token| Place { revision: token.revision, hash8: token.hash8 },
        );
        if place.revision > newest.revision() {
            newest = self.fresh(tenant).await?;
        }
        let ring = {
            let mut held = slot.ring.lock().unwrap_or_else(PoisonError::into_inner);
            held.upgrade().unwrap_or_else(|| {
                let ring = Arc::new(Ring::behind(&newest));
                *held = Arc::downgrade(&ring);
                ring
            })
        };
        let platform = match after {
            None => self.platform().await?.revision(),
            Some(token) => self.platform_at_least(token).await.map_err(|error| match error {
                Error::OtherHistory => Error::Lost,
                error => error,
            })?,
        };
        let watching = Watching { feed: self.clone(), tenant, ring, place, platform, moved };
        // Whether there is a way on from there, is known at once.
        watching.behind(&newest).await?;
        Ok(watching)
    }
}

impl Watching {
    /// Returns what comes next, as far as this process shows it; nothing where that is all.
    pub async fn next(&self) -> Result<Vec<Arc<Step>>, Error> {
        let newest = self.feed.tenant(self.tenant).await?;
        self.behind(&newest).await
    }

    async fn behind(&self, newest: &Snapshot) -> Result<Vec<Arc<Step>>, Error> {
        if newest.revision() < self.place.revision {
            return Err(Error::Lost);
        }
        self.ring.after(&self.feed.inner.store, &self.place, newest).await
    }

    /// Goes on behind a step.
    pub fn pass(&mut self, step: &Step) {
        self.platform = self.after(step).platform;
        self.place = step.into();
    }

    /// Waits until there may be more.
    pub async fn moved(&mut self) {
        if self.moved.changed().await.is_err() {
            // The tenant is gone from the store; whoever looks is told so.
            std::future::pending::<()>().await;
        }
    }

    /// Names the state that was followed up to, as far as the platform is now.
    pub async fn token(&mut self) -> Result<ConsistencyToken, Error> {
        self.platform = self.platform.max(self.feed.platform().await?.revision());
        Ok(self.here())
    }

    /// Names the state that was followed up to.
    pub const fn here(&self) -> ConsistencyToken {
        let Place { revision, hash8 } = self.place;
        ConsistencyToken { tenant: self.tenant, revision, hash8, platform: self.platform }
    }

    /// Names the state that is followed up to with a step.
    pub fn after(&self, step: &Step) -> ConsistencyToken {
        let Place { revision, hash8 } = step.into();
        let stood = step.entries.iter().map(|entry| entry.platform_revision).max();
        let platform = self.platform.max(stood.unwrap_or_default());
        ConsistencyToken { tenant: self.tenant, revision, hash8, platform }
    }
}
