//! The two trees of a tenant: its accounts, and the users of each account.

use std::iter::successors;
use std::sync::Arc;

use super::Snapshot;
use super::snapshot::Principal;
use crate::model::{Account, AccountId, EffectiveStatus, Relation, UserId};

impl Snapshot {
    /// Walks from an account up to the top of its tenant, itself first. Bounded, so that a circle ends.
    pub fn chain(&self, account: AccountId) -> impl Iterator<Item = &Arc<Account>> {
        successors(self.accounts.get(&account), |below| self.accounts.get(&below.parent?))
            .take(self.accounts.len() + 1)
    }

    /// Returns whether `upper` is `lower` or stands above it. The root stands above every account.
    pub fn is_in(&self, lower: AccountId, upper: AccountId) -> bool {
        lower == upper || self.is_above(upper, lower)
    }

    /// Returns whether `upper` stands strictly above `lower`. The root may lie outside this snapshot.
    pub fn is_above(&self, upper: AccountId, lower: AccountId) -> bool {
        self.chain(lower).any(|account| account.parent == Some(upper))
    }

    /// Returns the level of an account: the root's is 1, a main account's 2.
    pub fn depth(&self, account: AccountId) -> usize {
        let inside = self.chain(account).count();
        let rooted = self.chain(account).any(|account| account.is_root());
        if rooted { inside } else { inside + 1 }
    }

    /// Walks an account's whole sub-tree, itself first.
    pub fn account_tree(&self, top: AccountId) -> Vec<AccountId> {
        let mut found = vec![top];
        let mut next = 0;
        while let Some(at) = found.get(next).copied() {
            found.extend(self.sub_accounts(at));
            next += 1;
        }
        found
    }

    /// Computes an account's effective status: the gravest along its chain (`model.md` §2).
    ///
    /// `None` for an account that is not in this tenant.
    pub fn effective_status(&self, account: AccountId) -> Option<EffectiveStatus> {
        self.chain(account).map(|account| account.own_status()).max()
    }

    /// Walks the users strictly above one, nearest first.
    pub fn ancestors(&self, user: UserId) -> impl Iterator<Item = &Arc<Principal>> {
        let first = self.users.get(&user).and_then(|user| self.users.get(&user.parent?));
        successors(first, |below| self.users.get(&below.parent?)).take(self.users.len() + 1)
    }

    /// Walks everybody strictly below a user, nearest first, deleted users left out with all below them kept.
    pub fn descendants(&self, user: UserId) -> Vec<UserId> {
        let mut found: Vec<UserId> = self.children(user).collect();
        let mut next = 0;
        while let Some(at) = found.get(next).copied() {
            found.extend(self.children(at));
            next += 1;
        }
        found.retain(|id| self.user(*id).is_some());
        found
    }

    /// Returns whether `user` stands strictly below `upper`.
    pub fn is_below(&self, user: UserId, upper: UserId) -> bool {
        self.ancestors(user).any(|above| above.id == upper)
    }

    /// Returns whether `user` stands in `relation` to `holder`, both in one account (`model.md` §3).
    pub fn relates(&self, holder: UserId, relation: Relation, user: UserId) -> bool {
        match relation {
            Relation::Own => holder == user,
            Relation::Subtree => self.is_below(user, holder),
            Relation::Siblings => {
                let parent = |id| self.users.get(&id).and_then(|user| user.parent);
                holder != user && parent(holder).is_some() && parent(holder) == parent(user)
            }
            Relation::Account => true,
        }
    }
}
