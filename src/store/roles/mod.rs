//! Roles: what accounts make for themselves, and who is given what (`model.md` §4).
//!
//! Every act is judged on the snapshot at the locked revision, and by one rule: an edited role is a role assigned
//! anew, a role taken away may give back what it subtracted, and nobody gives what he does not hold (`edges.md` §2).

mod copy;
mod custom;
mod fields;
mod given;
mod includes;
mod names;
mod patterns;
mod scope;
mod taken;
mod tokens;

use super::last_super_user::{is_left_alone, still_governed};
use super::{Refusal, Tx};
use crate::decision::Snapshot;
use crate::model::{AccountId, EffectiveStatus};

pub use custom::{RoleCreated, RoleDeleted, RoleUpdated};
pub use fields::RoleFields;
pub use given::{Giving, RoleGiven};
pub use names::{Misnamed, find_role};
pub use taken::{RoleTaken, Taking};
pub use tokens::sees_role;

/// The most users, grants or tokens that one change of a role touches; beyond, it is `TOO_LARGE`.
const MOST_TOUCHED: usize = 10_000;

/// The most that one notice names; that there are others is told.
const MOST_NAMED: usize = 1000;

/// What the caller may want to know of a change: what forbids it while `force` is missing, or is worth a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// A stable reason, as that of the refusal.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// The users, roles or tokens concerned that the caller may see.
    pub seen: Vec<String>,
    /// Whether there are others.
    pub others: bool,
}

impl Notice {
    /// Refuses while `force` is missing. A dry run goes on, so that its preview lists what there is to force.
    pub(super) fn unless(self, force: bool, tx: &Tx) -> Result<Self, Refusal> {
        if force || tx.is_dry_run() {
            return Ok(self);
        }
        let named = match self.seen.as_slice() {
            [] => String::new(),
            seen => format!(": {}", seen.iter().take(10).cloned().collect::<Vec<_>>().join(", ")),
        };
        Err(Refusal::precondition(self.reason, format!("{}{named}; see `force`", self.message)))
    }
}

/// Refuses a change in an account that is closed, by itself or by one above it (`model.md` §2).
pub(super) fn not_closed(world: &Snapshot, account: AccountId) -> Result<(), Refusal> {
    if world.effective_status(account) == Some(EffectiveStatus::Closed) {
        return Err(Refusal::precondition("ACCOUNT_CLOSED", "the account is closed"));
    }
    Ok(())
}

/// Refuses to leave the platform without anybody who may do everything; of another account it is worth a notice.
fn governed(tx: &Tx, before: &Snapshot, account: AccountId) -> Result<Option<Notice>, Refusal> {
    still_governed(tx)?;
    Ok(is_left_alone(before, tx, account).then(|| Notice {
        reason: "LAST_SUPER_USER",
        message: "nobody would be left in the account who may do everything".to_owned(),
        seen: Vec::new(),
        others: false,
    }))
}
