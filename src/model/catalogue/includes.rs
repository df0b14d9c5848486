//! What roles include, laid flat: circles are refused here, so that nothing later needs to look for them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::compile::{Part, Role, RoleIx, role_error};
use super::error::{CatalogueError, RoleFault};

/// The most roles that one may include, at any depth.
const MOST_INCLUDED: usize = 64;

/// Works out `parts` and `expanded` of every role.
pub(super) fn lay_flat(roles: &mut [Role]) -> Result<(), CatalogueError> {
    let own: Vec<Option<Arc<Part>>> = roles.iter().map(own_part).collect();
    let mut parts = Vec::with_capacity(roles.len());
    for (role, ix) in roles.iter().zip((0..).map(RoleIx)) {
        let fail = |fault| role_error(&role.catalogue, &role.name, fault);
        check_includes(roles, ix).map_err(fail)?;
        // What an inactive role includes is not come to through it.
        let giving = reached(roles, ix, |role| role.active).map_err(fail)?;
        let of = |ix: &RoleIx| own.get(ix.index()).cloned().flatten();
        parts.push(giving.iter().filter_map(of).collect::<Vec<_>>());
    }
    for (role, parts) in roles.iter_mut().zip(parts) {
        for part in &parts {
            role.expanded.union_with(&part.permissions);
        }
        role.parts = parts;
    }
    Ok(())
}

/// Makes what a role gives by itself; none if that is nothing.
fn own_part(role: &Role) -> Option<Arc<Part>> {
    (role.active && !role.own.is_empty()).then(|| {
        Arc::new(Part {
            permissions: role.own.clone(),
            reach: role.reach,
            on: role.on,
            when: role.when.clone(),
        })
    })
}

/// Refuses a role that comes back to itself, and one that includes what cannot be passed on.
fn check_includes(roles: &[Role], ix: RoleIx) -> Result<(), RoleFault> {
    for other in reached(roles, ix, |_| true)? {
        let suppressing = roles.get(other.index()).filter(|role| role.suppress && other != ix);
        if let Some(role) = suppressing {
            return Err(RoleFault::Suppressing(role.full_name.to_string()));
        }
    }
    Ok(())
}

/// Walks from a role to all it includes, itself first, each once, through those that `follow` holds for.
fn reached(
    roles: &[Role],
    from: RoleIx,
    follow: impl Fn(&Role) -> bool,
) -> Result<Vec<RoleIx>, RoleFault> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    // Where each was come from, for telling a circle. No recursion: the text decides how deep this goes.
    let mut came_from = HashMap::new();
    let mut ahead = vec![from];
    while let Some(ix) = ahead.pop() {
        let Some(role) = roles.get(ix.index()).filter(|role| follow(role)) else { continue };
        if !seen.insert(ix) {
            continue;
        }
        if found.len() > MOST_INCLUDED {
            return Err(RoleFault::TooMany(MOST_INCLUDED));
        }
        found.push(ix);
        for next in role.includes.iter().rev() {
            if *next == from {
                return Err(RoleFault::Cycle(circle(roles, &came_from, ix)));
            }
            if !seen.contains(next) {
                came_from.insert(*next, ix);
                ahead.push(*next);
            }
        }
    }
    Ok(found)
}

/// Names the roles of a circle that is closed by `last`, the first of them again at the end.
fn circle(roles: &[Role], came_from: &HashMap<RoleIx, RoleIx>, last: RoleIx) -> Vec<String> {
    // Each was come to from one found before it, and only the first from none.
    let mut way: Vec<RoleIx> =
        std::iter::successors(Some(last), |ix| came_from.get(ix).copied()).collect();
    way.reverse();
    way.extend(way.first().copied());
    way.iter()
        .filter_map(|ix| roles.get(ix.index()))
        .map(|role| role.full_name.to_string())
        .collect()
}
