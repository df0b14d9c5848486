//! Whether the server can serve, found out again every second on a connection that nothing else uses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::phase::{Phase, Phases};
use crate::admin::{self, Check, Checks, Report};
use crate::crypto::KeyRing;
use crate::feed::{Feed, Signing};
use crate::store::{Error, Store, Tally};

const EVERY: Duration = Duration::from_secs(1);
/// A store that is slower than this is as good as none.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is looked at.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    pub(super) store: Store,
    pub(super) feed: Feed,
    pub(super) signing: Signing,
    pub(super) keys: Arc<KeyRing>,
}

/// Probes until the server stops; then reports that, as its last word.
pub(super) async fn run(probe: Probe, reports: watch::Sender<Report>, phases: Phases) {
    let draining = phases.reached(Phase::Draining);
    tokio::pin!(draining);
    metrics::gauge!("chancery_ready").set(i32::from(reports.borrow().ready));
    loop {
        let next = async {
            tokio::time::sleep(EVERY).await;
            probe.report().await
        };
        tokio::select! {
            biased;
            () = &mut draining => break,
            report = next => publish(&reports, &report),
        }
    }
    metrics::gauge!("chancery_ready").set(0);
    reports.send_modify(|report| {
        let running = Check::Bad("the server stops".to_owned());
        *report = Report::of(Checks { running, ..report.checks.clone() });
    });
}

/// Shows a report; those who watch are woken only if it is another one.
fn publish(reports: &watch::Sender<Report>, report: &Report) {
    metrics::gauge!("chancery_ready").set(i32::from(report.ready));
    // What is a detail alone is told where it was found.
    let mut turned = false;
    reports.send_if_modified(|shown| {
        let changed = shown != report;
        turned = changed && !(shown.ready && report.ready);
        if changed {
            shown.clone_from(report);
        }
        changed
    });
    if !turned {
        return;
    }
    let checks = serde_json::to_string(&report.checks).unwrap_or_default();
    if report.ready {
        tracing::info!("ready again");
    } else {
        tracing::error!(checks, "not ready");
    }
}

impl Probe {
    /// Looks at everything once.
    pub(super) async fn report(&self) -> Report {
        let began = Instant::now();
        let found = tokio::time::timeout(PATIENCE, self.look()).await;
        metrics::histogram!("chancery_probe_seconds").record(began.elapsed());
        // The page takes them anew; what is sent by itself is as old as this.
        admin::measure(&self.feed, &self.signing);
        let checks = found.unwrap_or_else(|_| Checks {
            store: Check::Bad("the database does not answer in time".to_owned()),
            schema: Check::Unknown,
            keys: Check::Unknown,
            snapshots: Check::Unknown,
            clock: Check::Unknown,
            running: Check::Good,
            ledgers: self.ledgers(),
        });
        if checks.store != Check::Good {
            metrics::counter!("chancery_probe_failures_total").increment(1);
        }
        Report::of(checks)
    }

    async fn look(&self) -> Checks {
        let (store, schema) = match self.store.probe().await {
            Ok(()) => (Check::Good, Check::Good),
            Err(error @ Error::NotMigrated { .. }) => (Check::Good, Check::Bad(error.to_string())),
            // The error's own words name no value and no address; its cause is for the log.
            Err(error) => {
                tracing::debug!(cause = ?std::error::Error::source(&error), "the probe failed");
                (Check::Bad(error.to_string()), Check::Unknown)
            }
        };
        let keys = match self.store.fits(&self.keys).await {
            Ok(true) => Check::Good,
            Ok(false) => Check::Bad("the master key is not the one of this store".to_owned()),
            Err(_) => Check::Unknown,
        };
        let snapshots = match self.feed.platform().await.and_then(|_| self.feed.readable()) {
            Ok(()) => Check::Good,
            Err(error) => Check::Bad(error.to_string()),
        };
        let clock =
            self.feed.clock().map_or_else(|why| Check::Bad(why.to_string()), |()| Check::Good);
        let ledgers = self.ledgers();
        Checks { store, schema, keys, snapshots, clock, running: Check::Good, ledgers }
    }

    /// Tells what was last found of the ledgers.
    fn ledgers(&self) -> Check {
        match self.store.inspected().tally() {
            Tally { known: 0, .. } => Check::Unknown,
            Tally { wrong: 0, .. } => Check::Good,
            Tally { wrong, faults, .. } => {
                let why = format!("faults: {faults}, in ledgers: {wrong}; the log names them");
                Check::Bad(why)
            }
        }
    }
}
