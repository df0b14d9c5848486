//! Entries of ledgers that are older than they are kept for are pruned by themselves, once a day, one tenant after the other.
//!
//! What stands for them then, signed, goes into the log as well, where no writer of the store can change it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::phase::{Phase, Phases};
use crate::crypto::LedgerKey;
use crate::model::AccountId;
use crate::store::{Error, Pruning, Store};

/// How often all ledgers are gone through.
const EVERY: TimeDelta = TimeDelta::days(1);
/// Tenants named at once.
const PAGE: u64 = 1_000;

/// Prunes the ledgers of a store.
#[derive(Debug)]
pub(super) struct Pruner {
    pub(super) store: Store,
    pub(super) key: Arc<LedgerKey>,
    /// How often is looked whether it is time.
    pub(super) look: Duration,
    /// For how long entries are kept.
    pub(super) keep: TimeDelta,
    /// When they were last gone through.
    pub(super) walked: Option<DateTime<Utc>>,
}

/// Prunes until the server closes; nothing, where entries are kept for ever.
pub(super) async fn run(pruner: Option<Pruner>, phases: Phases) {
    let Some(mut pruner) = pruner else { return };
    let closing = phases.reached(Phase::Closing);
    tokio::pin!(closing);
    loop {
        let next = async {
            tokio::time::sleep(pruner.look).await;
            pruner.round().await;
        };
        // What is under way is dropped: a transaction that is not committed has changed nothing.
        tokio::select! {
            biased;
            () = &mut closing => break,
            () = next => {}
        }
    }
}

impl Pruner {
    async fn round(&mut self) {
        let now = self.store.clock().now();
        if self.walked.is_some_and(|at| now - at < EVERY) {
            return;
        }
        match self.walk(now - self.keep).await {
            Ok(()) => self.walked = Some(now),
            // It is tried again with the next look.
            Err(error) => {
                tracing::warn!(%error, "the ledgers that are to be pruned could not be listed");
            }
        }
    }

    async fn walk(&self, before: DateTime<Utc>) -> Result<(), Error> {
        let mut last = None;
        loop {
            let page = self.store.tenants_behind(last, PAGE).await?;
            let Some(next) = page.last().copied() else { return Ok(()) };
            for tenant in page {
                self.prune(tenant, before).await;
            }
            last = Some(next);
        }
    }

    async fn prune(&self, tenant: AccountId, before: DateTime<Utc>) {
        match self.store.prune(tenant, before, &self.key).await {
            Ok(Pruning::Nothing) => {}
            Ok(Pruning::Done(count, signed)) => {
                let (checkpoint, signature) = (signed.text.as_str(), signed.signature.as_str());
                tracing::info!(count, checkpoint, signature, "a ledger was pruned");
            }
            Ok(Pruning::Faulty(verified)) => {
                verified.tell(tenant);
                tracing::error!(%tenant, "a ledger is not pruned, since it is not what was written");
            }
            // The others are pruned all the same; this one with the next walk.
            Err(error) => tracing::warn!(%error, %tenant, "a ledger could not be pruned"),
        }
    }
}
