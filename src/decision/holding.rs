//! What somebody holds (`model.md` §7).

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::ask::Caller;
use super::bounds::{ceiling, is_confining};
use super::documents::CompiledDocument;
use super::limits::Limits;
use super::snapshot::{Held, Principal, Snapshot};
use crate::model::catalogue::{Catalogue, PermissionSet};
use crate::model::{AccountId, Condition, Named, Pair, Reach, Relation, ResourcePath, UserId};

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
    /// On what of that.
    pub place: Place,
    /// Until when.
    pub expire_time: Option<DateTime<Utc>>,
    /// On what condition.
    pub when: Option<Arc<Condition>>,
}

/// The part of what a holding reaches that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// All of it.
    All,
    /// What begins with a path: the scope of a grant.
    Within(Arc<ResourcePath>),
    /// One resource, or what is in it: an entry of a document, which names type and id and no path.
    Resource {
        /// The resource's type.
        kind: Arc<str>,
        /// The resource's id.
        id: Arc<str>,
        /// How deep in it.
        depth: Depth,
    },
}

/// How deep in a resource something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// On the resource itself.
    Itself,
    /// On what lies directly in it.
    Direct,
    /// On all that it contains.
    Contained,
}

impl Place {
    /// Makes the place of a grant.
    pub(super) fn of_scope(scope: Option<&Arc<ResourcePath>>) -> Self {
        scope.map_or(Self::All, |scope| Self::Within(Arc::clone(scope)))
    }

    /// Returns the one account that it lies in, where it names one.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Within(scope) => Some(scope.account),
            Self::Resource { kind, id, .. } if &**kind == "account" => id.parse().ok(),
            Self::All | Self::Resource { .. } => None,
        }
    }

    /// Returns whether all that `other` is about is in this.
    pub(super) fn covers(&self, other: &Self, catalogue: &Catalogue) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Within(mine), Self::Within(theirs)) => mine.covers(theirs),
            (Self::Within(mine), Self::Resource { kind, id, .. }) => match mine.pairs.as_slice() {
                [] => true,
                // A path says where a thing lies, and an entry does not: they mean the same where it can lie nowhere else.
                [only] => {
                    let above = catalogue.kind(kind).map(|kind| kind.parents.as_slice());
                    only.kind == **kind
                        && only.named == Named::Id(id.to_string())
                        && above.is_some_and(|above| above == ["account"])
                }
                _ => false,
            },
            (Self::Resource { kind, id, depth: Depth::Contained }, Self::Within(theirs)) => {
                // What lies strictly below it; on the thing itself another holding of the same entry speaks.
                let inner = theirs.pairs.iter().rev().skip(1);
                let named =
                    |pair: &Pair| pair.kind == **kind && pair.named == Named::Id(id.to_string());
                inner.clone().any(named)
                    || (&**kind == "account"
                        && !theirs.pairs.is_empty()
                        && id.parse() == Ok(theirs.account))
            }
            (
                Self::Resource { kind, id, depth },
                Self::Resource { kind: theirs, id: other, depth: deep },
            ) => {
                kind == theirs
                    && id == other
                    && (depth == deep || (*depth, *deep) == (Depth::Contained, Depth::Direct))
            }
            (_, Self::All) | (Self::Resource { .. }, Self::Within(_)) => false,
        }
    }
}

/// Lists what a user holds by roles given to it; `(none)` is held anyway and not listed.
///
/// Whether the user is enabled, and whether its account works, does not matter here: those are lifted under
/// permissions of their own. Nor does a suppression: it can be lifted, and what lies under it comes back then, so
/// nothing is planted under one that could not be given without. A deleted user holds nothing.
pub fn holdings(world: &Snapshot, user: UserId, now: DateTime<Utc>) -> Vec<Holding> {
    world.user(user).map(|user| held(world, user, None, now)).unwrap_or_default()
}

