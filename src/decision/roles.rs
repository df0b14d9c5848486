//! What a role gives, seen from the tenant of its holder.

use super::snapshot::{Held, Snapshot};
use crate::model::RoleRef;
use crate::model::catalogue::Part;

/// Custom roles that include custom roles are followed this deep; writing refuses deeper ones.
const INCLUDE_DEPTH: usize = 8;

impl Snapshot {
    /// Visits what a grant gives, part by part. It knows its role's place in the catalogue: nothing is looked up by name.
    pub(super) fn each_part_of(&self, held: &Held, f: &mut dyn FnMut(&Part)) {
        match (held.built_in, &held.role) {
            (Some(ix), _) => self.catalogue().get(ix).parts.iter().for_each(|part| f(part)),
            (None, RoleRef::BuiltIn(_)) => {}
            (None, custom) => self.each_part(custom, f),
        }
    }

    /// Visits what a role gives, part by part, what it includes as well. Inactive and vanished roles give nothing.
    pub fn each_part(&self, role: &RoleRef, f: &mut dyn FnMut(&Part)) {
        self.each_part_within(role, INCLUDE_DEPTH, f);
    }

    fn each_part_within(&self, role: &RoleRef, depth: usize, f: &mut dyn FnMut(&Part)) {
        match role {
            RoleRef::BuiltIn(name) => {
                if let Some(ix) = self.catalogue().role(name) {
                    self.catalogue().get(ix).parts.iter().for_each(|part| f(part));
                }
            }
            RoleRef::Custom(id) => {
                let Some(role) = self.role(*id).filter(|role| role.role.active) else { return };
                f(&role.own);
                if depth > 0 {
                    for included in &role.role.includes {
                        self.each_part_within(included, depth - 1, f);
                    }
                }
            }
        }
    }

    /// Returns whether the role takes everything else away (`suppress`).
    pub fn is_suppressing(&self, role: &RoleRef) -> bool {
        let RoleRef::BuiltIn(name) = role else { return false };
        self.catalogue().role(name).is_some_and(|ix| {
            let role = self.catalogue().get(ix);
            role.suppress && role.active
        })
    }
}
