//! Ledgers are looked after by themselves: each that is served from is verified when it is first met, and each day; and how far
//! it is, signed, goes into the log, where no writer of the store can change it.
//!
//! One is verified at a time, and it rests as long as it works. Nothing waits for it, and it ends with the server.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use tokio::sync::watch;

use super::phase::{Phase, Phases};
use crate::admin::Check;
use crate::crypto::{Head, LedgerKey};
use crate::feed::Feed;
use crate::model::{AccountId, Revision};
use crate::store::{Store, Stretch};

/// A head is written after so many entries.
const ENTRIES: u64 = 1_000;
/// Or after so long, where there are any.
const WHILE: TimeDelta = TimeDelta::minutes(10);

/// How ledgers are looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InspectConfig {
    /// How often is looked which are due.
    pub look: Duration,
    /// How often each is verified; `None` = never.
    pub every: Option<TimeDelta>,
    /// For how long entries are kept; `None` = for ever.
    pub keep: Option<TimeDelta>,
}

/// Looks after the ledgers of a process.
#[derive(Debug)]
pub(super) struct Inspector {
    pub(super) store: Store,
    pub(super) feed: Feed,
    pub(super) key: Arc<LedgerKey>,
    pub(super) config: InspectConfig,
    /// Told what was found wrong with all of them.
    pub(super) found: watch::Sender<Check>,
    ledgers: HashMap<AccountId, Ledger>,
}

/// What is known of one ledger.
#[derive(Debug, Default)]
struct Ledger {
    /// When it was last verified.
    verified: Option<DateTime<Utc>>,
    /// How much was wrong then.
    faults: u64,
    /// How far it was when its head was last written, and when that was.
    written: Option<(Revision, DateTime<Utc>)>,
}

impl Inspector {
    pub(super) fn new(
        (store, feed, key): (Store, Feed, Arc<LedgerKey>),
        config: InspectConfig,
    ) -> (Self, watch::Receiver<Check>) {
        let (found, seen) = watch::channel(Check::Unknown);
        (Self { store, feed, key, config, found, ledgers: HashMap::new() }, seen)
    }

    /// Looks after them until the server closes.
    pub(super) async fn run(mut self, phases: Phases) {
        // Shown from the start, so that the first fault is a step.
        self.sum_up();
        let closing = phases.reached(Phase::Closing);
        tokio::pin!(closing);
        loop {
            let next = async {
                tokio::time::sleep(self.config.look).await;
                self.round().await;
            };
            // What is under way is dropped: it only reads.
            tokio::select! {
                biased;
                () = &mut closing => break,
                () = next => {}
            }
        }
    }

    async fn round(&mut self) {
        for world in self.feed.warm() {
            let (account, revision, hash) = (world.tenant(), world.revision(), *world.head());
            let at = self.store.clock().now().trunc_subsecs(6);
            self.write_head(Head { account, revision, hash, at }).await;
            self.verify(account).await;
        }
    }

    /// Writes into the log how far a ledger is, if that was not done lately.
    async fn write_head(&mut self, head: Head) {
        let Head { account, revision, at: now, .. } = head;
        let ledger = self.ledgers.entry(account).or_default();
        if let Some((written, at)) = ledger.written {
            if written == revision {
                return;
            }
            let many = match self.store.entries_behind(account, written).await {
                Ok(count) => count >= ENTRIES,
                Err(error) => return tracing::warn!(%error, "could not count a ledger's entries"),
            };
            if !many && now - at < WHILE {
                return;
            }
        }
        match self.key.sign(head) {
            Ok(signed) => {
                ledger.written = Some((revision, now));
                let (head, signature) = (signed.text.as_str(), signed.signature.as_str());
                tracing::info!(head, signature, "a ledger's head");
            }
            Err(error) => tracing::error!(%error, "a ledger's head could not be signed"),
        }
    }

    /// Verifies a ledger, if that is due.
    async fn verify(&mut self, tenant: AccountId) {
        let now = self.store.clock().now();
        let Some(every) = self.config.every else { return };
        let ledger = self.ledgers.entry(tenant).or_default();
        if ledger.verified.is_some_and(|at| now - at < every) {
            return;
        }
        let key = Some(self.key.public());
        let stretch = Stretch { gently: true, key, ..Stretch::default() };
        match self.store.verify_stretch(tenant, stretch).await {
            Ok(verified) => {
                metrics::counter!("chancery_ledger_verifications_total").increment(1);
                (ledger.verified, ledger.faults) = (Some(now), verified.fault_count);
                verified.tell(tenant);
            }
            // It is tried again with the next look.
            Err(error) => tracing::warn!(%error, %tenant, "a ledger could not be verified"),
        }
        self.sum_up();
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a double; 2^53 faults are enough")]
    fn sum_up(&self) {
        let faults: u64 = self.ledgers.values().map(|ledger| ledger.faults).sum();
        metrics::gauge!("chancery_ledger_faults").set(faults as f64);
        let wrong = self.ledgers.values().filter(|ledger| ledger.faults > 0).count();
        let check = if self.ledgers.values().all(|ledger| ledger.verified.is_none()) {
            Check::Unknown
        } else if wrong == 0 {
            Check::Good
        } else {
            Check::Bad(format!("faults: {faults}, in ledgers: {wrong}; the log names them"))
        };
        self.found.send_if_modified(|shown| {
            let changed = *shown != check;
            *shown = check;
            changed
        });
    }
}
