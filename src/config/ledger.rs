//! How ledgers are looked after.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::server::InspectConfig;

/// How a server looks after the ledgers that it serves from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ledger {
    /// How often each is verified, in hours; 0 = never.
    pub verify_hours: u32,
    /// How often is looked which are due, in milliseconds.
    pub look_ms: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { verify_hours: 24, look_ms: 60_000 }
    }
}

impl Ledger {
    /// Returns the server's part of it.
    pub(super) fn config(&self) -> InspectConfig {
        InspectConfig {
            look: Duration::from_millis(self.look_ms),
            every: (self.verify_hours > 0).then(|| TimeDelta::hours(self.verify_hours.into())),
        }
    }
}
