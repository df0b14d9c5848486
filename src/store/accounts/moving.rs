//! Moving an account, with all below it, inside its tenant (`model.md` §2, §7; `edges.md` §1, §7).

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::create::too_deep;
use super::role::{is_confined, may};
use super::{Tx, is_root};
use crate::decision::{
    Caller, Escalation, Holding, Refused, Snapshot, Stock, call_holdings, escalation, holdings,
    sees_account, within,
};
use crate::model::catalogue::PermissionSet;
use crate::model::{
    Account, AccountId, AccountStatus, ChangeKind, Reach, Relation, RoleRef, UserId, fold,
};
use crate::store::Refusal;
use crate::store::etags::{account_etag, unchanged};

/// What the caller must hold on both sides.
const PERMISSION: &str = "account.move";
/// More users than this do not move at once.
const MOST_USERS: usize = 10_000;
/// For so long a deleted user can come back, with the roles it had (`model.md` §3).
const UNDELETE: TimeDelta = TimeDelta::days(30);

/// The accounts that a move concerns.
struct Moved {
    /// What moves: the account, and all below it.
    tree: BTreeSet<AccountId>,
    /// Those that stand above it after the move and did not before.
    gained: Vec<AccountId>,
    /// Those that stood above it before the move and do not after.
    lost: BTreeSet<AccountId>,
}

impl Tx {
    /// Moves an account under another of its tenant; under the one that it is under already, nothing changes.
    pub fn move_account(
        &mut self,
        caller: &Caller,
        id: AccountId,
        new_parent: AccountId,
        etag: &str,
        deepest: usize,
    ) -> Result<AccountId, Refusal> {
        let account = self.account_here(id)?;
        self.account_here(new_parent)?;
        let fresh = unchanged(etag, &account_etag(&account));
        let world = self.world();
        // What cannot be is not judged further: there is no tree after it that could be looked at.
        let impossible = if account.is_root() {
            Some(is_root("moved"))
        } else if world.is_in(new_parent, id) {
            let why = format!("account `{new_parent}` is what is to move, or lies below it");
            Some(Refusal::precondition("CYCLE", why))
        } else if counts_more_than(world, id, MOST_USERS) {
            let why = format!("more than {MOST_USERS} users would move: move smaller trees");
            Some(Refusal::precondition("TOO_LARGE", why))
        } else {
            None
        };
        if let Some(refusal) = impossible {
            fresh?;
            return Err(refusal);
        }
        if account.parent == Some(new_parent) {
            fresh?;
            self.refuse_closed(id)?;
            return Ok(id);
        }
        let before = world.clone();
        let moved = Moved::of(world, &account, new_parent);
        self.refuse_escape(caller, &moved)?;
        let after = Account { parent: Some(new_parent), ..account.clone() };
        self.put_account(ChangeKind::AccountMove, account, after)?;
        self.refuse_gain(caller, &before, &moved, id)?;
        fresh?;
        self.refuse_closed(id)?;
        self.refuse_shape(&moved, deepest)?;
        Ok(id)
    }

    /// Refuses to move out from under what stops an account whoever could not lift that itself: by where it was ordered
    /// from (`edges.md` §1), and by the permission to lift it. A pending account stops what is below it too.
    fn refuse_escape(&self, caller: &Caller, moved: &Moved) -> Result<(), Refusal> {
        let world = self.world();
        for above in moved.lost.iter().filter_map(|id| world.account(*id)) {
            let lifts = |permission, from| {
                self.may_lift(caller, from)
                    && may(caller, self.home(), world, permission, above.id, self.now())
            };
            let waits = matches!(above.status, AccountStatus::Suspended | AccountStatus::Pending);
            if waits && !lifts("account.resume", above.suspended_from) {
                return Err(Refusal::forbidden("account.resume"));
            }
            let quarantined = above.quarantined_from.is_some();
            if quarantined && !lifts("account.release", above.quarantined_from) {
                return Err(Refusal::forbidden("account.release"));
            }
        }
        Ok(())
    }

