//! From the catalogues in force to those that are to be: what each role gives more and less, by name.

use std::collections::HashSet;

use super::Catalogue;
use super::compile::{Part, Role};
use super::set::{Permission, PermissionSet};
use crate::model::Relation;

/// What lies between two catalogues.
#[derive(Debug)]
pub struct Difference<'a> {
    old: &'a Catalogue,
    new: &'a Catalogue,
    /// By the old number, the new one.
    numbers: Vec<Option<Permission>>,
    fresh: PermissionSet,
}

/// Whether something is only in the new catalogue, in both, or only in the old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It comes.
    Added,
    /// It is there and stays.
    Kept,
    /// It vanishes.
    Removed,
}

/// What a role gives more and less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDifference {
    /// `catalogue/NAME`.
    pub role: String,
    /// Whether it comes, stays or vanishes.
    pub standing: Standing,
    /// Permissions that it gives newly, or further, on more users, or under less of a condition than before; sorted.
    pub gained: Vec<String>,
    /// The reverse; sorted.
    pub lost: Vec<String>,
}

impl<'a> Difference<'a> {
    /// Holds `new` against `old`.
    pub fn new(old: &'a Catalogue, new: &'a Catalogue) -> Self {
        let numbers: Vec<Option<Permission>> =
            old.all().iter().map(|one| new.parse(old.name(one))).collect();
        let mut fresh = new.all().clone();
        numbers.iter().flatten().for_each(|known| fresh.remove(*known));
        Self { old, new, numbers, fresh }
    }

    /// Returns the permissions that are newly declared, in numbers of the new catalogue.
    pub const fn fresh(&self) -> &PermissionSet {
        &self.fresh
    }

    /// Turns a set of the old catalogue into one of the new; what has vanished is left out.
    pub fn renumber(&self, set: &PermissionSet) -> PermissionSet {
        set.iter().filter_map(|one| self.numbers.get(one.index()).copied().flatten()).collect()
    }

    /// Lists the names of the newly declared permissions, sorted.
    pub fn added_permissions(&self) -> Vec<String> {
        self.new.sorted_names(&self.fresh)
    }

    /// Lists the names of the permissions that vanish, sorted.
    pub fn removed_permissions(&self) -> Vec<String> {
        self.old.sorted_names(&self.vanished(self.old.all()))
    }

    /// Lists the types that come, in the order of files.
    pub fn added_types(&self) -> Vec<String> {
        types_beyond(self.new, self.old)
    }

    /// Lists the types that vanish, in the order of files.
    pub fn removed_types(&self) -> Vec<String> {
        types_beyond(self.old, self.new)
    }

    /// Returns what may come to people by other ways than roles, in numbers of the new catalogue: what rights documents may
    /// give and could not, what now also holds on the accounts above, and what now lies where it did not.
    pub fn opened(&self) -> PermissionSet {
        let mut opened = PermissionSet::new();
        for kind in self.new.types() {
            let old = self.old.kind(&kind.name);
            let moved = |old: &super::Type| kind.parents.iter().any(|up| !old.parents.contains(up));
            let moved = old.is_some_and(moved);
            for action in &kind.actions {
                let Some(one) = self.new.permission(&kind.name, action) else { continue };
                let was = self.old.permission(&kind.name, action);
                let givable = self.new.is_for_documents(one)
                    && !was.is_some_and(|was| self.old.is_for_documents(was));
                let shared = self.new.is_shared_down(one)
                    && !was.is_some_and(|was| self.old.is_shared_down(was));
                if moved || givable || shared {
                    opened.insert(one);
                }
            }
        }
        opened
    }

    /// Lists the roles that come, that vanish, and those of the rest that give something else than before.
    pub fn roles(&self) -> Vec<RoleDifference> {
        let mut found = Vec::new();
        for (_, role) in self.new.roles() {
            let old = self.old.role(&role.full_name).map(|ix| self.old.get(ix));
            let standing = if old.is_some() { Standing::Kept } else { Standing::Added };
            found.push(self.role(standing, old, Some(role)));
        }
        for (_, role) in self.old.roles() {
            if self.new.role(&role.full_name).is_none() {
                found.push(self.role(Standing::Removed, Some(role), None));
            }
        }
        found.retain(|role| {
            role.standing != Standing::Kept || !role.gained.is_empty() || !role.lost.is_empty()
        });
        found
    }

    fn role(&self, standing: Standing, old: Option<&Role>, new: Option<&Role>) -> RoleDifference {
        let either = new.or(old);
        let before: Vec<Part> =
            old.iter().flat_map(|role| &role.parts).map(|p| self.part(p)).collect();
        let after: Vec<&Part> =
            new.iter().flat_map(|role| &role.parts).map(|part| &**part).collect();
        let before: Vec<&Part> = before.iter().collect();
        let mut lost: Vec<String> = self.new.sorted_names(&beyond(&before, &after));
        for part in old.iter().flat_map(|role| &role.parts) {
            lost.extend(self.old.sorted_names(&self.vanished(&part.permissions)));
        }
        lost.sort_unstable();
        lost.dedup();
        RoleDifference {
            role: either.map(|role| role.full_name.to_string()).unwrap_or_default(),
            standing,
            gained: self.new.sorted_names(&beyond(&after, &before)),
            lost,
        }
    }

    /// Writes a part of the old catalogue in numbers of the new one.
    pub fn part(&self, part: &Part) -> Part {
        Part { permissions: self.renumber(&part.permissions), ..part.clone() }
    }

    /// Returns what of a set of the old catalogue is not in the new one, in numbers of the old.
    pub fn vanished(&self, set: &PermissionSet) -> PermissionSet {
        let gone = |one: &Permission| self.numbers.get(one.index()).is_none_or(Option::is_none);
        set.iter().filter(gone).collect()
    }
}

/// Returns what `parts` give and `others` do not, or not as far, on as many users and as freely.
fn beyond(parts: &[&Part], others: &[&Part]) -> PermissionSet {
    let mut all = PermissionSet::new();
    for part in parts {
        let mut rest = part.permissions.clone();
        for other in others.iter().filter(|other| is_as_wide(other, part)) {
            rest.difference_with(&other.permissions);
        }
        all.union_with(&rest);
    }
    all
}

/// Returns whether `wide` holds wherever, on whomever and whenever `narrow` does.
fn is_as_wide(wide: &Part, narrow: &Part) -> bool {
    let on = match (wide.on, narrow.on) {
        (_, None) | (Some(Relation::Account), _) | (Some(_), Some(Relation::Own)) => true,
        (wide, narrow) => wide == narrow,
    };
    on && wide.reach >= narrow.reach && (wide.when.is_none() || wide.when == narrow.when)
}

fn types_beyond(one: &Catalogue, other: &Catalogue) -> Vec<String> {
    let known: HashSet<&str> = other.types().iter().map(|kind| kind.name.as_str()).collect();
    let names = one.types().iter().map(|kind| &kind.name);
    names.filter(|name| !known.contains(name.as_str())).cloned().collect()
}
