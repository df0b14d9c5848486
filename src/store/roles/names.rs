//! Which role is meant where no holder narrows it down.

use std::sync::Arc;

use crate::decision::Snapshot;
use crate::model::{AccountId, Holder, RoleRef};
use crate::store::roles_named::is_usable;

/// A name that is not that of one role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misnamed {
    /// No role usable there has it.
    #[error("`{written}` is no role; nearest: {}", nearest.join(", "))]
    Unknown {
        /// As written.
        written: String,
        /// What may have been meant, best first.
        nearest: Vec<String>,
    },
    /// Several roles have it.
    #[error("`{written}` is more than one role: {}", candidates.join(", "))]
    Several {
        /// As written.
        written: String,
        /// Their full names.
        candidates: Vec<String>,
    },
}

/// Finds the role that `written` names in `account`: by id or name a custom one usable there, or a built-in one by its full
/// name, or by its bare name where only one has it. `(none)` has a full name only.
pub fn find_role(world: &Snapshot, account: AccountId, written: &str) -> Result<RoleRef, Misnamed> {
    let unknown = || {
        let nearest = world.catalogue().nearest_roles(written, Holder::Admin);
        Misnamed::Unknown { written: written.to_owned(), nearest }
    };
    if let Ok(id) = written.parse() {
        let role = world.role(id).filter(|found| is_usable(world, &found.role, account));
        return role.map(|found| RoleRef::Custom(found.role.id)).ok_or_else(unknown);
    }
    let catalogue = world.catalogue();
    if catalogue.role(written).is_some() {
        return Ok(RoleRef::BuiltIn(written.into()));
    }
    let named = catalogue.roles().map(|(_, role)| role);
    let candidates: Vec<Arc<str>> = named
        .filter(|role| role.name == written && !role.is_baseline())
        .map(|role| role.full_name.clone())
        .collect();
    match candidates.as_slice() {
        [one] => Ok(RoleRef::BuiltIn(one.clone())),
        [] => {
            let mut customs = world.roles().map(|found| &found.role);
            let found = customs.find(|r| r.name == written && is_usable(world, r, account));
            found.map(|role| RoleRef::Custom(role.id)).ok_or_else(unknown)
        }
        several => {
            let candidates = several.iter().map(ToString::to_string).collect();
            Err(Misnamed::Several { written: written.to_owned(), candidates })
        }
    }
}
