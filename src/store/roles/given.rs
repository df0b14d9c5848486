//! Giving a role to a user.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::scope::{Looking, contained, in_reach};
use super::{Notice, governed, not_closed};
use crate::decision::{Caller, Snapshot, escalation, may, sees_user};
use crate::model::{
    Change, ChangeKind, Holder, Image, Named, ResourcePath, RoleGrant, RoleRef, UserId,
};
use crate::store::etags::{unchanged, user_etag};
use crate::store::roles_named::resolve_role;
use crate::store::{Refusal, Tx};

/// A role to give.
#[derive(Debug, Clone)]
pub struct Giving {
    /// To whom.
    pub user: UserId,
    /// The role, by name or id.
    pub role_type: String,
    /// What to limit it to.
    pub scope: Option<ResourcePath>,
    /// The tenant that `scope` lies in, where that is not the user's own: an operator's role reaches others.
    pub elsewhere: Option<Arc<Snapshot>>,
    /// When it is to end.
    pub expire_time: Option<DateTime<Utc>>,
    /// Even if somebody else made a credential of the user.
    pub force: bool,
    /// The user as its caller knows it.
    pub etag: String,
}

/// A role was given.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoleGiven {
    /// To whom.
    pub user: UserId,
    /// Which.
    pub role: RoleRef,
    /// What it is limited to.
    pub scope: Option<String>,
    /// What was forced; nothing on a repeat.
    #[serde(skip)]
    pub notices: Vec<Notice>,
}

impl Tx {
    /// Gives a role to a user (`model.md` §4 and §7). That it is not the caller itself is the engine's to say.
    ///
    /// `UNKNOWN_ROLE`, `ROLE_NOT_ASSIGNABLE`, `INVALID_PATH`, `INVALID_FIELD`, `ESCALATION`, `ACCOUNT_CLOSED`,
    /// `CREDENTIALS_BY_OTHERS`, `LAST_SUPER_USER`, `ROLE_ALREADY_HELD`.
    pub async fn give_role(
        &mut self,
        caller: &Caller,
        giving: Giving,
    ) -> Result<RoleGiven, Refusal> {
        let (user, rows) = self.living_with_grants(giving.user).await?;
        // Of before the change: what is given is not what its giver has by it.
        let (before, home) = (self.world().clone(), self.home().clone());
        let role = self.check_given(caller, &giving, user.account, user.kind.into())?;
        let scope = giving.scope.as_ref().map(ToString::to_string);
        let old = rows.into_iter().find(|grant| grant.role == role && grant.scope == scope);
        let grant = RoleGrant {
            user: user.id,
            account: user.account,
            role: role.clone(),
            scope: scope.clone(),
            expire_time: giving.expire_time,
            create_time: self.now(),
            created_by: Some(caller.user),
        };
        // Of the same key is one at most: one that has expired makes room.
        let (account, after) = (user.account, Some(Image::RoleGrant(grant)));
        let held =
            old.as_ref().is_some_and(|old| old.expire_time.is_none_or(|end| self.now() < end));
        let old = old.map(Image::RoleGrant);
        self.put(Change { account, kind: ChangeKind::RoleAssign, before: old, after })?;
        escalation(&home, caller, Some(&before), self.world(), &[user.id], self.now())?;
        unchanged(&giving.etag, &user_etag(&before, &user))?;
        not_closed(&before, account)?;
        let mut notices = Vec::new();
        // What takes everything away gives nothing to whoever knows a credential, and must not wait for them.
        if !suppresses(&before, &role)
            && let Some(notice) = self.tokens_by_others(caller, &[user.id])
        {
            notices.push(notice.unless(giving.force, self)?);
        }
        notices.extend(governed(self, &before, account)?);
        if held {
            return Err(Refusal::exists("ROLE_ALREADY_HELD", "the user holds the role already"));
        }
        Ok(RoleGiven { user: user.id, role, scope, notices })
    }

    /// Checks what is named: the role, its scope and its end.
    fn check_given(
        &self,
        caller: &Caller,
        giving: &Giving,
        account: crate::model::AccountId,
        holder: Holder,
    ) -> Result<RoleRef, Refusal> {
        let (world, now) = (self.world(), self.now());
        let there = giving.elsewhere.as_deref().unwrap_or(world);
        if let Some(scope) = &giving.scope {
            Looking { caller, home: self.home(), now }.sees_all(there, scope)?;
        }
        let role = resolve_role(world, account, &giving.role_type, holder, "role_type");
        let suppressing = role.as_ref().is_ok_and(|role| suppresses(world, role));
        if suppressing {
            self.may_stop(caller, giving.user, account)?;
        }
        let role = role?;
        if let Some(scope) = &giving.scope {
            if suppressing {
                let why = "a role that takes everything away takes no scope";
                return Err(Refusal::invalid("INVALID_FIELD", "scope", why));
            }
            contained(world.catalogue(), scope)?;
            let below = giving.elsewhere.is_some() || world.is_above(account, scope.account);
            in_reach(world, &role, account, scope, below)?;
        }
        if giving.expire_time.is_some_and(|end| end <= now) {
            return Err(Refusal::invalid("INVALID_FIELD", "expire_time", "must be in the future"));
        }
        Ok(role)
    }

    /// Stopping a user needs the right to do so, by whatever way (`edges.md` §2).
    fn may_stop(
        &self,
        caller: &Caller,
        user: UserId,
        account: crate::model::AccountId,
    ) -> Result<(), Refusal> {
        let (world, home, now) = (self.world(), self.home(), self.now());
        let path = ResourcePath::account(account).with("user", Named::Id(user.to_string()));
        if may(caller, home, world, "user.set_active", &path, now) {
            Ok(())
        } else if sees_user(caller, home, world, user, now) {
            Err(Refusal::forbidden("user.set_active"))
        } else {
            Err(Refusal::unseen("user", user))
        }
    }
}

/// Returns whether a role takes everything away, active or not.
pub(super) fn suppresses(world: &Snapshot, role: &RoleRef) -> bool {
    let RoleRef::BuiltIn(full) = role else { return false };
    let catalogue = world.catalogue();
    catalogue.role(full).is_some_and(|ix| catalogue.get(ix).suppress)
}
