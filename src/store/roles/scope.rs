//! Where a grant is limited to.

use super::Refusal;
use crate::decision::{Caller, Snapshot, may, sees_account, sees_user};
use crate::model::catalogue::Catalogue;
use crate::model::{AccountId, Named, Reach, ResourcePath, RoleId, RoleRef, TokenId, UserId};
use chrono::{DateTime, Utc};

/// Who looks, and when.
pub(super) struct Looking<'a> {
    pub(super) caller: &'a Caller,
    pub(super) home: &'a Snapshot,
    pub(super) now: DateTime<Utc>,
}

impl Looking<'_> {
    /// Refuses a path that names what is not there, not where the path says, or not for the caller to see (`model.md` §10).
    pub(super) fn sees_all(&self, there: &Snapshot, path: &ResourcePath) -> Result<(), Refusal> {
        let &Self { caller, home, now } = self;
        let account = path.account;
        if there.account(account).is_none() || !sees_account(caller, home, there, account, now) {
            return Err(Refusal::unseen("account", account));
        }
        let mut so_far = ResourcePath::account(account);
        for pair in &path.pairs {
            so_far.pairs.push(pair.clone());
            let Named::Id(id) = &pair.named else { continue };
            let user = || id.parse::<UserId>().ok();
            let here = |user: UserId| {
                there.user(user).is_some_and(|found| found.account == account)
                    && sees_user(caller, home, there, user, now)
            };
            let (kind, seen) = match pair.kind.as_str() {
                "user" => ("user", user().is_some_and(here)),
                // Others' end customers have other ids; those are theirs to know.
                "application_user" => ("user", user().is_none_or(here)),
                "api_token" => ("token", self.sees_token(there, id, &so_far)),
                "role" => ("role", self.sees_role(there, id, account)),
                _ => continue,
            };
            if !seen {
                return Err(Refusal::unseen(kind, id));
            }
        }
        Ok(())
    }

    fn sees_token(&self, there: &Snapshot, id: &str, path: &ResourcePath) -> bool {
        let token = id.parse::<TokenId>().ok().and_then(|id| there.token(id));
        let owner = path.pairs.iter().rev().find_map(|pair| match (&*pair.kind, &pair.named) {
            ("user", Named::Id(id)) => id.parse::<UserId>().ok(),
            _ => None,
        });
        token.is_some_and(|found| owner.is_none_or(|owner| owner == found.token.user))
            && may(self.caller, self.home, there, "api_token.read", path, self.now)
    }

    /// Names of roles are anybody's to write; an id is that of a role that is usable there.
    fn sees_role(&self, there: &Snapshot, id: &str, account: AccountId) -> bool {
        let Ok(id) = id.parse::<RoleId>() else { return true };
        there.role(id).is_some_and(|found| {
            there.is_in(account, found.role.account)
                && super::sees_role(self.caller, self.home, there, &found.role, self.now)
        })
    }
}

/// Holds the containment that a path states against what the catalogues declare.
pub(super) fn contained(catalogue: &Catalogue, path: &ResourcePath) -> Result<(), Refusal> {
    let invalid = |why: String| Refusal::invalid("INVALID_PATH", "scope", why);
    let mut above = "account";
    for pair in &path.pairs {
        let kind = catalogue.kind(&pair.kind);
        let kind = kind.ok_or_else(|| invalid(format!("`{}` is no resource type", pair.kind)))?;
        if !kind.parents.iter().any(|parent| parent == above) {
            let allowed = kind.parents.join(", ");
            let why = format!("`{}` does not lie in `{above}`; it lies in: {allowed}", pair.kind);
            return Err(invalid(why));
        }
        above = &pair.kind;
    }
    Ok(())
}

/// Refuses a scope in an account that the role, held in `holder`, does not reach (`model.md` §4).
///
/// `below` = whether the scope's account lies below the holder's.
pub(super) fn in_reach(
    world: &Snapshot,
    role: &RoleRef,
    holder: AccountId,
    scope: &ResourcePath,
    below: bool,
) -> Result<(), Refusal> {
    if scope.account == holder || (below && reach(world, role) == Reach::Subtree) {
        return Ok(());
    }
    let why = format!("lies in `{}`, which the role does not reach", scope.account);
    Err(Refusal::invalid("INVALID_PATH", "scope", why))
}

/// Returns how far a role reaches at most, by itself or by what it includes.
fn reach(world: &Snapshot, role: &RoleRef) -> Reach {
    let mut reach = match role {
        RoleRef::BuiltIn(full) => {
            let catalogue = world.catalogue();
            catalogue.role(full).map(|ix| catalogue.get(ix).reach).unwrap_or_default()
        }
        RoleRef::Custom(id) => world.role(*id).map(|found| found.role.reach).unwrap_or_default(),
    };
    world.each_part(role, &mut |part| reach = reach.max(part.reach));
    reach
}