    /// Refuses a move by which anybody gains what the caller does not hold (`model.md` §7).
    fn refuse_gain(
        &self,
        caller: &Caller,
        before: &Snapshot,
        moved: &Moved,
        id: AccountId,
    ) -> Result<(), Escalation> {
        // In an assumed session it must be held by both.
        if let Some((actor, home)) = caller.actor_in(self.home()) {
            self.refuse_gain_beyond(actor, home, before, moved, id)?;
        }
        self.refuse_gain_beyond(caller, self.home(), before, moved, id)
    }

    fn refuse_gain_beyond(
        &self,
        caller: &Caller,
        home: &Snapshot,
        before: &Snapshot,
        moved: &Moved,
        id: AccountId,
    ) -> Result<(), Escalation> {
        let (after, now) = (self.world(), self.now());
        let movers: Vec<UserId> = moved.users(after).collect();
        // Under other ceilings, those who move may hold more.
        escalation(home, caller, Some(before), after, &movers, now)?;
        let granter = call_holdings(home, caller, now);
        let (granter, nothing) = (Stock::of(&granter), Stock::default());
        // Those who now stand above reach what has moved.
        for user in moved.gained.iter().flat_map(|account| after.members(*account, None)) {
            for gained in holdings(after, user, now) {
                if let Some(gained) = moved.downward(after, gained, id) {
                    within(after, [gained], &nothing, &granter)?;
                }
            }
        }
        // And hold there again what documents of the moved accounts they were assigned when they stood above before.
        let above = moved.gained.iter().flat_map(|account| after.members(*account, None));
        let assigned = |id: &UserId| after.user(*id).is_some_and(|user| !user.documents.is_empty());
        let above: Vec<UserId> = above.filter(assigned).collect();
        escalation(home, caller, Some(before), after, &above, now)?;
        // Those who move have what the accounts now above them share downward.
        let shared = shared_down(after);
        for user in movers.into_iter().filter(|_| !shared.is_empty()) {
            for held in holdings(after, user, now) {
                within(after, moved.upward(&held, &shared), &nothing, &granter)?;
            }
        }
        Ok(())
    }

    /// Refuses a tree that would be too deep, and custom roles that would come apart from their holders or meet.
    fn refuse_shape(&self, moved: &Moved, deepest: usize) -> Result<(), Refusal> {
        let world = self.world();
        if moved.tree.iter().any(|id| world.depth(*id) > deepest) {
            return Err(too_deep(deepest));
        }
        for role in world.roles().filter(|role| moved.lost.contains(&role.role.account)) {
            let this = RoleRef::Custom(role.role.id);
            let held = world.holders(&this).any(|user| moved.holds(world, user, &this, self.now()));
            let mut inside = world.roles().filter(|role| moved.tree.contains(&role.role.account));
            if held || inside.any(|role| role.role.includes.contains(&this)) {
                let (name, owner) = (&role.role.name, role.role.account);
                let why = format!("role `{name}` of account `{owner}` is held in what is to move");
                return Err(Refusal::precondition("ROLE_IN_USE", why));
            }
        }
        let names_in = |accounts: &dyn Fn(AccountId) -> bool| -> BTreeSet<_> {
            let roles = world.roles().filter(|role| accounts(role.role.account));
            roles.filter_map(|role| fold(&role.role.name).ok()).collect()
        };
        let inside = names_in(&|account| moved.tree.contains(&account));
        let above = names_in(&|account| moved.gained.contains(&account));
        if let Some(name) = inside.intersection(&above).next() {
            let why = format!("the custom role name `{name}` would stand twice in one chain");
            return Err(Refusal::exists("ROLE_NAME_TAKEN", why));
        }
        Ok(())
    }
}

impl Moved {
    fn of(world: &Snapshot, account: &Account, new_parent: AccountId) -> Self {
        let old = account.parent.into_iter().flat_map(|parent| world.chain(parent));
        let old: BTreeSet<AccountId> = old.map(|above| above.id).collect();
        let new: BTreeSet<AccountId> = world.chain(new_parent).map(|above| above.id).collect();
        Self {
            tree: world.account_tree(account.id).into_iter().collect(),
            gained: new.difference(&old).copied().collect(),
            lost: old.difference(&new).copied().collect(),
        }
    }

