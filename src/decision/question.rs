//! What is asked, and what is answered (`model.md` §6).

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::limits::Limits;
use super::snapshot::Snapshot;
use crate::model::catalogue::{Permission, RoleIx};
use crate::model::{AccountId, DocId, Fault, ResourcePath, RoleId, RoleRef, UserId};

/// Who is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A user.
    User(UserId),
    /// An account, which holds exactly its role.
    Account(AccountId),
    /// Nobody that is known here.
    Unknown,
}

/// The two snapshots that a decision stands on.
///
/// They are one and the same, but for a user of the root account, whose standing, credential and grants are the
/// platform's while status, tree and users are those of the resource's tenant.
#[derive(Debug, Clone, Copy)]
pub struct Worlds<'a> {
    /// The subject's tenant.
    pub home: &'a Snapshot,
    /// The resource's tenant; `None` where there is none that the subject could reach.
    pub there: Option<&'a Snapshot>,
}

impl Worlds<'_> {
    /// Tells whether they are one and the same.
    pub(super) fn is_one(&self) -> bool {
        self.there.is_some_and(|there| std::ptr::eq(self.home, there))
    }
}

/// What the asker says of the parts of a question, for conditions.
#[derive(Debug, Clone, Default)]
pub struct Properties {
    /// Of the subject.
    pub subject: Map<String, Value>,
    /// Of the action.
    pub action: Map<String, Value>,
    /// Of the resource.
    pub resource: Map<String, Value>,
    /// What else is known.
    pub context: Map<String, Value>,
}

/// Who says it. Nobody is asked where no condition is met.
pub trait Asked: std::fmt::Debug + Sync {
    /// Returns what is said.
    fn properties(&self) -> Properties;
}

/// The asker of our own calls, who says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

impl Asked for Nothing {
    fn properties(&self) -> Properties {
        Properties::default()
    }
}

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who.
    pub subject: Subject,
    /// The limits of the credential used, if any.
    pub limits: Option<&'a Limits>,
    /// What.
    pub permission: Permission,
    /// On what.
    pub resource: &'a ResourcePath,
    /// When.
    pub now: DateTime<Utc>,
    /// What else is said, for conditions.
    pub asked: &'a dyn Asked,
}

/// Why it was decided so. In the order of `model.md` §6; the first that holds ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It is permitted.
    Permitted,
    /// Nobody such is known here.
    SubjectUnknown,
    /// The user is disabled.
    SubjectDisabled,
    /// The credential is no credential.
    TokenInvalid,
    /// The credential has expired.
    TokenExpired,
    /// The credential was ended, or its user disabled or deleted.
    TokenRevoked,
    /// The subject's or the resource's account does not work.
    AccountNotActive,
    /// A suppressing role is held.
    NoAccess,
    /// Nothing that is held covers it.
    NoGrant,
    /// The role of the subject's account, or of one above it, lacks it.
    AccountRoleCeiling,
    /// The credential's own scopes lack it.
    TokenScope,
}

/// For [`Reason::NoGrant`]: how near the nearest grant came. Ordered by nearness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Missing {
    /// Nothing held gives the permission at all.
    NotGranted,
    /// One does, but not in that account.
    OutOfReach,
    /// One does there, but its scope, or no entry of the document, covers the resource.
    OutOfScope,
    /// One does, but not on that user.
    WrongRelation,
    /// One does, but its condition does not hold.
    ConditionFailed,
    /// One did, until it expired.
    GrantExpired,
}

/// What permitted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// What every user of its kind holds without being given it.
    Baseline(RoleIx),
    /// The grant at this place of the holder's list.
    Held {
        /// Who holds it.
        user: UserId,
        /// Its place among the holder's grants.
        place: usize,
        /// The custom role, where it is one.
        custom: Option<RoleId>,
    },
    /// A rights document, and whom it was assigned to: the user itself or, where it cascades, one above.
    Document {
        /// What.
        document: DocId,
        /// To whom.
        holder: UserId,
    },
    /// The account's own role.
    AccountRole(RoleIx),
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Why; [`Reason::Permitted`] and nothing else is a permit.
    pub reason: Reason,
    /// How near the nearest grant came, for [`Reason::NoGrant`].
    pub missing: Option<Missing>,
    /// What permitted it.
    pub because: Option<Because>,
    /// For [`Missing::ConditionFailed`]: the condition that could not be evaluated, if that was it.
    pub untold: Option<Untold>,
}

/// A condition that could not be evaluated, so that its grant does not count (`model.md` §6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// The role that is held under it, by itself or by what it includes.
    pub role: RoleRef,
    /// Why.
    pub fault: Fault,
}

impl Answer {
    /// Returns whether it is a permit.
    pub fn is_permit(&self) -> bool {
        self.reason == Reason::Permitted
    }

    /// A denial of which nothing else is said.
    pub const fn deny(reason: Reason) -> Self {
        Self { reason, missing: None, because: None, untold: None }
    }
}
