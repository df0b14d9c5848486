//! On what paths permissions are asked: on some that name a user, on some that name none, or on both.

use super::set::PermissionSet;
use super::types::Types;

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
        let within = |top: &str, around: &str| {
            let kinds = std::iter::once(top).chain(types.inside(top, around));
            kinds.flat_map(|kind| types.of_type(kind)).collect()
        };
        Self { under_users: within("user", ""), elsewhere: within("account", "user") }
    }
}
