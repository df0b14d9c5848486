//! On what paths permissions are asked: on some that name a user, on some that name none, or on both.

use super::set::PermissionSet;
use super::types::Types;

/// Deeper containment than this is no catalogue's; it only stops a circle.
const CONTAINMENT: usize = 8;

/// The permissions by the paths that their types can end. One may be in both sets.
#[derive(Debug)]
pub(super) struct Lying {
    /// What can be asked on a path with a `user` pair.
    pub(super) under_users: PermissionSet,
    /// What can be asked on a path without one.
    pub(super) elsewhere: PermissionSet,
}

impl Lying {
    pub(super) fn of(types: &Types) -> Self {
        let such = |lies: &dyn Fn(&str) -> bool| {
            types.all().iter().filter(|one| lies(types.kind_of(*one))).collect()
        };
        Self {
            under_users: such(&|kind| lies_under_user(types, kind, 0)),
            elsewhere: such(&|kind| lies_elsewhere(types, kind, 0)),
        }
    }
}

fn lies_under_user(types: &Types, kind: &str, depth: usize) -> bool {
    let parents = || types.get(kind).map(|kind| kind.parents.as_slice()).unwrap_or_default();
    kind == "user"
        || (depth < CONTAINMENT
            && parents().iter().any(|parent| lies_under_user(types, parent, depth + 1)))
}

fn lies_elsewhere(types: &Types, kind: &str, depth: usize) -> bool {
    let parents = || types.get(kind).map(|kind| kind.parents.as_slice()).unwrap_or_default();
    kind == "account"
        || (kind != "user"
            && depth < CONTAINMENT
            && parents().iter().any(|parent| lies_elsewhere(types, parent, depth + 1)))
}
