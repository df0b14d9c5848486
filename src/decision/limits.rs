//! What a credential may do at most: its scopes, compiled (`model.md` §9).

use crate::model::RoleRef;
use crate::model::catalogue::{Catalogue, Permission, PermissionSet};

/// The scopes of one token or key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Whether a lone `*` stands among them.
    pub all: bool,
    /// What the patterns match; `None` = no pattern stands among them, so they limit nothing.
    pub permissions: Option<PermissionSet>,
    /// The roles named; empty = all of the user's count.
    pub roles: Vec<RoleRef>,
}

impl Limits {
    /// Compiles expanded scopes; `None` where there are none, so that nothing is limited.
    ///
    /// A permission that has left the catalogue since minting matches nothing.
    pub fn compile(expanded: &[String], catalogue: &Catalogue) -> Option<Self> {
        if expanded.is_empty() {
            return None;
        }
        let mut limits = Self::default();
        for scope in expanded {
            if scope == "*" {
                limits.all = true;
            } else if let Some(role) = scope.strip_prefix("role:") {
                let role = role.parse().unwrap_or_else(|_| RoleRef::BuiltIn(role.into()));
                limits.roles.push(role);
            } else {
                let set = limits.permissions.get_or_insert_default();
                if let Some(permission) = catalogue.parse(scope) {
                    set.insert(permission);
                }
            }
        }
        Some(limits)
    }

    /// Returns whether the patterns leave `permission`.
    pub fn allows(&self, permission: Permission) -> bool {
        self.all || self.permissions.as_ref().is_none_or(|set| set.contains(permission))
    }

    /// Returns whether the patterns *name* `permission`, which minting asks for (`edges.md` §2).
    pub fn names(&self, permission: Permission) -> bool {
        self.all || self.permissions.as_ref().is_some_and(|set| set.contains(permission))
    }

    /// Returns whether a grant of `role` counts.
    pub fn counts(&self, role: &RoleRef) -> bool {
        self.roles.is_empty() || self.roles.contains(role)
    }
}
