//! What is kept of sign-ins, failures, denials and uses of tokens.

use serde::{Deserialize, Serialize};

/// What is kept of what was done without changing anything.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Activity {
    /// For how long, in days.
    pub keep_days: u32,
}

impl Default for Activity {
    fn default() -> Self {
        Self { keep_days: 90 }
    }
}
