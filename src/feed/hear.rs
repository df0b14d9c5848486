//! Hearing what other processes say they changed: what is held is brought up to date before the next poll would.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use super::Inner;
use super::slot::Slot;
use crate::model::{AccountId, Revision};
use crate::store::{Error, Hint, Listener};

/// How long to wait before listening anew, the first time and at most.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// Listens for as long as the store tells anything, and anew where the connection was lost.
pub(super) async fn run(inner: Arc<Inner>) {
    let mut pause = FIRST;
    loop {
        let why = match inner.store.listen().await {
            Ok(None) => return,
            Ok(Some(listener)) => {
                pause = FIRST;
                inner.heed(listener).await
            }
            Err(why) => why,
        };
        // The polls go on: what is lost is speed.
        tracing::info!(error = %why, "does not hear of others' changes, and will listen anew");
        tokio::time::sleep(pause).await;
        pause = LONGEST.min(pause * 2);
    }
}

impl Inner {
    /// Follows hints until the connection is lost; returns why.
    async fn heed(self: &Arc<Self>, mut listener: Listener) -> Error {
        loop {
            let hint = match listener.next().await {
                Ok(hint) => hint,
                Err(why) => return why,
            };
            metrics::counter!("chancery_feed_hints_total").increment(1);
            match hint {
                // One after the other: what comes meanwhile waits, and most of it is known by then.
                Hint::Tenants(moved) => {
                    let behind = self.behind(&moved).into_iter();
                    join_all(behind.map(|slot| Arc::clone(self).bring_up(slot))).await;
                }
                Hint::Many => self.round().await,
            }
        }
    }

    /// Finds those that are in memory and older than somebody says they are.
    fn behind(&self, moved: &[(AccountId, Revision)]) -> Vec<Arc<Slot>> {
        let tenants = self.tenants.all();
        let behind = moved.iter().filter_map(|(tenant, revision)| {
            let slot = tenants.get(tenant)?;
            (slot.held()?.revision() < *revision).then(|| Arc::clone(slot))
        });
        behind.collect()
    }
}
