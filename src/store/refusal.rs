//! What an act answers instead of being done. Each kind is one gRPC code; `layers/status.rs` has the table.

use crate::decision::{BrokenWorld, Escalation, Refused};

use super::Error;

/// Why a change is not made. Nothing of it is written.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The caller may not, or may not know.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A field holds what cannot be.
    #[error("{field}: {why}")]
    Invalid {
        /// A stable reason, such as `UNKNOWN_ROLE`.
        reason: &'static str,
        /// The field's path in the request.
        field: String,
        /// What is wrong with it, and what is allowed.
        why: String,
    },
    /// The state forbids it.
    #[error("{why}")]
    Precondition {
        /// A stable reason, such as `CYCLE`.
        reason: &'static str,
        /// What forbids it, and the way out.
        why: String,
    },
    /// It is there already.
    #[error("{why}")]
    Exists {
        /// A stable reason, such as `USER_NAME_TAKEN`.
        reason: &'static str,
        /// What is there.
        why: String,
    },
    /// The user does not hold the role, or not so.
    #[error("the user does not hold `{role}` so")]
    NotHeld {
        /// The role, as the request calls it.
        role: String,
    },
    /// It would give somebody what the caller does not hold.
    #[error(transparent)]
    Escalation(#[from] Escalation),
    /// It would raise an account's ceiling past that of the caller's own account.
    #[error("this would let account `{account}` do what your own account may not: {}", missing.join(", "))]
    BeyondCeiling {
        /// Whose ceiling.
        account: String,
        /// Permissions that the caller's account lacks, at most ten.
        missing: Vec<String>,
    },
    /// The caller holds the permission, but its credential is not one that makes credentials (`edges.md` §2).
    #[error(
        "this credential makes no tokens: that takes a sign-in not longer ago than ten minutes, or a token whose own scopes \
         name `{permission}`"
    )]
    Unnamed {
        /// What the scopes would have to name.
        permission: &'static str,
    },
    /// The link of a message is not good, whatever the reason.
    #[error("the token is not valid")]
    BadLink,
    /// The password is another.
    #[error("the current password is another")]
    WrongPassword,
    /// The object changed since the caller read it.
    #[error(
        "the object has changed since it was read: read it again and repeat the change on what it is now"
    )]
    Stale,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] Error),
}

impl Refusal {
    /// Refuses a field.
    pub fn invalid(reason: &'static str, field: &str, why: impl Into<String>) -> Self {
        Self::Invalid { reason, field: field.to_owned(), why: why.into() }
    }

    /// Refuses by state.
    pub fn precondition(reason: &'static str, why: impl Into<String>) -> Self {
        Self::Precondition { reason, why: why.into() }
    }

    /// Refuses what is there already.
    pub fn exists(reason: &'static str, why: impl Into<String>) -> Self {
        Self::Exists { reason, why: why.into() }
    }

    /// Says that an object is not there, in the words that are also used for what the caller may not see.
    #[expect(clippy::needless_pass_by_value, reason = "ids are small and copied")]
    pub fn unseen(kind: &'static str, id: impl ToString) -> Self {
        Self::Refused(Refused::Unseen { kind, id: id.to_string() })
    }

    /// Says that the caller sees the object but lacks `permission`.
    pub fn forbidden(permission: &str) -> Self {
        Self::Refused(Refused::Forbidden { permission: permission.to_owned() })
    }
}

impl From<BrokenWorld> for Refusal {
    fn from(error: BrokenWorld) -> Self {
        Self::Store(Error::Misfit(error))
    }
}
