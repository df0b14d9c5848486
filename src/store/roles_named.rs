//! Which role is meant by what a request calls it (`model.md` §4).

use super::Refusal;
use crate::decision::Snapshot;
use crate::model::catalogue::Unresolved;
use crate::model::{AccountId, CustomRole, Holder, RoleId, RoleRef};

/// Finds the role that `written` means for a holder of this sort in `account`: the id or name of a custom role usable
/// there, or a built-in one as [`crate::model::catalogue::Catalogue::resolve`] takes it. `field` is named in the refusal.
///
/// `UNKNOWN_ROLE`: there is none, or several, or it is an account's from which nothing comes here.
/// `ROLE_NOT_ASSIGNABLE`: there is one, but not for such a holder.
pub(super) fn resolve_role(
    world: &Snapshot,
    account: AccountId,
    written: &str,
    holder: Holder,
    field: &str,
) -> Result<RoleRef, Refusal> {
    let custom = match written.parse::<RoleId>() {
        Ok(id) => {
            let found = world.role(id).map(|found| &found.role);
            let found = found.filter(|role| is_usable(world, role, account));
            let none =
                || Refusal::invalid("UNKNOWN_ROLE", field, format!("`{written}` is no role"));
            Some(found.ok_or_else(none)?)
        }
        // No custom role is called what a built-in one is (`edges.md` §1), so the order is of no account.
        Err(_) => world
            .roles()
            .map(|found| &found.role)
            .find(|role| role.name == written && is_usable(world, role, account)),
    };
    match custom {
        Some(role) if role.assignable_to.contains(&holder) => Ok(RoleRef::Custom(role.id)),
        Some(_) => {
            let why = format!("`{written}` is not for this kind of holder");
            Err(Refusal::invalid("ROLE_NOT_ASSIGNABLE", field, why))
        }
        None => built_in(world, written, holder, field),
    }
}

/// Returns whether a custom role may be given in an account: it is the account's own, or that of one above it in its tenant.
///
/// The root's own roles are usable at the root alone, which no other tenant's snapshot holds.
pub(super) fn is_usable(world: &Snapshot, role: &CustomRole, account: AccountId) -> bool {
    world.is_in(account, role.account)
}

fn built_in(
    world: &Snapshot,
    written: &str,
    holder: Holder,
    field: &str,
) -> Result<RoleRef, Refusal> {
    let catalogue = world.catalogue();
    match catalogue.resolve(written, holder) {
        Ok(found) => Ok(RoleRef::BuiltIn(catalogue.get(found).full_name.clone())),
        Err(error) => {
            let reason = match error {
                Unresolved::Unknown { .. } | Unresolved::Ambiguous { .. } => "UNKNOWN_ROLE",
                Unresolved::NotAssignable { .. } => "ROLE_NOT_ASSIGNABLE",
            };
            Err(Refusal::invalid(reason, field, error.to_string()))
        }
    }
}
