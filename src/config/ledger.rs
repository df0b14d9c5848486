//! How ledgers are looked after.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::check::problem;
use crate::server::InspectConfig;

/// The least that entries are kept for, in days.
const LEAST: u32 = 30;

/// How a server looks after the ledgers that it serves from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ledger {
    /// How often each is verified, in hours; 0 = never.
    pub verify_hours: u32,
    /// How often is looked which are due, in milliseconds.
    pub look_ms: u64,
    /// For how long entries are kept, in days; 0 = for ever.
    pub keep_days: u32,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { verify_hours: 24, look_ms: 60_000, keep_days: 0 }
    }
}

impl Ledger {
    /// Refuses to keep entries for less long than what rests on them may take.
    pub(super) fn check(&self) -> Option<Problem> {
        let short = (1..LEAST).contains(&self.keep_days);
        let why = || {
            format!(
                "{} is not at least {LEAST}: who follows changes, asks about other times or exports the ledger needs it for so \
                 long; 0 keeps it for ever",
                self.keep_days
            )
        };
        short.then(|| problem("ledger.keep_days", why()))
    }

    /// Returns the server's part of it.
    pub(super) fn config(&self) -> InspectConfig {
        InspectConfig {
            look: Duration::from_millis(self.look_ms),
            keep: (self.keep_days > 0).then(|| TimeDelta::days(self.keep_days.into())),
            every: (self.verify_hours > 0).then(|| TimeDelta::hours(self.verify_hours.into())),
        }
    }
}
