//! Roles as given to users, and roles that accounts make for themselves (`model.md` §4).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountId, RoleId, UserId, UserKind};

/// How far a role reaches from the account of its holder.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// That account only.
    #[default]
    Account,
    /// That account and all below it.
    Subtree,
}

/// Which users a role counts for, seen from its holder (`model.md` §3, Relations).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// The holder alone.
    #[serde(rename = "self")]
    Own,
    /// All strictly below the holder.
    Subtree,
    /// Those with the same parent; never between users without one.
    Siblings,
    /// All users of the accounts that the grant reaches, the holder included.
    Account,
}

/// Who can be given a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// An account, as its ceiling.
    Account,
    /// A user of kind `ADMIN`.
    Admin,
    /// A user of kind `SERVICE`.
    Service,
    /// A user of kind `APPLICATION`.
    Application,
}

impl From<UserKind> for Holder {
    fn from(kind: UserKind) -> Self {
        match kind {
            UserKind::Admin => Self::Admin,
            UserKind::Service => Self::Service,
            UserKind::Application => Self::Application,
        }
    }
}

/// The role that a grant names: a built-in one as `catalogue/name`, or a custom one by id.
///
/// A built-in name may have vanished from its catalogue since; then the grant gives nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RoleRef {
    /// `catalogue/name`; of all who hold it one text.
    BuiltIn(Arc<str>),
    /// `rol_…`.
    Custom(RoleId),
}

impl fmt::Display for RoleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(name) => f.write_str(name),
            Self::Custom(id) => id.fmt(f),
        }
    }
}

impl FromStr for RoleRef {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::BuiltIn(text.into()), Self::Custom))
    }
}

impl Serialize for RoleRef {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RoleRef {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        Ok(text.parse().unwrap_or_else(|_| Self::BuiltIn(text.into())))
    }
}

/// One role given to one user. Its key is (user, role, scope).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleGrant {
    /// Who holds it.
    pub user: UserId,
    /// The holder's account.
    pub account: AccountId,
    /// What is held.
    pub role: RoleRef,
    /// A resource path in canonical text; covers every path that begins with its pairs. `None` = all the reach.
    pub scope: Option<String>,
    /// From this instant on it is gone.
    pub expire_time: Option<DateTime<Utc>>,
    /// When it was given.
    pub create_time: DateTime<Utc>,
    /// Who gave it; `None` = the bootstrap.
    pub created_by: Option<UserId>,
}

/// A role that an account made for itself and the accounts below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomRole {
    /// Its name for ever.
    pub id: RoleId,
    /// Where it is usable: here and below (the root's: here only).
    pub account: AccountId,
    /// `[a-z][a-z0-9_]{2,63}`; unique among the account, its ancestors and descendants.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Patterns of what it gives.
    pub permits: Vec<String>,
    /// Patterns taken out of `permits`.
    pub except: Vec<String>,
    /// Roles whose permissions it has besides.
    pub includes: Vec<RoleRef>,
    /// How far it reaches.
    pub reach: Reach,
    /// Which users it counts for; `None` = it gives nothing on users.
    pub on: Option<Relation>,
    /// A condition in CEL, if any.
    pub when: Option<String>,
    /// Who can be given it.
    pub assignable_to: Vec<Holder>,
    /// An inactive role gives nothing.
    pub active: bool,
    /// When it was created.
    pub create_time: DateTime<Utc>,
    /// When it last changed.
    pub update_time: DateTime<Utc>,
}
