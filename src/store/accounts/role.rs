//! The role of an account: the ceiling of all that its users may do (`model.md` §2, `edges.md` §1).

use super::{Tx, is_root};
use crate::decision::{Caller, Snapshot, ceiling};
use crate::model::catalogue::{Catalogue, PermissionSet, RoleIx};
use crate::model::{Account, AccountId, ChangeKind, Holder, Reach, ResourcePath, RoleRef};
use crate::store::Refusal;
use crate::store::etags::{account_etag, unchanged};
use crate::store::roles_named::resolve_role;

/// How many missing permissions are named.
const NAMED: usize = 10;

impl Tx {
    /// Sets or, with an empty name, removes the role of an account.
    ///
    /// Never of the caller's own: the right to it counts only from strictly above. The new role lies within the
    /// ceiling of the caller's own account; without a role that is everything.
    pub fn set_account_role(
        &mut self,
        caller: &Caller,
        id: AccountId,
        role: &str,
        etag: &str,
    ) -> Result<AccountId, Refusal> {
        let before = self.account_here(id)?;
        // Whoever may set roles at the root is of the root: it is told why no one ever can.
        if !before.is_root() && !self.world().is_above(caller.account, id) {
            return Err(Refusal::forbidden("account.set_role"));
        }
        let catalogue = self.world().catalogue();
        let role = (!role.is_empty()).then(|| named(self.world(), id, "role", role)).transpose()?;
        if !before.is_root() {
            let beyond = Ceiling::of(self.home(), caller.account).lacks(catalogue, role);
            if !beyond.is_empty() {
                return Err(Refusal::BeyondCeiling { account: id.to_string(), missing: beyond });
            }
        }
        unchanged(etag, &account_etag(&before))?;
        if before.is_root() {
            return Err(is_root("given a role"));
        }
        self.refuse_closed(id)?;
        let role = role.map(|role| catalogue.get(role).full_name.to_string());
        let after = Account { role, ..before.clone() };
        self.put_account(ChangeKind::AccountSetRole, before, after)?;
        Ok(id)
    }

    /// Returns the role that a new account gets: the one asked for where that may be chosen, else its parent's.
    pub(super) fn role_of_child(
        &self,
        caller: &Caller,
        parent: &Account,
        wanted: Option<&str>,
    ) -> Result<Option<String>, Refusal> {
        let Some(wanted) = wanted else { return Ok(parent.role.clone()) };
        let catalogue = self.world().catalogue();
        let role = named(self.world(), parent.id, "account.role", wanted)?;
        let within = |world: &Snapshot, account| {
            Ceiling::of(world, account).lacks(catalogue, Some(role)).is_empty()
        };
        let chosen = within(self.world(), parent.id)
            || (self.sets_roles_from_above(caller, parent.id)
                && within(self.home(), caller.account));
        Ok(if chosen {
            Some(catalogue.get(role).full_name.to_string())
        } else {
            parent.role.clone()
        })
    }

    fn sets_roles_from_above(&self, caller: &Caller, account: AccountId) -> bool {
        self.world().is_above(caller.account, account)
            && may(caller, self.home(), self.world(), "account.set_role", account, self.now())
    }
}

/// Asks the engine whether the caller is permitted something on an account.
pub(super) fn may(
    caller: &Caller,
    home: &Snapshot,
    there: &Snapshot,
    permission: &str,
    account: AccountId,
    now: chrono::DateTime<chrono::Utc>,
) -> bool {
    home.catalogue().parse(permission).is_some_and(|permission| {
        let path = ResourcePath::account(account);
        caller.ask(home, Some(there), permission, &path, now).is_permit()
    })
}

/// Finds the role that is meant for an account: one of a catalogue, since a ceiling holds for all below it too.
fn named(world: &Snapshot, at: AccountId, field: &str, written: &str) -> Result<RoleIx, Refusal> {
    let found = match resolve_role(world, at, written, Holder::Account, field)? {
        RoleRef::BuiltIn(full) => world.catalogue().role(&full),
        RoleRef::Custom(_) => None,
    };
    found.ok_or_else(|| {
        let why = format!("`{written}` is a custom role; an account's is one of a catalogue");
        Refusal::invalid("ROLE_NOT_ASSIGNABLE", field, why)
    })
}

/// What the users of an account can be given at all.
struct Ceiling {
    /// `None` = everything.
    permissions: Option<PermissionSet>,
    /// Whether they get to the accounts below theirs.
    reach: Reach,
}

impl Ceiling {
    fn of(world: &Snapshot, account: AccountId) -> Self {
        let reach = if is_confined(world, account) { Reach::Account } else { Reach::Subtree };
        Self { permissions: ceiling(world, account), reach }
    }

    /// Returns what a role, or none, would give beyond it, at most ten names.
    fn lacks(&self, catalogue: &Catalogue, role: Option<RoleIx>) -> Vec<String> {
        let role = role.map(|role| catalogue.get(role));
        let mut beyond = role.map_or(catalogue.all(), |role| &role.expanded).clone();
        let reach = role.map_or(Reach::Subtree, |role| role.reach);
        if reach <= self.reach {
            match &self.permissions {
                None => return Vec::new(),
                Some(within) => beyond.difference_with(within),
            }
        }
        beyond.iter().take(NAMED).map(|p| catalogue.name(p).to_owned()).collect()
    }
}

/// Returns whether the role of an account keeps its users inside it (`model.md` §6, step 5).
pub(super) fn is_confined(world: &Snapshot, account: AccountId) -> bool {
    let catalogue = world.catalogue();
    let role = world.account(account).and_then(|account| account.role.as_deref());
    role.and_then(|role| catalogue.role(role))
        .is_some_and(|role| catalogue.get(role).reach == Reach::Account)
}
