//! No escalation, by any path (`model.md` §7, `edges.md` §2): what a change gives must be held by who makes it.
//!
//! Every path calls [`escalation`] with the snapshot before and after the change: what anyone gains is what the
//! second holds and the first does not, so a role given, a suppression lifted and an edited role are one case.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::ask::Caller;
use super::decide::ceiling;
use super::limits::Limits;
use super::snapshot::{Held, Principal, Snapshot};
use crate::model::catalogue::{Catalogue, PermissionSet};
use crate::model::{AccountId, Reach, Relation, ResourcePath, UserId};

/// One thing that somebody holds: permissions, and where, on whom, until when and on what condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Who holds it.
    pub holder: UserId,
    /// The holder's account.
    pub account: AccountId,
    /// What, after the ceiling of that account.
    pub permissions: PermissionSet,
    /// How far from that account.
    pub reach: Reach,
    /// On which users; `None` = on none.
    pub on: Option<Relation>,
    /// Within which path.
    pub scope: Option<Arc<ResourcePath>>,
    /// Until when.
    pub expire_time: Option<DateTime<Utc>>,
    /// On what condition.
    pub when: Option<Arc<str>>,
}

/// A change would give somebody what its maker does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this would give somebody what you do not hold yourself: {}", missing.join(", "))]
pub struct Escalation {
    /// Who would gain.
    pub user: UserId,
    /// Permissions that the maker lacks, at most ten.
    pub missing: Vec<String>,
}

/// Lists what a user holds by roles given to it; `(none)` is held anyway and not listed.
///
/// Whether the user is enabled, and whether its account works, does not matter here: those are lifted under
/// permissions of their own. Nor does a suppression: it can be lifted, and what lies under it comes back then, so
/// nothing is planted under one that could not be given without. A deleted user holds nothing.
pub fn holdings(world: &Snapshot, user: UserId, now: DateTime<Utc>) -> Vec<Holding> {
    world.user(user).map(|user| held(world, user, None, now)).unwrap_or_default()
}

/// Returns whether a suppression without an end lies on a user: lifting it is a grant of all that comes back. One with
/// an end takes nothing away for good.
fn is_sealed(world: &Snapshot, user: UserId) -> bool {
    world.user(user).is_some_and(|user| {
        let mut lasting = user.held.iter().filter(|held| held.expire_time.is_none());
        lasting.any(|held| world.is_suppressing(&held.role))
    })
}

fn held(
    world: &Snapshot,
    user: &Principal,
    limits: Option<&Limits>,
    now: DateTime<Utc>,
) -> Vec<Holding> {
    let live: Vec<_> = user.held.iter().filter(|held| held.is_live(now)).collect();
    let ceiling = ceiling(world, user.account);
    let catalogue = world.catalogue();
    let mut found = Vec::new();
    for grant in live.iter().filter(|held| limits.is_none_or(|l| l.counts(&held.role))) {
        let wider: Vec<&&Held> = live
            .iter()
            .filter(|other| {
                let wide = other.built_in.map(|ix| catalogue.get(ix));
                wide.is_some_and(|role| {
                    role.active && grant.built_in.is_some_and(|ix| role.widens.contains(&ix))
                })
            })
            .collect();
        world.each_part(&grant.role, &mut |part| {
            let mut permissions = part.permissions.clone();
            if let Some(ceiling) = &ceiling {
                permissions.intersect_with(ceiling);
            }
            if let Some(set) = limits.filter(|l| !l.all).and_then(|l| l.permissions.as_ref()) {
                permissions.intersect_with(set);
            }
            let holding = Holding {
                holder: user.id,
                account: user.account,
                permissions,
                reach: part.reach,
                on: part.on,
                scope: grant.scope.clone(),
                expire_time: grant.expire_time,
                when: part.when.clone(),
            };
            for wider in &wider {
                let Ok(scope) = meet(grant.scope.as_ref(), wider.scope.as_ref()) else {
                    continue;
                };
                let ends = [grant.expire_time, wider.expire_time].into_iter().flatten().min();
                let on = Some(Relation::Siblings);
                found.push(Holding { on, scope, expire_time: ends, ..holding.clone() });
            }
            found.push(holding);
        });
    }
    found
}

/// Two scopes that hold nowhere together.
struct Disjoint;

/// Returns the scope in which two scopes both hold.
fn meet(
    one: Option<&Arc<ResourcePath>>,
    other: Option<&Arc<ResourcePath>>,
) -> Result<Option<Arc<ResourcePath>>, Disjoint> {
    match (one, other) {
        (None, scope) | (scope, None) => Ok(scope.cloned()),
        (Some(one), Some(other)) if one.covers(other) => Ok(Some(Arc::clone(other))),
        (Some(one), Some(other)) if other.covers(one) => Ok(Some(Arc::clone(one))),
        (Some(_), Some(_)) => Err(Disjoint),
    }
}

/// Lists what a call may do: what its caller holds, after ceiling and the credential's scopes.
pub fn call_holdings(home: &Snapshot, caller: &Caller, now: DateTime<Utc>) -> Vec<Holding> {
    let Some(user) = home.user(caller.user) else { return Vec::new() };
    let limits = caller.limits.as_deref();
    let live = |held: &&Held| held.is_live(now);
    if user.held.iter().filter(live).any(|held| home.is_suppressing(&held.role)) {
        return Vec::new();
    }
    let mut found = held(home, user, limits, now);
    let catalogue = home.catalogue();
    for ix in catalogue.baseline(user.kind) {
        for part in &catalogue.get(*ix).parts {
            let mut permissions = part.permissions.clone();
            if let Some(set) = limits.filter(|l| !l.all).and_then(|l| l.permissions.as_ref()) {
                permissions.intersect_with(set);
            }
            found.push(Holding {
                holder: user.id,
                account: user.account,
                permissions,
                reach: part.reach,
                on: part.on,
                scope: None,
                expire_time: None,
                when: part.when.clone(),
            });
        }
    }
    found
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

/// Returns whether `held` reaches all that `gained` reaches, for as long and under no other condition.
fn contains(world: &Snapshot, held: &Holding, gained: &Holding) -> bool {
    let (at, wide) = match &gained.scope {
        Some(scope) => (scope.account, false),
        None => (gained.account, gained.reach == Reach::Subtree),
    };
    let reach = match held.reach {
        Reach::Account => held.account == at && !wide,
        // The root stands above every account, those of other tenants too.
        Reach::Subtree => {
            world.is_in(at, held.account)
                || world.account(held.account).is_some_and(|account| account.is_root())
        }
    };
    let scope = match (&held.scope, &gained.scope) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(held), Some(gained)) => held.covers(gained),
    };
    let time = match (held.expire_time, gained.expire_time) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(held), Some(gained)) => gained <= held,
    };
    reach && scope && time && (held.when.is_none() || held.when == gained.when)
}

/// Returns whether the users that `gained` is about are among those that `held` is about.
fn relates(world: &Snapshot, held: &Holding, gained: &Holding) -> bool {
    let (Some(mine), Some(theirs)) = (held.on, gained.on) else { return false };
    if mine == Relation::Account {
        return true;
    }
    if held.account != gained.account {
        return false;
    }
    if held.holder == gained.holder {
        return mine == theirs || theirs == Relation::Own;
    }
    mine == Relation::Subtree
        && theirs != Relation::Account
        && world.is_below(gained.holder, held.holder)
}
