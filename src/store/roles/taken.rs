//! Taking a role from a user.

use serde::{Deserialize, Serialize};

use super::given::suppresses;
use super::{Notice, governed, not_closed};
use crate::decision::{Caller, Snapshot, escalation};
use crate::model::catalogue::Unresolved;
use crate::model::{
    AccountId, Change, ChangeKind, Holder, Image, ResourcePath, RoleGrant, RoleRef, UserId,
};
use crate::store::etags::{unchanged, user_etag};
use crate::store::roles_named::resolve_role;
use crate::store::{Refusal, Tx};

/// A role to take away.
#[derive(Debug, Clone)]
pub struct Taking {
    /// From whom.
    pub user: UserId,
    /// The role, by name or id.
    pub role_type: String,
    /// The scope of the one grant to take; `None` = every grant of the role.
    pub scope: Option<ResourcePath>,
    /// Even if tokens name the role, or somebody else made a credential of a user to whom everything comes back.
    pub force: bool,
    /// The user as its caller knows it.
    pub etag: String,
}

/// A role was taken away.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoleTaken {
    /// From whom.
    pub user: UserId,
    /// What was taken; not kept for a repeat.
    #[serde(skip)]
    pub grants: Vec<RoleGrant>,
    /// What was forced; nothing on a repeat.
    #[serde(skip)]
    pub notices: Vec<Notice>,
}

impl Tx {
    /// Takes a role from a user (`model.md` §4); what it took away comes back, and is judged as given (§7).
    ///
    /// `UNKNOWN_ROLE`, `ROLE_NOT_HELD`, `ESCALATION`, `ACCOUNT_CLOSED`, `CREDENTIALS_BY_OTHERS`, `ROLE_IN_USE`,
    /// `LAST_SUPER_USER`.
    pub async fn take_role(
        &mut self,
        caller: &Caller,
        taking: Taking,
    ) -> Result<RoleTaken, Refusal> {
        let (user, rows) = self.living_with_grants(taking.user).await?;
        let (before, home) = (self.world().clone(), self.home().clone());
        let written = &taking.role_type;
        let role = meant(&before, user.account, user.kind.into(), written, &rows)?;
        let scope = taking.scope.as_ref().map(ToString::to_string);
        let wanted =
            |grant: &RoleGrant| grant.role == role && (scope.is_none() || grant.scope == scope);
        let grants: Vec<RoleGrant> = rows.into_iter().filter(wanted).collect();
        if grants.is_empty() {
            return Err(Refusal::NotHeld { role: written.clone() });
        }
        for grant in &grants {
            self.put(Change {
                account: user.account,
                kind: ChangeKind::RoleRevoke,
                before: Some(Image::RoleGrant(grant.clone())),
                after: None,
            })?;
        }
        escalation(&home, caller, Some(&before), self.world(), &[user.id], self.now())?;
        unchanged(&taking.etag, &user_etag(&before, &user))?;
        not_closed(&before, user.account)?;
        let notices = self.after_taking(caller, &before, &role, &taking)?;
        Ok(RoleTaken { user: user.id, grants, notices })
    }

    fn after_taking(
        &mut self,
        caller: &Caller,
        before: &Snapshot,
        role: &RoleRef,
        taking: &Taking,
    ) -> Result<Vec<Notice>, Refusal> {
        let user = taking.user;
        let mut notices = Vec::new();
        // Whoever knows a credential of the user gets back what comes back.
        if suppresses(before, role)
            && let Some(notice) = self.tokens_by_others(caller, &[user])
        {
            notices.push(notice.unless(taking.force, self)?);
        }
        let Some(held) = self.world().any_user(user) else { return Ok(notices) };
        let account = held.account;
        let gone = held.held.iter().all(|held| held.role != *role);
        if gone && let Some(notice) = self.tokens_naming(caller, user, role) {
            notices.push(notice.unless(taking.force, self)?);
        }
        if gone {
            self.strip_tokens(user, role)?;
        }
        notices.extend(governed(self, before, account)?);
        Ok(notices)
    }
}

/// Finds the role that is meant: as for giving it, or among what the user holds, where it may have vanished from the
/// catalogue or be for others now.
fn meant(
    world: &Snapshot,
    account: AccountId,
    holder: Holder,
    written: &str,
    held: &[RoleGrant],
) -> Result<RoleRef, Refusal> {
    let error = match resolve_role(world, account, written, holder, "role_type") {
        Ok(role) => return Ok(role),
        Err(error) => error,
    };
    if matches!(world.catalogue().resolve(written, holder), Err(Unresolved::Ambiguous { .. })) {
        return Err(error);
    }
    let called = |grant: &&RoleGrant| match &grant.role {
        RoleRef::BuiltIn(full) => {
            **full == *written || full.split_once('/').is_some_and(|(_, bare)| bare == written)
        }
        RoleRef::Custom(id) => {
            id.to_string() == *written
                || world.role(*id).is_some_and(|found| found.role.name == written)
        }
    };
    let mut found: Vec<&RoleRef> = held.iter().filter(called).map(|grant| &grant.role).collect();
    found.dedup();
    match (found.as_slice(), error) {
        ([one], _) => Ok((*one).clone()),
        // It is a role, if none that such a user can hold.
        ([], Refusal::Invalid { reason: "ROLE_NOT_ASSIGNABLE", .. }) => {
            Err(Refusal::NotHeld { role: written.to_owned() })
        }
        (_, error) => Err(error),
    }
}