    /// Walks the users who move, deleted ones left out.
    fn users<'a>(&'a self, world: &'a Snapshot) -> impl Iterator<Item = UserId> + 'a {
        let members = self.tree.iter().flat_map(|account| world.members(*account, None));
        members.filter(|user| world.user(*user).is_some())
    }

    /// Returns what a holding from above comes to in what has moved.
    fn downward(&self, world: &Snapshot, held: Holding, top: AccountId) -> Option<Holding> {
        let here = held.place.account().is_none_or(|account| self.tree.contains(&account));
        if held.reach == Reach::Account || !here || is_confined(world, held.account) {
            return None;
        }
        // On users of another account than the holder's, no other relation holds (`model.md` §3).
        let on = held.on.filter(|on| *on == Relation::Account);
        Some(Holding { account: top, on, ..held })
    }

    /// Lists what a holding of one who moves comes to in the accounts now above.
    fn upward(&self, held: &Holding, shared: &PermissionSet) -> Vec<Holding> {
        let mut permissions = held.permissions.clone();
        permissions.intersect_with(shared);
        if permissions.is_empty() {
            return Vec::new();
        }
        let covered =
            |account: &AccountId| held.place.account().is_none_or(|named| named == *account);
        let at = |account: &AccountId| Holding {
            account: *account,
            permissions: permissions.clone(),
            reach: Reach::Account,
            on: None,
            ..held.clone()
        };
        self.gained.iter().filter(|account| covered(account)).map(at).collect()
    }

    /// Returns whether a user who moves holds a role, or would again if it were brought back.
    fn holds(&self, world: &Snapshot, user: UserId, role: &RoleRef, now: DateTime<Utc>) -> bool {
        world.any_user(user).is_some_and(|user| {
            self.tree.contains(&user.account)
                && user.delete_time.is_none_or(|at| now < at + UNDELETE)
                && user.held.iter().any(|held| held.role == *role && held.is_live(now))
        })
    }
}

fn shared_down(world: &Snapshot) -> PermissionSet {
    let catalogue = world.catalogue();
    let mut shared = PermissionSet::new();
    let all = catalogue.all().iter().filter(|permission| catalogue.is_shared_down(*permission));
    all.for_each(|permission| shared.insert(permission));
    shared
}

fn counts_more_than(world: &Snapshot, top: AccountId, most: usize) -> bool {
    let tree = world.account_tree(top);
    let members = tree.iter().flat_map(|account| world.members(*account, None));
    members.filter(|user| world.user(*user).is_some()).nth(most).is_some()
}

/// Says why an account does not move into another tenant, to a caller who may know of both.
///
/// Only the platform's operators ever stand before two tenants; `there` and `beyond` are the two.
pub fn crossing(
    caller: &Caller,
    home: &Snapshot,
    (account, there): (&Account, &Snapshot),
    (new_parent, beyond): (AccountId, &Snapshot),
    etag: &str,
    now: DateTime<Utc>,
) -> Refusal {
    let mut refused = None;
    for (id, world) in [(account.id, there), (new_parent, beyond)] {
        if may(caller, home, world, PERMISSION, id, now) {
            continue;
        }
        if !sees_account(caller, home, world, id, now) {
            return Refusal::unseen("account", id);
        }
        refused = Some(Refused::Forbidden { permission: PERMISSION.to_owned() });
    }
    if let Some(refused) = refused {
        return refused.into();
    }
    if let Err(stale) = unchanged(etag, &account_etag(account)) {
        return stale;
    }
    if account.is_root() {
        return is_root("moved");
    }
    let why = format!("account `{new_parent}` lies in another tenant, and accounts stay in theirs");
    Refusal::precondition("TENANT_BOUNDARY", why)
}
