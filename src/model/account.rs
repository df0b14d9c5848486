//! Accounts, which form a tree (`model.md` §2).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountId, UserId};

/// What an account was told to be. What it can do is its [`EffectiveStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AccountStatus {
    /// Created, not yet in use.
    Pending,
    /// In use.
    Active,
    /// Stopped, until it is resumed.
    Suspended,
    /// Ended for good.
    Closed,
}

/// The gravest of an account's own state and its ancestors'; an account works only while it is `Active`.
///
/// Ordered by gravity. It is computed from the chain, never written down the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EffectiveStatus {
    /// It works.
    Active,
    /// It, or an account above it, has not been activated.
    Pending,
    /// It, or an account above it, is suspended.
    Suspended,
    /// It, or an account above it, is in quarantine.
    Quarantined,
    /// It, or an account above it, is closed.
    Closed,
}

/// One node of the account tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name for ever.
    pub id: AccountId,
    /// The account above; `None` only for the root.
    pub parent: Option<AccountId>,
    /// The main account of its tree; the root is its own.
    pub tenant: AccountId,
    /// What people call it.
    pub display_name: String,
    /// Unique over the platform when folded, closed accounts included.
    pub email: Option<String>,
    /// The name its users sign in under; unique over the platform when folded.
    pub login_alias: Option<String>,
    /// The ceiling over all that its users may do, as `catalogue/name`; none = no ceiling of its own.
    pub role: Option<String>,
    /// What it was told to be.
    pub status: AccountStatus,
    /// The account from which the suspension was ordered; only that one and those above it lift it.
    pub suspended_from: Option<AccountId>,
    /// The account from which the quarantine was ordered; `None` = not in quarantine.
    pub quarantined_from: Option<AccountId>,
    /// The user who created it; `None` for the root.
    pub created_by: Option<UserId>,
    /// When it was created.
    pub create_time: DateTime<Utc>,
    /// When its own fields last changed.
    pub update_time: DateTime<Utc>,
}

impl Account {
    /// Returns what its own state alone amounts to; the ancestors' may be graver.
    pub const fn own_status(&self) -> EffectiveStatus {
        match (self.status, self.quarantined_from) {
            (AccountStatus::Closed, _) => EffectiveStatus::Closed,
            (_, Some(_)) => EffectiveStatus::Quarantined,
            (AccountStatus::Suspended, None) => EffectiveStatus::Suspended,
            (AccountStatus::Pending, None) => EffectiveStatus::Pending,
            (AccountStatus::Active, None) => EffectiveStatus::Active,
        }
    }

    /// Returns whether it is the platform itself.
    pub const fn is_root(&self) -> bool {
        self.parent.is_none()
    }
}
