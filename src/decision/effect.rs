//! What a change does to what people hold: who gains, who loses, and which tokens stop (`api.md`, `validate_only`).
//!
//! Two snapshots are compared, so a preview and what then happens are one thing. What counts is what a user holds and may
//! use: nothing while it is disabled, deleted or suppressed, or while its account does not work.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::holding::{Holding, usable};
use super::snapshot::Snapshot;
use super::stock::Stock;
use crate::model::catalogue::PermissionSet;
use crate::model::{
    AccountId, Change, EffectiveStatus, Image, RoleId, RoleRef, Session, SessionKind, TokenId,
    UserId,
};

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

/// So much that users hold is compared; who comes behind it is not looked at.
const MOST_HOLDINGS: usize = 2_000_000;

/// What a change does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// Those who gain or lose, in the order of ids.
    pub users: Vec<UserEffect>,
    /// Tokens that worked before and do not afterwards, in the order of ids.
    pub tokens: Vec<TokenId>,
    /// Those of whose sessions some may end, in the order of ids.
    pub leaving: Vec<UserId>,
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
    let mut concerned = Concerned { before, after, most, users: BTreeSet::new() };
    for change in changes {
        concerned.add(change);
    }
    let mut found = Effects { complete: concerned.users.len() <= most, ..Effects::default() };
    let mut left = MOST_HOLDINGS;
    for user in concerned.users.into_iter().take(most) {
        let (had, has) = (holds(before, user, now), holds(after, user, now));
        let Some(rest) = left.checked_sub(had.len() + has.len()) else {
            found.complete = false;
            break;
        };
        left = rest;
        let lacks = |world: &Snapshot, stock: &[Holding], held: &[Holding]| {
            let stock = Stock::of(stock);
            union(held.iter().map(|held| stock.lacks(world, held)))
        };
        let (gained, lost) = (lacks(after, &had, &has), lacks(before, &has, &had));
        if !gained.is_empty() || !lost.is_empty() {
            found.users.push(UserEffect { user, gained, lost });
        }
        let tokens = before.any_user(user).map(|user| user.tokens.clone()).unwrap_or_default();
        let works = |world: &Snapshot, id: &TokenId| {
            stands(world, user) && world.token(*id).is_some_and(|token| token.is_live(now))
        };
        found.tokens.extend(tokens.iter().filter(|id| works(before, id) && !works(after, id)));
        let marks = |world: &Snapshot| world.user(user).and_then(|user| user.session_marks.clone());
        if stands(before, user) && (!stands(after, user) || marks(before) != marks(after)) {
            found.leaving.push(user);
        }
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

/// Returns whether a session goes on.
pub fn lives(world: &Snapshot, session: &Session, now: DateTime<Utc>) -> bool {
    let Some(user) = world.user(session.user).filter(|_| stands(world, session.user)) else {
        return false;
    };
    match session.kind {
        SessionKind::Assumed => {
            let marks = user.session_marks.as_ref();
            marks.is_some_and(|marks| marks.assumed(session.id, now).is_some())
        }
        SessionKind::Password | SessionKind::Sso => !user.voids(session.id, session.auth_time),
    }
}

/// Returns whether a user may use what it holds.
pub(super) fn stands(world: &Snapshot, user: UserId) -> bool {
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

/// Collects whom changes concern, until it is one more than are to be looked at.
struct Concerned<'a> {
    before: &'a Snapshot,
    after: &'a Snapshot,
    most: usize,
    users: BTreeSet<UserId>,
}

impl Concerned<'_> {
    fn add(&mut self, change: &Change) {
        for image in [&change.before, &change.after].into_iter().flatten() {
            match image {
                Image::Account(account) => self.account(account.id),
                Image::User(user) => self.with_below(user.id),
                Image::RoleGrant(grant) => self.take([grant.user]),
                Image::ApiToken(token) => self.take([token.user]),
                Image::Role(role) => self.role(role.id),
                Image::Document(document) => {
                    for world in [self.before, self.after] {
                        world.assignees(document.id).for_each(|user| self.with_below(user));
                    }
                }
                Image::Assignment(one) => self.with_below(one.user),
                Image::Catalogue(_) | Image::Message(_) | Image::SigningKey(_) => {}
            }
        }
    }

    fn is_full(&self) -> bool {
        self.users.len() > self.most
    }

    fn take(&mut self, users: impl IntoIterator<Item = UserId>) {
        for user in users {
            if self.is_full() {
                return;
            }
            self.users.insert(user);
        }
    }

    fn account(&mut self, top: AccountId) {
        for world in [self.before, self.after] {
            if world.account(top).is_some() {
                for account in world.account_tree(top) {
                    self.take(world.members(account, None));
                }
            }
        }
    }

    /// A user, and those below it: what cascades from above is theirs.
    fn with_below(&mut self, user: UserId) {
        self.take([user]);
        let cascades = self.before.is_cascading() || self.after.is_cascading();
        if cascades && !self.is_full() {
            for world in [self.before, self.after] {
                self.take(world.descendants(user));
            }
        }
    }

    /// Those who hold a role, or one that includes it.
    fn role(&mut self, role: RoleId) {
        for world in [self.before, self.after] {
            let mut roles = vec![role];
            let mut next = 0;
            while let Some(at) = roles.get(next).copied() {
                let this = RoleRef::Custom(at);
                self.take(world.holders(&this));
                for found in world.roles().filter(|found| found.role.includes.contains(&this)) {
                    if !roles.contains(&found.role.id) {
                        roles.push(found.role.id);
                    }
                }
                next += 1;
            }
        }
    }
}
