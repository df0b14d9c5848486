//! What was done that changed nothing (`model.md` §8): it is in no ledger.

use chrono::{DateTime, Utc};

use super::ledger::words;
use super::{AccountId, ActivityId, UserId};

words! {
    /// What was done.
    ActivityKind, "kind of activity":
    SignIn = "SIGN_IN";
    SignInFailed = "SIGN_IN_FAILED";
    Denied = "DENIED";
    TokenUsed = "TOKEN_USED";
}

/// Who did what, from where. What is done again and again is one of these, and counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Deed {
    /// The tenant of the account.
    pub tenant: AccountId,
    /// The account whose audit it belongs to: that of the user.
    pub account: AccountId,
    /// The user, where it is known who it was.
    pub user: Option<UserId>,
    /// What was done.
    pub kind: ActivityKind,
    /// With what: the kind of session, the method that was refused, the token.
    pub what: String,
    /// From where.
    pub source: String,
}

/// A deed with when it was done, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Names it.
    pub id: ActivityId,
    /// What was done.
    pub deed: Deed,
    /// How often, between the two times.
    pub count: u32,
    /// When first.
    pub at: DateTime<Utc>,
    /// When last.
    pub last_at: DateTime<Utc>,
}
