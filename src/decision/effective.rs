//! Effective rights: all that a user may do, with what each right comes from, by which way, and what limits it
//! (`model.md` §5, `GetEffectiveRights`).

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::bounds::is_confining;
use super::decide::SPITE_OF_SUPPRESSION;
use super::holding::{Place, given};
use super::snapshot::{Principal, Snapshot};
use crate::model::catalogue::{Part, PermissionSet, RoleIx};
use crate::model::{
    AccountId, DocId, EffectiveStatus, Reach, Relation, ResourcePath, RoleRef, UserId,
};

/// What a right comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// What every user of its kind holds.
    Baseline(RoleIx),
    /// A role on the user.
    Role(RoleRef),
    /// A rights document.
    Document {
        /// Which.
        document: DocId,
        /// Who owns it; nobody owns what a catalogue declares.
        owner: Option<UserId>,
    },
}

/// The way by which a user comes by a right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Held by everybody.
    Everybody,
    /// Given to the user itself.
    Own,
    /// Given to it with a role that includes this one.
    Included(RoleRef),
    /// Assigned to a user above, and cascading.
    Inherited(UserId),
    /// By a master document of this main account; assigned to a user above where one is named.
    Master {
        /// The main account.
        account: AccountId,
        /// Who it is inherited from.
        from: Option<UserId>,
    },
}

/// What limits a right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// The subject is disabled.
    Disabled,
    /// This account, the subject's or one above, does not work.
    NotActive(AccountId, EffectiveStatus),
    /// This role suppresses everything.
    Suppressed(RoleRef),
    /// The role of this account takes these away.
    Ceiling(AccountId, PermissionSet),
    /// The role of this account, the subject's, keeps it from resources of other accounts.
    Confined(AccountId),
    /// It ends then, or has ended.
    Expires(DateTime<Utc>),
    /// It holds under this condition only.
    Condition(Arc<str>),
}

/// One right of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveRight {
    /// What its source gives.
    pub granted: PermissionSet,
    /// What of it is in effect now, a condition taken to hold.
    pub permissions: PermissionSet,
    /// Where it holds: in this account,
    pub account: AccountId,
    /// and how far from there;
    pub reach: Reach,
    /// on what of that;
    pub place: Place,
    /// on which users.
    pub on: Option<Relation>,
    /// What it comes from.
    pub source: Source,
    /// By which way.
    pub way: Way,
    /// What limits it.
    pub limits: Vec<Limit>,
}

/// Lists the rights of a user; with `account`, those that hold in that account.
///
/// What is shared with the accounts below is listed for an account above by the permissions that are.
pub fn effective(
    world: &Snapshot,
    user: UserId,
    account: Option<AccountId>,
    now: DateTime<Utc>,
) -> Vec<EffectiveRight> {
    let Some(user) = world.user(user) else { return Vec::new() };
    let listing = Listing { world, user, now, stops: stops(world, user, now) };
    let mut found = listing.baseline();
    found.extend(listing.roles());
    found.extend(listing.documents());
    for right in &mut found {
        listing.limit(right);
    }
    match account {
        None => found,
        Some(account) => {
            let home = user.account;
            found.into_iter().filter_map(|right| within(world, right, home, account)).collect()
        }
    }
}

/// Lists the rights of one of the platform's own users that hold in an account of another tenant: what roles give that reach
/// below (`model.md` §2).
pub fn effective_far(
    platform: &Snapshot,
    user: UserId,
    account: AccountId,
    now: DateTime<Utc>,
) -> Vec<EffectiveRight> {
    let mut found = effective(platform, user, None, now);
    found.retain(|right| {
        matches!(right.source, Source::Baseline(_) | Source::Role(_))
            && right.reach == Reach::Subtree
            && right.place.account().is_none_or(|at| at == account)
            && !right.limits.iter().any(|limit| matches!(limit, Limit::Confined(_)))
    });
    found
}

/// Lists what stops everything.
fn stops(world: &Snapshot, user: &Principal, now: DateTime<Utc>) -> Vec<Limit> {
    let disabled = (!user.enabled).then_some(Limit::Disabled);
    let stopped = world.chain(user.account).map(|account| (account.id, account.own_status()));
    let stopped = stopped
        .filter(|(_, status)| *status != EffectiveStatus::Active)
        .map(|(account, status)| Limit::NotActive(account, status));
    let held =
        user.held.iter().filter(|held| held.is_live(now) && world.is_suppressing(&held.role));
    let suppressed = held.map(|held| Limit::Suppressed(held.role.clone()));
    disabled.into_iter().chain(stopped).chain(suppressed).collect()
}

struct Listing<'a> {
    world: &'a Snapshot,
    user: &'a Principal,
    now: DateTime<Utc>,
    stops: Vec<Limit>,
}

