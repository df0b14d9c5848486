//! Following the store: the poll over all warm tenants, and how one of them catches up.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::slot::Slot;
use super::{Error, Inner};
use crate::decision::Snapshot;
use crate::model::AccountId;
use crate::store::{self, Head, follow};

/// Further behind than this many entries, a tenant is loaded anew.
const MOST_ENTRIES: usize = 20_000;
/// Entries read at once.
const PAGE: u64 = 1_000;
/// How long the heads may be waited for.
const SILENCE: Duration = Duration::from_secs(2);

/// Polls on and on.
pub(super) async fn run(inner: Arc<Inner>) {
    loop {
        tokio::time::sleep(inner.config.poll).await;
        inner.round().await;
    }
}

impl Inner {
    /// Polls once; that it failed is told, and answers go on until they are stale.
    pub(super) async fn round(self: &Arc<Self>) {
        if let Err(error) = self.poll().await {
            metrics::counter!("chancery_feed_poll_failures_total").increment(1);
            tracing::warn!(error = %error, "could not read the tenants' heads");
        }
    }

    /// Reads the heads of all warm tenants in one statement and brings those that moved up to date.
    async fn poll(self: &Arc<Self>) -> Result<(), Error> {
        let warm: Vec<(Arc<Slot>, Arc<Snapshot>)> = {
            let tenants = self.tenants.all();
            tenants.values().filter_map(|slot| Some((Arc::clone(slot), slot.held()?))).collect()
        };
        let ids: Vec<AccountId> = warm.iter().map(|(slot, _)| slot.tenant).collect();
        let (read, before) = (Instant::now(), self.store.clock().now());
        // A connection that has gone silent is given up: the next poll may find a better one.
        let pulse = tokio::time::timeout(SILENCE, self.store.pulse(&ids)).await;
        let pulse = pulse.map_err(|_| Error::Slow)??;
        if let Some(time) = pulse.time {
            self.skew.note(before, time, self.store.clock().now());
        }
        let heads: HashMap<AccountId, Head> =
            pulse.heads.into_iter().map(|head| (head.tenant, head)).collect();
        for (slot, snapshot) in warm {
            let current = !self.is_outdated(&snapshot);
            if current && heads.get(&slot.tenant).is_some_and(|head| is_at(head, &snapshot)) {
                slot.confirm(read);
            } else if slot.turn.try_lock().is_ok() {
                // By itself: a tenant that takes long holds up none of the others.
                tokio::spawn(Arc::clone(self).bring_up(slot));
            }
        }
        Ok(())
    }

    pub(super) async fn bring_up(self: Arc<Self>, slot: Arc<Slot>) {
        if let Err(error) = self.refresh(&slot).await {
            tracing::warn!(error = %error, "a tenant could not catch up");
        }
    }

    /// Brings one tenant to its head: by applying entries where they fit what is held, else by a load.
    pub(super) async fn catch_up(&self, slot: &Slot) -> Result<Arc<Snapshot>, Error> {
        if slot.is_given_up() {
            return Err(Error::Newer);
        }
        let known = slot.held().filter(|known| !self.is_outdated(known));
        let Some(known) = known else { return self.load(slot).await };
        let read = Instant::now();
        // What is held was committed before this read: a head behind it is of another line of history.
        let found = self.store.heads(&[slot.tenant]).await?;
        let Some(head) = found.first() else {
            return self.other_history(slot, "the tenant is gone from the store").await;
        };
        if is_at(head, &known) {
            slot.confirm(read);
            return Ok(known);
        }
        if head.revision <= known.revision() {
            return self.other_history(slot, "the store's head is behind or beside").await;
        }
        let mut next = Snapshot::clone(&known);
        let (mut applied, mut lag) = (0, None);
        while next.revision() < head.revision {
            let entries = match self.store.entries(slot.tenant, next.revision(), PAGE).await {
                Err(store::Error::Newer(what)) => return Err(give_up(slot, &what)),
                read => read?,
            };
            slot.progress.step();
            applied += entries.len();
            if entries.is_empty() || applied > MOST_ENTRIES {
                return self.load(slot).await;
            }
            match follow(&mut next, &entries) {
                Ok(false) => lag = lag.or_else(|| entries.first().map(|entry| entry.at)),
                Ok(true) => return self.new_catalogue(slot).await,
                Err(store::Error::Forked { .. }) => return self.unconnected(slot, &known).await,
                Err(error) => return Err(error.into()),
            }
        }
        let next = Arc::new(next);
        slot.publish(Arc::clone(&next));
        slot.confirm(read);
        if let Some(at) = lag {
            // Of the oldest: what it revoked was still good for so long.
            let lag = self.store.clock().now() - at;
            metrics::histogram!("chancery_change_lag_seconds")
                .record(lag.to_std().unwrap_or_default());
        }
        Ok(slot.held().unwrap_or(next))
    }

    /// Returns whether a snapshot was made of other catalogues than those in force.
    fn is_outdated(&self, snapshot: &Snapshot) -> bool {
        let catalogue = self.catalogue.load();
        catalogue.as_ref().is_some_and(|catalogue| !Arc::ptr_eq(catalogue, snapshot.catalogue()))
    }

    /// The catalogues changed: everything compiled from them is made anew, each tenant in one swap. What this does not come
    /// to, the next poll finds outdated.
    async fn new_catalogue(&self, platform: &Slot) -> Result<Arc<Snapshot>, Error> {
        let snapshot = self.load(platform).await?;
        let others: Vec<Arc<Slot>> = {
            let tenants = self.tenants.all();
            tenants.values().filter(|slot| slot.tenant != platform.tenant).cloned().collect()
        };
        for slot in others {
            let _turn = slot.turn.lock().await;
            if slot.held().is_some() {
                self.load(&slot).await?;
            }
        }
        Ok(snapshot)
    }

    /// What comes next does not follow what is held: it was pruned in between, or it is of another history.
    async fn unconnected(&self, slot: &Slot, known: &Snapshot) -> Result<Arc<Snapshot>, Error> {
        if known.revision() < self.store.pruned_to(slot.tenant).await? {
            tracing::info!(tenant = %slot.tenant, "what led on from what is held was pruned: it is loaded anew");
            return self.load(slot).await;
        }
        self.other_history(slot, "an entry does not follow what is held").await
    }

    async fn other_history(&self, slot: &Slot, why: &'static str) -> Result<Arc<Snapshot>, Error> {
        metrics::counter!("chancery_history_forks_total").increment(1);
        tracing::error!(
            why,
            "ALARM: the store shows another history than the one that was served; everything held of it is dropped"
        );
        slot.clear();
        self.load(slot).await
    }
}

/// Drops a tenant that a newer version of this program has written to: what that means for an answer, only it knows.
fn give_up(slot: &Slot, what: &str) -> Error {
    metrics::counter!("chancery_newer_entries_total").increment(1);
    tracing::error!(
        what,
        "ALARM: a newer version of this program wrote what this one cannot read; the tenant is dropped until one that can is started"
    );
    slot.give_up();
    Error::Newer
}

fn is_at(head: &Head, snapshot: &Snapshot) -> bool {
    head.revision == snapshot.revision() && &head.hash == snapshot.head()
}
