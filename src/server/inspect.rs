//! Ledgers are looked after by themselves: each that is served from is verified when it is first met, and each day; and how far
//! it is, signed, goes into the log, where no writer of the store can change it.
//!
//! One is verified at a time, and it rests as long as it works. Nothing waits for it, and it ends with the server.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::phase::{Phase, Phases};
use crate::crypto::{Head, LedgerKey};
use crate::feed::Feed;
use crate::model::{AccountId, Revision};
use crate::store::{Store, Stretch};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

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
    ledgers: HashMap<AccountId, Ledger>,
}

/// What is known of one ledger.
#[derive(Debug, Default)]
struct Ledger {
    /// When it was last verified.
    verified: Option<DateTime<Utc>>,
    /// How far it was when its head was last written, and when that was.
    written: Option<(Revision, DateTime<Utc>)>,
}

impl Inspector {
    pub(super) fn new(
        (store, feed, key): (Store, Feed, Arc<LedgerKey>),
        config: InspectConfig,
    ) -> Self {
        Self { store, feed, key, config, ledgers: HashMap::new() }
    }

    /// Looks after them until the server closes.
    pub(super) async fn run(mut self, phases: Phases) {
        self.store.inspected().show();
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
        match self.store.inspect(tenant, stretch).await {
            Ok(_) => {
                metrics::counter!("chancery_ledger_verifications_total").increment(1);
                ledger.verified = Some(now);
            }
            // It is tried again with the next look.
            Err(error) => tracing::warn!(%error, %tenant, "a ledger could not be verified"),
        }
    }
}
