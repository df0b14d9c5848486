//! No escalation, by any path (`model.md` §7, `edges.md` §2): what a change gives must be held by who makes it.
//!
//! Every path calls [`escalation`] with the snapshot before and after the change: what anyone gains is what the
//! second holds and the first does not, so a role given, a suppression lifted and an edited role are one case.

use chrono::{DateTime, Utc};

use super::ask::Caller;
use super::bounds::ceiling;
use super::documents::CompiledDocument;
use super::holding::{Holding, call_holdings, contains, given, holdings, relates};
use super::snapshot::Snapshot;
use crate::model::catalogue::{Catalogue, PermissionSet};
use crate::model::{AccountId, Relation, UserId};

/// A change would give somebody what its maker does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this would give somebody what you do not hold yourself: {}", missing.join(", "))]
pub struct Escalation {
    /// Who would gain.
    pub user: UserId,
    /// Permissions that the maker lacks, at most ten.
    pub missing: Vec<String>,
}

/// Returns whether a suppression without an end lies on a user: lifting it is a grant of all that comes back. One with
/// an end takes nothing away for good.
fn is_sealed(world: &Snapshot, user: UserId) -> bool {
    world.user(user).is_some_and(|user| {
        let mut lasting = user.held.iter().filter(|held| held.expire_time.is_none());
        lasting.any(|held| world.is_suppressing(&held.role))
    })
}

/// Refuses a document whose content its writer, or whoever assigns it to `to`, does not hold (`model.md` §5).
///
/// What it gives does not depend on who has it, but for the ceiling of their account: one of each account will do.
pub fn within_document(
    home: &Snapshot,
    caller: &Caller,
    world: &Snapshot,
    document: &CompiledDocument,
    to: Option<(UserId, AccountId)>,
    now: DateTime<Utc>,
) -> Result<(), Escalation> {
    if let Some((actor, home)) = caller.actor_in(home) {
        within_document(home, actor, world, document, to, now)?;
    }
    let granter = call_holdings(home, caller, now);
    let ceiling = to.and_then(|(_, account)| ceiling(world, account));
    let to = to.unwrap_or((caller.user, caller.account));
    for gained in given(world, document, to, ceiling.as_ref(), None) {
        within(world, &gained, &[], &granter)?;
    }
    Ok(())
}

/// Refuses a change by which somebody of `affected` would hold what the caller does not.
///
/// `before` absent = all that they hold afterwards is given: taking control of a user, minting for it,
/// bringing it back. `home` is the caller's own snapshot, `after` the one with the change in it.
pub fn escalation(
    home: &Snapshot,
    caller: &Caller,
    before: Option<&Snapshot>,
    after: &Snapshot,
    affected: &[UserId],
    now: DateTime<Utc>,
) -> Result<(), Escalation> {
    // In an assumed session it must be held by both.
    if let Some((actor, home)) = caller.actor_in(home) {
        escalation(home, actor, before, after, affected, now)?;
    }
    let granter = call_holdings(home, caller, now);
    for user in affected {
        // Where a lasting suppression is lifted, all that comes back is given.
        let counted = before.filter(|before| is_sealed(after, *user) || !is_sealed(before, *user));
        let had = counted.map(|before| holdings(before, *user, now)).unwrap_or_default();
        for gained in holdings(after, *user, now) {
            within(after, &gained, &had, &granter)?;
        }
    }
    Ok(())
}

/// Returns whether a user holds anything after a change that it did not hold before.
pub fn gains(before: &Snapshot, after: &Snapshot, user: UserId, now: DateTime<Utc>) -> bool {
    let had = holdings(before, user, now);
    holdings(after, user, now).iter().any(|gained| within(after, gained, &had, &[]).is_err())
}

/// Refuses what is covered neither by what its holder had nor by what the granter holds.
pub fn within(
    world: &Snapshot,
    gained: &Holding,
    had: &[Holding],
    granter: &[Holding],
) -> Result<(), Escalation> {
    let catalogue = world.catalogue();
    let asks_relation = !matches!(gained.on, None | Some(Relation::Own));
    let mut rest = gained.clone();
    for held in had.iter().chain(granter) {
        if contains(world, held, gained) && (!asks_relation || relates(world, held, gained)) {
            rest.permissions.difference_with(&held.permissions);
        }
    }
    if rest.permissions.is_empty() {
        return Ok(());
    }
    // What is left may lie on paths of one sort only: look at each permission's type.
    let (mut on_users, mut elsewhere) = split(catalogue, &rest);
    for held in had.iter().chain(granter) {
        if !contains(world, held, gained) {
            continue;
        }
        elsewhere.difference_with(&held.permissions);
        if relates(world, held, gained) {
            on_users.difference_with(&held.permissions);
        }
    }
    on_users.union_with(&elsewhere);
    if on_users.is_empty() {
        return Ok(());
    }
    let missing = on_users.iter().take(10).map(|p| catalogue.name(p).to_owned()).collect();
    Err(Escalation { user: gained.holder, missing })
}

/// Splits what is gained into what is asked on paths with a `user` pair and what is asked on others.
///
/// What `on: self` gives on its holder's own pair is no escalation, and without `on` nothing is given there.
fn split(catalogue: &Catalogue, gained: &Holding) -> (PermissionSet, PermissionSet) {
    let (mut on_users, mut elsewhere) = (PermissionSet::new(), PermissionSet::new());
    let counts = !matches!(gained.on, None | Some(Relation::Own));
    for permission in gained.permissions.iter() {
        let kind = catalogue.kind_of(permission);
        if counts && lies_under_user(catalogue, kind, 0) {
            on_users.insert(permission);
        }
        if lies_outside_user(catalogue, kind, 0) {
            elsewhere.insert(permission);
        }
    }
    (on_users, elsewhere)
}

/// Deeper containment than this is no catalogue's; it only stops a circle.
const CONTAINMENT: usize = 8;

fn lies_under_user(catalogue: &Catalogue, kind: &str, depth: usize) -> bool {
    kind == "user"
        || (depth < CONTAINMENT
            && catalogue.kind(kind).is_some_and(|kind| {
                kind.parents.iter().any(|up| lies_under_user(catalogue, up, depth + 1))
            }))
}

fn lies_outside_user(catalogue: &Catalogue, kind: &str, depth: usize) -> bool {
    if kind == "user" {
        return false;
    }
    kind == "account"
        || (depth < CONTAINMENT
            && catalogue.kind(kind).is_some_and(|kind| {
                kind.parents.iter().any(|up| lies_outside_user(catalogue, up, depth + 1))
            }))
}
