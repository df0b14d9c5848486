//! What a custom role includes: resolved, without circles, and not more than decisions follow.

use std::collections::HashSet;

use super::Refusal;
use super::names::find_role;
use crate::decision::Snapshot;
use crate::model::{CustomRole, RoleId, RoleRef};

/// The most roles one below the other, the first not counted: what decisions follow.
const DEEPEST: usize = 8;
/// The most roles that one comes to, at any depth, each counted as often as it is come to: each is looked at in every decision.
const MOST: usize = 64;

/// Finds the roles that `written` names, each once. What `stored` has already may have vanished since.
pub(super) fn resolve(
    world: &Snapshot,
    role: &CustomRole,
    stored: Option<&CustomRole>,
    written: &[String],
) -> Result<Vec<RoleRef>, Refusal> {
    let mut found: Vec<RoleRef> = Vec::with_capacity(written.len());
    for (place, name) in written.iter().enumerate() {
        let field = format!("role.includes[{place}]");
        let kept = || {
            let mut kept = stored.iter().flat_map(|role| &role.includes);
            kept.find(|kept| kept.to_string() == *name).cloned()
        };
        let one = match find_role(world, role.account, name) {
            Ok(one) => one,
            Err(error) => {
                kept().ok_or_else(|| Refusal::invalid("UNKNOWN_ROLE", &field, error.to_string()))?
            }
        };
        if let Some(what) = reserved(world, &one) {
            let why = format!("`{name}` {what}, which is not passed on by including");
            return Err(Refusal::invalid("INVALID_FIELD", &field, why));
        }
        if !found.contains(&one) {
            found.push(one);
        }
    }
    Ok(found)
}

fn reserved(world: &Snapshot, role: &RoleRef) -> Option<&'static str> {
    let RoleRef::BuiltIn(full) = role else { return None };
    let role = world.catalogue().role(full).map(|ix| world.catalogue().get(ix))?;
    if role.suppress {
        Some("suppresses")
    } else if role.lone_star {
        Some("is everything, now and later")
    } else if !role.widens.is_empty() {
        Some("widens other roles")
    } else if role.is_baseline() {
        Some("is held without being given")
    } else {
        None
    }
}

/// Refuses a circle, before the role stands in the world.
pub(super) fn no_circle(world: &Snapshot, role: &CustomRole) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    let mut ahead: Vec<&RoleRef> = role.includes.iter().collect();
    while let Some(next) = ahead.pop() {
        let RoleRef::Custom(id) = next else { continue };
        if *id == role.id {
            return Err(Refusal::precondition("CYCLE", "the role would include itself"));
        }
        if let Some(found) = world.role(*id).filter(|_| seen.insert(*id)) {
            ahead.extend(&found.role.includes);
        }
    }
    Ok(())
}

/// Refuses what would be too deep or too much, of the role and of all that include it. The world has the role.
pub(super) fn within_limits(world: &Snapshot, id: RoleId) -> Result<(), Refusal> {
    for id in std::iter::once(id).chain(including(world, id)) {
        let size = size(world, &RoleRef::Custom(id));
        if size.depth > DEEPEST {
            let why = format!("roles would include one another more than {DEEPEST} deep");
            return Err(Refusal::precondition("DEPTH_LIMIT", why));
        }
        if size.count > MOST {
            let why = format!("a role would come to more than {MOST} others by including");
            return Err(Refusal::precondition("TOO_LARGE", why));
        }
    }
    Ok(())
}

struct Size {
    depth: usize,
    count: usize,
}

/// Measures what a role comes to. There is no circle, and before the last change nothing was past the limits, so that this
/// ends soon.
fn size(world: &Snapshot, role: &RoleRef) -> Size {
    let RoleRef::Custom(id) = role else { return Size { depth: 0, count: 0 } };
    let includes = world.role(*id).map(|found| found.role.includes.as_slice()).unwrap_or_default();
    includes.iter().map(|one| size(world, one)).fold(Size { depth: 0, count: 0 }, |all, one| Size {
        depth: all.depth.max(one.depth + 1),
        count: all.count + one.count + 1,
    })
}

/// Lists the roles that include one, at any depth, in no order.
pub(super) fn including(world: &Snapshot, id: RoleId) -> Vec<RoleId> {
    let mut found = Vec::new();
    let mut seen = HashSet::from([id]);
    loop {
        let before = found.len();
        for role in world.roles().map(|found| &found.role) {
            let includes = role.includes.iter().any(|one| match one {
                RoleRef::Custom(one) => seen.contains(one),
                RoleRef::BuiltIn(_) => false,
            });
            if includes && seen.insert(role.id) {
                found.push(role.id);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}