impl Caller {
    /// Returns whether this call could use a permission on anything but its own user.
    ///
    /// For what answers about many things: whoever holds it nowhere is refused as a whole.
    pub fn holds_somewhere(&self, home: &Snapshot, permission: &str, now: DateTime<Utc>) -> bool {
        let wanted = home.catalogue().parse(permission);
        let limits = self.limits.as_deref();
        let left = wanted.filter(|wanted| limits.is_none_or(|limits| limits.allows(*wanted)));
        left.is_some_and(|wanted| {
            holdings(home, self.user, now).iter().any(|holding| {
                holding.permissions.contains(wanted) && holding.on != Some(Relation::Own)
            })
        })
    }
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
                place: Place::of_scope(grant.scope.as_ref()),
                expire_time: grant.expire_time,
                when: part.when.clone(),
            };
            for wider in &wider {
                let Ok(scope) = meet(grant.scope.as_ref(), wider.scope.as_ref()) else {
                    continue;
                };
                let ends = [grant.expire_time, wider.expire_time].into_iter().flatten().min();
                let on = Some(Relation::Siblings);
                let place = Place::of_scope(scope.as_ref());
                found.push(Holding { on, place, expire_time: ends, ..holding.clone() });
            }
            found.push(holding);
        });
    }
    found.extend(by_documents(world, user, ceiling.as_ref(), limits));
    if is_confining(world, user.account) {
        // The ceiling leaves nothing of it in another account.
        found.retain(|held| held.account == user.account || held.reach == Reach::Subtree);
        for held in &mut found {
            (held.account, held.reach) = (user.account, Reach::Account);
        }
    }
    found
}

/// Lists what documents give to a user; with a credential that names roles, nothing.
fn by_documents(
    world: &Snapshot,
    user: &Principal,
    ceiling: Option<&PermissionSet>,
    limits: Option<&Limits>,
) -> Vec<Holding> {
    if limits.is_some_and(|limits| !limits.roles.is_empty()) {
        return Vec::new();
    }
    let holds = |document: &CompiledDocument| {
        document.master || world.is_in(document.account(user.account), user.account)
    };
    let held = world.documents_for(user).filter(|(_, document)| holds(document));
    let to = (user.id, user.account);
    held.flat_map(|(_, document)| given(world, document, to, ceiling, limits)).collect()
}

/// Lists what a document gives to a user; without a ceiling, what it says.
pub(super) fn given(
    world: &Snapshot,
    document: &CompiledDocument,
    (holder, home): (UserId, AccountId),
    ceiling: Option<&PermissionSet>,
    limits: Option<&Limits>,
) -> Vec<Holding> {
    let only = limits.filter(|limits| !limits.all).and_then(|l| l.permissions.as_ref());
    let at_root = world.account(world.tenant()).is_some_and(|account| account.is_root());
    let mut found = Vec::new();
    for (place, permissions) in document.parts() {
        let mut permissions = permissions.clone();
        for cut in [ceiling, only].into_iter().flatten() {
            permissions.intersect_with(cut);
        }
        if !permissions.is_empty() {
            found.push(Holding {
                holder,
                account: if document.master { world.tenant() } else { document.account(home) },
                permissions,
                // The root's own hold in the root alone (`edges.md` §2).
                reach: if document.master && !at_root { Reach::Subtree } else { Reach::Account },
                on: None,
                place,
                expire_time: None,
                when: None,
            });
        }
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

/// Lists what a user holds and may use: nothing while it is suppressed. `(none)`, which it holds anyway, is left out.
pub(super) fn usable(
    world: &Snapshot,
    user: &Principal,
    limits: Option<&Limits>,
    now: DateTime<Utc>,
) -> Vec<Holding> {
    let mut live = user.held.iter().filter(|held| held.is_live(now));
    if live.any(|held| world.is_suppressing(&held.role)) {
        Vec::new()
    } else {
        held(world, user, limits, now)
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
        // What everybody may do to itself is no holding that could be given away.
        let parts = catalogue.get(*ix).parts.iter();
        for part in parts.filter(|part| part.on != Some(Relation::Own)) {
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
                place: Place::All,
                expire_time: None,
                when: part.when.clone(),
            });
        }
    }
    found
}