impl Listing<'_> {
    fn baseline(&self) -> Vec<EffectiveRight> {
        let catalogue = self.world.catalogue();
        let held = catalogue.baseline(self.user.kind).iter();
        held.flat_map(|ix| catalogue.get(*ix).parts.iter().map(|part| (*ix, part)))
            .map(|(ix, part)| self.right(part, None, Source::Baseline(ix), Way::Everybody))
            .collect()
    }

    fn roles(&self) -> Vec<EffectiveRight> {
        let mut found = Vec::new();
        for held in self.user.held.iter() {
            self.world.each_part(&held.role, &mut |part| {
                let way = match self.origin(part) {
                    Some(role) if role != held.role => Way::Included(role),
                    _ => Way::Own,
                };
                let scope = held.scope.as_ref();
                let mut right = self.right(part, scope, Source::Role(held.role.clone()), way);
                right.limits.extend(held.expire_time.map(Limit::Expires));
                found.push(right);
            });
        }
        found
    }

    fn documents(&self) -> Vec<EffectiveRight> {
        let mut found = Vec::new();
        for (holder, document) in self.world.documents_for(self.user) {
            let of = document.account(self.user.account);
            if !document.master && !self.world.is_in(of, self.user.account) {
                continue;
            }
            let from = (holder.id != self.user.id).then_some(holder.id);
            let way = match (document.master, from) {
                (true, from) => Way::Master { account: self.world.tenant(), from },
                (false, Some(from)) => Way::Inherited(from),
                (false, None) => Way::Own,
            };
            let owner = document.own().map(|own| own.owner);
            let source = Source::Document { document: document.id, owner };
            for holding in
                given(self.world, document, (self.user.id, self.user.account), None, None)
            {
                found.push(EffectiveRight {
                    permissions: holding.permissions.clone(),
                    granted: holding.permissions,
                    account: holding.account,
                    reach: holding.reach,
                    place: holding.place,
                    on: holding.on,
                    source: source.clone(),
                    way: way.clone(),
                    limits: Vec::new(),
                });
            }
        }
        found
    }

    fn right(
        &self,
        part: &Part,
        scope: Option<&Arc<ResourcePath>>,
        source: Source,
        way: Way,
    ) -> EffectiveRight {
        EffectiveRight {
            granted: part.permissions.clone(),
            permissions: part.permissions.clone(),
            account: self.user.account,
            reach: part.reach,
            place: Place::of_scope(scope),
            on: part.on,
            source,
            way,
            limits: part.when.iter().map(|when| Limit::Condition(Arc::from(when.text()))).collect(),
        }
    }

    /// Finds the role whose own part this is: each is made once, and shared by the roles that include it.
    fn origin(&self, part: &Part) -> Option<RoleRef> {
        let mut custom = self.world.roles();
        if let Some(role) = custom.find(|role| std::ptr::eq(&raw const role.own, part)) {
            return Some(RoleRef::Custom(role.role.id));
        }
        let own = |role: &crate::model::catalogue::Role| {
            let first = role.parts.first().filter(|_| !role.own.is_empty());
            first.is_some_and(|first| std::ptr::eq(Arc::as_ptr(first), part))
        };
        let mut built_in = self.world.catalogue().roles();
        let found = built_in.find(|(_, role)| own(role));
        found.map(|(_, role)| RoleRef::BuiltIn(role.full_name.clone()))
    }

    /// Takes away what something takes away, and says what does.
    fn limit(&self, right: &mut EffectiveRight) {
        let catalogue = self.world.catalogue();
        for account in self.world.chain(self.user.account) {
            let Some(role) = account.role.as_deref() else { continue };
            let left = catalogue.role(role).map(|ix| &catalogue.get(ix).expanded);
            let mut taken = right.granted.clone();
            if let Some(left) = left {
                taken.difference_with(left);
            }
            if !taken.is_empty() {
                right.permissions.difference_with(&taken);
                right.limits.push(Limit::Ceiling(account.id, taken));
            }
        }
        let beyond = right.reach == Reach::Subtree || right.account != self.user.account;
        if beyond && is_confining(self.world, self.user.account) {
            right.limits.push(Limit::Confined(self.user.account));
        }
        let over = |limit: &Limit| matches!(limit, Limit::Expires(at) if *at <= self.now);
        if right.limits.iter().any(over) {
            right.permissions = PermissionSet::new();
        } else if !self.stops.is_empty() {
            self.stop(right);
        }
        right.limits.extend(self.stops.iter().cloned());
    }
}

impl Listing<'_> {
    /// Takes from a right all that a suppression does not leave to its holder on itself; of all else that stops, all.
    fn stop(&self, right: &mut EffectiveRight) {
        let suppressed = self.stops.iter().all(|stop| matches!(stop, Limit::Suppressed(_)));
        let itself = matches!(right.on, Some(Relation::Own | Relation::Account));
        let all = std::mem::take(&mut right.permissions);
        if suppressed && itself {
            let catalogue = self.world.catalogue();
            let spared = |name: &&str| SPITE_OF_SUPPRESSION.contains(name);
            right.permissions = all.iter().filter(|p| spared(&catalogue.name(*p))).collect();
            right.on = Some(Relation::Own);
        }
    }
}

/// Cuts a right of a user of `home` to one account; `None` where it does not hold there.
fn within(
    world: &Snapshot,
    mut right: EffectiveRight,
    home: AccountId,
    account: AccountId,
) -> Option<EffectiveRight> {
    if right.place.account().is_some_and(|at| at != account) {
        return None;
    }
    let reached = right.account == account
        || (right.reach == Reach::Subtree && world.is_above(right.account, account));
    let confined =
        right.limits.iter().any(|limit| matches!(limit, Limit::Confined(of) if *of != account));
    if reached && !confined {
        return Some(right);
    }
    // What is shared down is held on the resources of the accounts above too, unless it is held in another account than one's
    // own or on one resource alone: that lies where the document does.
    let shared = right.account == home && !matches!(right.place, Place::Resource { .. });
    if !reached && (!shared || !world.is_above(account, home)) {
        return None;
    }
    let catalogue = world.catalogue();
    let shared = |set: &PermissionSet| -> PermissionSet {
        set.iter().filter(|permission| catalogue.is_shared_down(*permission)).collect()
    };
    right.granted = shared(&right.granted);
    right.permissions = shared(&right.permissions);
    (!right.granted.is_empty()).then_some(right)
}
