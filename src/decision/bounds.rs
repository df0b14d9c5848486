//! What bounds all that an account and its users may do: its status and its ceiling (`model.md` §6, steps 2 and 5).

use std::sync::Arc;

use super::conditions::Conditions;
use super::question::{Question, Worlds};
use super::snapshot::Snapshot;
use crate::model::catalogue::{Part, Permission, PermissionSet};
use crate::model::{Account, AccountId, EffectiveStatus, Reach};

/// Computes the ceiling of an account: the roles of itself and of all above it together. `None` = no ceiling.
///
/// A role that has vanished from the catalogue leaves nothing (fail closed).
pub fn ceiling(world: &Snapshot, account: AccountId) -> Option<PermissionSet> {
    let mut found: Option<PermissionSet> = None;
    for role in world.chain(account).filter_map(|account| account.role.as_deref()) {
        let set = account_role(world, role);
        match &mut found {
            Some(found) => found.intersect_with(&set),
            None => found = Some(set),
        }
    }
    found
}

fn account_role(world: &Snapshot, role: &str) -> PermissionSet {
    let catalogue = world.catalogue();
    catalogue.role(role).map(|ix| catalogue.get(ix).expanded.clone()).unwrap_or_default()
}

/// Steps 2 and 5 are the same for users and accounts.
pub(super) fn status_denies(
    worlds: Worlds<'_>,
    question: &Question<'_>,
    account: AccountId,
) -> bool {
    if worlds.home.effective_status(account) != Some(EffectiveStatus::Active) {
        return true;
    }
    let at = question.resource.account;
    let Some(there) = worlds.there.filter(|_| at != account || !worlds.is_one()) else {
        return false;
    };
    match there.effective_status(at) {
        None | Some(EffectiveStatus::Active) => false,
        // By the catalogue that the permission is a number of, which is the subject's.
        Some(_) => {
            let core = worlds.home.catalogue().is_core(question.permission);
            !(core && there.is_above(account, at))
        }
    }
}

pub(super) fn ceiling_denies(
    worlds: Worlds<'_>,
    question: &Question<'_>,
    account: AccountId,
    conditions: &Conditions<'_>,
) -> bool {
    let lacks = lacking(worlds.home, account, question.permission, conditions).next().is_some();
    lacks || is_confined(worlds, question, account)
}

/// Walks the accounts, from this one upwards, whose role lacks a permission, or has it under a condition that fails.
pub(super) fn lacking<'a>(
    world: &'a Snapshot,
    account: AccountId,
    permission: Permission,
    conditions: &'a Conditions<'_>,
) -> impl Iterator<Item = &'a Account> {
    let catalogue = world.catalogue();
    world.chain(account).map(|account| &**account).filter(move |account| {
        account.role.as_deref().is_some_and(|role| {
            let role = catalogue.role(role).map(|ix| catalogue.get(ix));
            let gives = |part: &Arc<Part>| {
                part.permissions.contains(permission) && conditions.test(part, None).is_ok()
            };
            role.is_none_or(|role| !role.parts.iter().any(gives))
        })
    })
}

/// Returns whether the account's own role keeps it from resources of other accounts, and this is one.
pub(super) fn is_confined(worlds: Worlds<'_>, question: &Question<'_>, account: AccountId) -> bool {
    account != question.resource.account
        && is_confining(worlds.home, account)
        && !worlds.home.catalogue().is_shared_down(question.permission)
}

/// Returns whether the account's own role keeps it from resources of other accounts.
pub(super) fn is_confining(world: &Snapshot, account: AccountId) -> bool {
    let catalogue = world.catalogue();
    let role = world.account(account).and_then(|account| account.role.as_deref());
    let role = role.and_then(|role| catalogue.role(role));
    role.is_some_and(|ix| catalogue.get(ix).reach == Reach::Account)
}
