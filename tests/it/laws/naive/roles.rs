//! What roles give, from `model.md` §2 to §4 and §6.

use chancery::decision::{Facts, Missing};
use chancery::model::{Reach, Relation, RoleGrant, RoleRef, User, UserId};

use super::trees::{above, ancestors, user};
use super::{Naive, is};
use crate::laws::conditions::holds;
use crate::laws::words::words;

/// One thing a role gives: which patterns, without which, how far, on whom, on what condition.
pub(super) struct Gives {
    pub(super) permission: bool,
    reach: Reach,
    on: Option<Relation>,
    when: Option<String>,
}

/// How one thing that is given is held.
struct How<'a> {
    scope: Option<&'a str>,
    siblings_too: bool,
    live: bool,
}

impl Naive<'_> {
    /// How near what a user holds without being given it comes.
    pub(super) fn by_baseline(&self, user: &User) -> Result<(), Missing> {
        let mut near = Missing::NotGranted;
        let how = How { scope: None, siblings_too: false, live: true };
        for (_, role) in
            self.catalogue.roles().filter(|(_, role)| role.held_by.contains(&user.kind))
        {
            for gives in self.gives(&RoleRef::BuiltIn(role.full_name.clone())) {
                // `on: self` is held on oneself only: where the path names no user it gives nothing.
                if gives.on == Some(Relation::Own) && self.target().is_none() {
                    continue;
                }
                match self.covers(user, &gives, &how) {
                    Ok(()) => return Ok(()),
                    Err(missing) => near = near.max(missing),
                }
            }
        }
        Err(near)
    }

    /// How near one role on a user comes.
    pub(super) fn by_grant(&self, user: &User, grant: &RoleGrant) -> Result<(), Missing> {
        let manages =
            is(&grant.role, "ringcx/MANAGE_USERS") || is(&grant.role, "ringcx/MANAGE_RIGHTS");
        let siblings_too = manages
            && self.live(user).any(|other| {
                is(&other.role, "ringcx/ACCESS_SIBLINGS") && self.in_scope(other.scope.as_deref())
            });
        let how = How { scope: grant.scope.as_deref(), siblings_too, live: self.is_live(grant) };
        let mut near = Missing::NotGranted;
        for gives in self.gives(&grant.role) {
            match self.covers(user, &gives, &how) {
                Ok(()) => return Ok(()),
                Err(missing) => near = near.max(missing),
            }
        }
        Err(near)
    }

    fn in_scope(&self, scope: Option<&str>) -> bool {
        scope.is_none_or(|scope| {
            let path = self.asked.resource.to_string();
            path == scope || path.starts_with(&format!("{scope}/"))
        })
    }

    /// What a role gives of the permission asked about, what it includes as well.
    pub(super) fn gives(&self, role: &RoleRef) -> Vec<Gives> {
        let permission = self.asked.permission.as_str();
        let (own, reach, on, when, includes) = match role {
            RoleRef::BuiltIn(name) => {
                let found = self.catalogue.roles().find(|(_, role)| &role.full_name == name);
                let Some((_, role)) = found else { return Vec::new() };
                let matches = |patterns: &[String]| {
                    patterns.iter().any(|p| self.in_file(&role.catalogue, p, permission))
                };
                let full = |ix| RoleRef::BuiltIn(self.catalogue.get(ix).full_name.clone());
                let includes: Vec<RoleRef> = role.includes.iter().map(|ix| full(*ix)).collect();
                let own = matches(&role.permits) && !matches(&role.except);
                (own, role.reach, role.on, None, includes)
            }
            RoleRef::Custom(id) => {
                let found = self.home.roles.iter().find(|role| role.id == *id && role.active);
                let Some(role) = found else { return Vec::new() };
                let matches = |patterns: &[String]| patterns.iter().any(|p| fits(p, permission));
                let own = matches(&role.permits) && !matches(&role.except);
                (own, role.reach, role.on, role.when.clone(), role.includes.clone())
            }
        };
        let mut all = vec![Gives { permission: own, reach, on, when }];
        all.extend(includes.iter().flat_map(|included| self.gives(included)));
        all
    }

    fn in_file(&self, file: &str, pattern: &str, permission: &str) -> bool {
        if pattern == "*" {
            return true;
        }
        if !fits(pattern, permission) {
            return false;
        }
        let info = self.catalogue.files().iter().find(|info| info.name == file).unwrap();
        std::iter::once(file)
            .chain(info.uses.iter().map(String::as_str))
            .any(|file| words().declares(file, permission))
    }

    /// Permission, reach, scope, relation, time: the first that fails is what is missing.
    fn covers(&self, user: &User, gives: &Gives, how: &How<'_>) -> Result<(), Missing> {
        let at = self.asked.resource.account;
        if !gives.permission {
            return Err(Missing::NotGranted);
        }
        let Some(there) = self.there else { return Err(Missing::OutOfReach) };
        let shared = words().is_shared_down(&self.asked.permission);
        let within_tenant = there.accounts.iter().any(|account| account.id == user.account);
        let reached = user.account == at
            || (gives.reach == Reach::Subtree && above(there, user.account, at))
            || (shared && within_tenant && above(there, at, user.account));
        if !reached {
            return Err(Missing::OutOfReach);
        }
        if !self.in_scope(how.scope) {
            return Err(Missing::OutOfScope);
        }
        if !self.related(user, there, gives.on, how.siblings_too) {
            return Err(Missing::WrongRelation);
        }
        if !gives.when.as_deref().is_none_or(|when| holds(when, user, self.asked)) {
            return Err(Missing::ConditionFailed);
        }
        if how.live { Ok(()) } else { Err(Missing::GrantExpired) }
    }

    fn related(
        &self,
        holder: &User,
        there: &Facts,
        on: Option<Relation>,
        siblings_too: bool,
    ) -> bool {
        let Some(target) = self.target() else { return true };
        let Some(on) = on else { return false };
        if holder.account != self.asked.resource.account {
            return on == Relation::Account;
        }
        let Some(target) = target else { return on != Relation::Own || siblings_too };
        let parent = |id: UserId| user(there, id).and_then(|user| user.parent);
        let siblings =
            || target != holder.id && parent(target).is_some() && parent(target) == holder.parent;
        let below = || ancestors(there, target).iter().any(|up| up.id == holder.id);
        (siblings_too && siblings())
            || match on {
                Relation::Own => target == holder.id,
                Relation::Subtree => below(),
                Relation::Siblings => siblings(),
                Relation::Account => true,
            }
    }
}

fn fits(pattern: &str, permission: &str) -> bool {
    let (kind, action) = permission.split_once('.').unwrap();
    match pattern.split_once('.') {
        None => pattern == "*",
        Some((k, a)) => (k == "*" || k == kind) && (a == "*" || a == action),
    }
}
