//! Roles and the tokens of those who hold them: tokens that others made, and tokens that name a role.

use chrono::{DateTime, Utc};

use super::{MOST_NAMED, Notice, Refusal};
use crate::decision::{Caller, Snapshot, TokenFacts, may};
use crate::model::{
    ApiToken, Change, ChangeKind, CustomRole, Image, Named, ResourcePath, RoleRef, UserId,
};
use crate::store::Tx;

/// What begins a scope that names a role.
const ROLE: &str = "role:";

/// Returns whether the caller may read a custom role where it belongs.
pub fn sees_role(
    caller: &Caller,
    home: &Snapshot,
    there: &Snapshot,
    role: &CustomRole,
    now: DateTime<Utc>,
) -> bool {
    let path = ResourcePath::account(role.account).with("role", Named::Id(role.id.to_string()));
    may(caller, home, there, "role.read", &path, now)
}

impl Tx {
    /// Lists live tokens of `users` that somebody else made who is neither the user nor the caller (`edges.md` §5).
    ///
    /// What a user gains, whoever knows such a token gains. What the bootstrap made nobody else knows. Asked where a role is
    /// given, where what it gives is edited, and where one that takes everything away is taken; what a user gains by
    /// other ways, as by a wider ceiling of its account, is not a grant to that user.
    pub(in crate::store) fn tokens_by_others(
        &self,
        caller: &Caller,
        users: &[UserId],
    ) -> Option<Notice> {
        let now = self.now();
        let others = |facts: &TokenFacts| {
            let user = facts.token.user;
            facts.is_live(now)
                && facts.token.maker().is_some_and(|by| by != user && by != caller.user)
        };
        let message = "somebody else made live credentials of the user".to_owned();
        self.notice(caller, users, "CREDENTIALS_BY_OTHERS", message, others)
    }

    /// Lists live tokens of `user` that name a role which the user does not hold any more.
    pub(super) fn tokens_naming(
        &self,
        caller: &Caller,
        user: UserId,
        role: &RoleRef,
    ) -> Option<Notice> {
        let now = self.now();
        let message = "tokens of the user name the role".to_owned();
        let naming = |facts: &TokenFacts| facts.is_live(now) && names(facts, role);
        self.notice(caller, &[user], "ROLE_IN_USE", message, naming)
    }

    /// Makes a notice of the tokens that `pick` picks among those of `users`; nothing where it picks none.
    fn notice(
        &self,
        caller: &Caller,
        users: &[UserId],
        reason: &'static str,
        message: String,
        pick: impl Fn(&TokenFacts) -> bool,
    ) -> Option<Notice> {
        let (world, home) = (self.world(), self.home());
        let visible = |token: &ApiToken| {
            let (kind, id) = token.named();
            let path = ResourcePath::account(token.account)
                .with("user", Named::Id(token.user.to_string()))
                .with(kind, Named::Id(id));
            may(caller, home, world, &format!("{kind}.read"), &path, self.now())
        };
        let (mut seen, mut others) = (Vec::new(), false);
        for facts in users.iter().flat_map(|user| tokens(world, *user, &pick)) {
            if seen.len() < MOST_NAMED && visible(&facts.token) {
                seen.push(facts.token.named().1);
            } else {
                others = true;
            }
        }
        (others || !seen.is_empty()).then_some(Notice { reason, message, seen, others })
    }

    /// Takes a role out of the scopes of a user's tokens.
    ///
    /// A token that names no other role is deleted: without a role among its scopes it would be limited by none, and what is
    /// left of it when it counts no grant at all is worth nothing.
    pub(super) fn strip_tokens(&mut self, user: UserId, role: &RoleRef) -> Result<(), Refusal> {
        let naming = tokens(self.world(), user, |facts| names(facts, role));
        let naming: Vec<ApiToken> = naming.map(|facts| facts.token.clone()).collect();
        for old in naming {
            let token = self.without(&old, role);
            let last = !token.expanded.iter().any(|scope| scope.starts_with(ROLE));
            let (kind, after) = if last {
                (ChangeKind::TokenDelete, None)
            } else {
                (ChangeKind::RoleRevoke, Some(Image::ApiToken(token)))
            };
            let before = Some(Image::ApiToken(old));
            self.put(Change { account: self.account_of(user), kind, before, after })?;
        }
        Ok(())
    }

    fn without(&self, token: &ApiToken, role: &RoleRef) -> ApiToken {
        let world = self.world();
        let mut token = token.clone();
        let full = format!("{ROLE}{role}");
        token.expanded.retain(|scope| *scope != full);
        let left: Vec<RoleRef> = token
            .expanded
            .iter()
            .filter_map(|scope| scope.strip_prefix(ROLE)?.parse().ok())
            .collect();
        // A bare name that another role has too is that one's.
        let only_its = |name: &str| {
            is_called(world, role, name) && !left.iter().any(|other| is_called(world, other, name))
        };
        token.scopes.retain(|scope| !scope.strip_prefix(ROLE).is_some_and(only_its));
        token
    }

    fn account_of(&self, user: UserId) -> crate::model::AccountId {
        self.world().any_user(user).map_or(self.world().tenant(), |user| user.account)
    }
}

fn is_called(world: &Snapshot, role: &RoleRef, name: &str) -> bool {
    match role {
        RoleRef::BuiltIn(full) => {
            **full == *name || full.split_once('/').is_some_and(|(_, bare)| bare == name)
        }
        RoleRef::Custom(id) => {
            id.to_string() == name || world.role(*id).is_some_and(|found| found.role.name == name)
        }
    }
}

fn names(facts: &TokenFacts, role: &RoleRef) -> bool {
    facts.limits.as_ref().is_some_and(|limits| limits.roles.contains(role))
}

fn tokens(
    world: &Snapshot,
    user: UserId,
    pick: impl Fn(&TokenFacts) -> bool,
) -> impl Iterator<Item = &TokenFacts> {
    let ids = world.any_user(user).map(|user| user.tokens.as_slice()).unwrap_or_default();
    ids.iter().filter_map(|id| world.token(*id)).map(|facts| &**facts).filter(move |f| pick(f))
}
