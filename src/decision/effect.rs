//! What a change does to what people hold: who gains, who loses, and which tokens stop (`api.md`, `validate_only`).
//!
//! Two snapshots are compared, so a preview and what then happens are one thing. What counts is what a user holds and may
//! use: nothing while it is disabled, deleted or suppressed, or while its account does not work.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::holding::{Holding, lacking, usable};
use super::snapshot::Snapshot;
use crate::model::catalogue::PermissionSet;
use crate::model::{AccountId, Change, EffectiveStatus, Image, RoleId, RoleRef, TokenId, UserId};

/// What a change does to one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserEffect {
    /// Whom.
    pub user: UserId,
    /// What it holds afterwards, somewhere, that it did not hold there before.
    pub gained: PermissionSet,
    /// What it held before, somewhere, and does not hold there afterwards.
    pub lost: PermissionSet,
}

/// What a change does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// Those who gain or lose, in the order of ids.
    pub users: Vec<UserEffect>,
    /// Tokens that worked before and do not afterwards, in the order of ids.
    pub tokens: Vec<TokenId>,
    /// Whether everybody concerned was looked at.
    pub complete: bool,
}

/// Compares two snapshots of a tenant as to whom these changes concern, `most` users at most.
pub fn effects(
    before: &Snapshot,
    after: &Snapshot,
    changes: &[Change],
    now: DateTime<Utc>,
    most: usize,
) -> Effects {
    let mut concerned = Concerned { before, after, users: BTreeSet::new() };
    for change in changes {
        concerned.add(change);
    }
    let mut found = Effects { complete: concerned.users.len() <= most, ..Effects::default() };
    for user in concerned.users.into_iter().take(most) {
        let (had, has) = (holds(before, user, now), holds(after, user, now));
        let gained = union(has.iter().map(|held| lacking(after, held, &had)));
        let lost = union(had.iter().map(|held| lacking(before, held, &has)));
        if !gained.is_empty() || !lost.is_empty() {
            found.users.push(UserEffect { user, gained, lost });
        }
        let tokens = before.any_user(user).map(|user| user.tokens.clone()).unwrap_or_default();
        let works = |world: &Snapshot, id: &TokenId| {
            stands(world, user) && world.token(*id).is_some_and(|token| token.is_live(now))
        };
        found.tokens.extend(tokens.iter().filter(|id| works(before, id) && !works(after, id)));
    }
    found.tokens.sort_unstable();
    found
}

fn union(sets: impl Iterator<Item = PermissionSet>) -> PermissionSet {
    sets.fold(PermissionSet::new(), |mut all, set| {
        all.union_with(&set);
        all
    })
}

/// Returns whether a user may use what it holds.
fn stands(world: &Snapshot, user: UserId) -> bool {
    world.user(user).is_some_and(|user| {
        user.enabled && world.effective_status(user.account) == Some(EffectiveStatus::Active)
    })
}

fn holds(world: &Snapshot, id: UserId, now: DateTime<Utc>) -> Vec<Holding> {
    match world.user(id) {
        Some(user) if stands(world, id) => usable(world, user, None, now),
        _ => Vec::new(),
    }
}

/// Collects whom changes concern.
struct Concerned<'a> {
    before: &'a Snapshot,
    after: &'a Snapshot,
    users: BTreeSet<UserId>,
}

impl Concerned<'_> {
    fn add(&mut self, change: &Change) {
        for image in [&change.before, &change.after].into_iter().flatten() {
            match image {
                Image::Account(account) => self.account(account.id),
                Image::User(user) => self.with_below(user.id),
                Image::RoleGrant(grant) => {
                    self.users.insert(grant.user);
                }
                Image::ApiToken(token) => {
                    self.users.insert(token.user);
                }
                Image::Role(role) => self.role(role.id),
                Image::Document(document) => {
                    for world in [self.before, self.after] {
                        for user in world.assignees(document.id).collect::<Vec<_>>() {
                            self.with_below(user);
                        }
                    }
                }
                Image::Assignment(one) => self.with_below(one.user),
                Image::Catalogue(_) => {}
            }
        }
    }

    fn account(&mut self, top: AccountId) {
        for world in [self.before, self.after] {
            if world.account(top).is_none() {
                continue;
            }
            for account in world.account_tree(top) {
                self.users.extend(world.members(account, None));
            }
        }
    }

    /// A user, and those below it: what cascades from above is theirs.
    fn with_below(&mut self, user: UserId) {
        if !self.users.insert(user) && !self.before.is_cascading() {
            return;
        }
        if self.before.is_cascading() || self.after.is_cascading() {
            for world in [self.before, self.after] {
                self.users.extend(world.descendants(user));
            }
        }
    }

    fn role(&mut self, role: RoleId) {
        for world in [self.before, self.after] {
            let mut roles = vec![role];
            let mut next = 0;
            while let Some(at) = roles.get(next).copied() {
                let this = RoleRef::Custom(at);
                self.users.extend(world.holders(&this));
                let including = world.roles().filter(|found| found.role.includes.contains(&this));
                let including: Vec<RoleId> = including.map(|found| found.role.id).collect();
                roles.extend(
                    including.into_iter().filter(|id| !roles.contains(id)).collect::<Vec<_>>(),
                );
                next += 1;
            }
        }
    }
}
