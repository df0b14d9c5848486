//! A custom role begun as a copy of another role.

use super::Refusal;
use super::names::find_role;
use crate::decision::Snapshot;
use crate::model::catalogue::{Catalogue, PermissionSet, Role};
use crate::model::{AccountId, CustomRole, Holder, RoleRef};

const FIELD: &str = "copy_from";

/// Puts into `role` what the role called `written` has, but for its name.
///
/// Patterns of a catalogue look into its own file and those it uses, a custom role's into all; where that makes a
/// difference the copy names each permission, so that it gives what the original gives.
pub(super) fn from(
    world: &Snapshot,
    account: AccountId,
    written: &str,
    role: &mut CustomRole,
) -> Result<(), Refusal> {
    let found = find_role(world, account, written)
        .map_err(|error| Refusal::invalid("UNKNOWN_ROLE", FIELD, error.to_string()))?;
    match found {
        RoleRef::Custom(id) => {
            let Some(found) = world.role(id) else { return Err(Refusal::unseen("role", id)) };
            let CustomRole { id, account, name, create_time, update_time, .. } = role.clone();
            *role =
                CustomRole { id, account, name, create_time, update_time, ..found.role.clone() };
        }
        RoleRef::BuiltIn(full) => {
            let catalogue = world.catalogue();
            if let Some(ix) = catalogue.role(&full) {
                built_in(catalogue, catalogue.get(ix), role)?;
            }
        }
    }
    Ok(())
}

fn built_in(catalogue: &Catalogue, from: &Role, role: &mut CustomRole) -> Result<(), Refusal> {
    let reserved = [
        ("suppresses", from.suppress),
        ("widens other roles", !from.widens.is_empty()),
        ("is held without being given", from.is_baseline()),
        ("has a lone `*`", from.lone_star),
    ];
    if let Some((what, _)) = reserved.iter().find(|(_, has)| *has) {
        let why = format!("`{}` {what}, which only roles of catalogues can", from.full_name);
        return Err(Refusal::invalid("INVALID_FIELD", FIELD, why));
    }
    let visible = visible(catalogue, &from.catalogue);
    role.description.clone_from(&from.description);
    role.permits = patterns(catalogue, &visible, &from.permits);
    role.except = patterns(catalogue, &visible, &from.except);
    let full = |ix: &_| RoleRef::BuiltIn(catalogue.get(*ix).full_name.clone());
    role.includes = from.includes.iter().map(full).collect();
    role.when = from.when.as_ref().map(|when| when.text().to_owned());
    role.reach = from.reach;
    role.on = from.on;
    let users = |holder: &&Holder| **holder != Holder::Account;
    role.assignable_to = from.assignable_to.iter().filter(users).copied().collect();
    if role.assignable_to.is_empty() {
        role.assignable_to = super::custom::DEFAULT_HOLDERS.to_vec();
    }
    role.active = from.active;
    Ok(())
}

/// Returns what the patterns of a file look into.
fn visible(catalogue: &Catalogue, file: &str) -> PermissionSet {
    let mut visible = PermissionSet::new();
    let Some(own) = catalogue.files().iter().find(|info| info.name == file) else { return visible };
    for info in catalogue.files() {
        if info.name == own.name || own.uses.contains(&info.name) {
            visible.union_with(&info.permissions);
        }
    }
    visible
}

fn patterns(catalogue: &Catalogue, visible: &PermissionSet, patterns: &[String]) -> Vec<String> {
    let mut copied: Vec<String> = Vec::new();
    for pattern in patterns {
        let Ok(mut found) = catalogue.expand(pattern) else { continue };
        if found.is_subset(visible) {
            copied.push(pattern.clone());
        } else {
            found.intersect_with(visible);
            copied.extend(found.iter().map(|permission| catalogue.name(permission).to_owned()));
        }
    }
    let mut seen = std::collections::HashSet::new();
    copied.retain(|pattern| seen.insert(pattern.clone()));
    copied
}
