//! The reference evaluator: written from `model.md` §6 alone, as plainly as it can be, and slow.
//!
//! It reads the facts and the catalogue's texts; it shares no index, no bit set and no compiled role with the engine.

use chancery::decision::{Facts, Reason};
use chancery::model::catalogue::Catalogue;
use chancery::model::{
    Account, AccountId, AccountStatus, Named, Reach, Relation, RoleGrant, RoleRef, User, UserId,
    UserKind,
};

use super::conditions::holds;
use super::questions::Asked;
use super::worlds::World;

struct Naive<'a> {
    catalogue: &'a Catalogue,
    home: &'a Facts,
    there: Option<&'a Facts>,
    asked: &'a Asked,
}

/// One thing a role gives: which patterns, without which, how far, on whom, on what condition.
struct Gives {
    when: Option<String>,
    permission: bool,
    reach: Reach,
    on: Option<Relation>,
}

pub(crate) fn decide(catalogue: &Catalogue, world: &World, asked: &Asked) -> Option<Reason> {
    if !catalogue.files().iter().any(|file| declares(catalogue, &file.name, &asked.permission)) {
        return None;
    }
    let subject = asked.subject?;
    let of_root = world.platform.users.iter().any(|user| user.id == subject);
    let home = if of_root { &world.platform } else { &world.tenant };
    let has = |facts: &Facts| facts.accounts.iter().any(|a| a.id == asked.resource.account);
    let there = if has(home) {
        Some(home)
    } else if of_root && has(&world.tenant) {
        Some(&world.tenant)
    } else {
        None
    };
    Some(Naive { catalogue, home, there, asked }.reason(subject))
}

impl Naive<'_> {
    fn reason(&self, subject: UserId) -> Reason {
        // 1
        let Some(user) = self.home.users.iter().find(|user| user.id == subject) else {
            return Reason::SubjectUnknown;
        };
        if user.delete_time.is_some() {
            return Reason::SubjectUnknown;
        }
        if !user.enabled {
            return Reason::SubjectDisabled;
        }
        // 2
        if !works(self.home, user.account) {
            return Reason::AccountNotActive;
        }
        let at = self.asked.resource.account;
        if let Some(there) = self.there
            && !works(there, at)
            && !(declares(self.catalogue, "core", &self.asked.permission)
                && above(there, user.account, at))
        {
            return Reason::AccountNotActive;
        }
        // 3
        let oneself = self.target() == Some(Some(user.id));
        let own_sessions =
            ["session.read", "session.revoke"].contains(&self.asked.permission.as_str());
        if self.live(user).any(|grant| is(&grant.role, "ringcx/NO_ACCESS"))
            && !(oneself && own_sessions)
        {
            return Reason::NoAccess;
        }
        // 4
        if !self.granted(user) {
            return Reason::NoGrant;
        }
        // 5
        if self.over_ceiling(user) {
            return Reason::AccountRoleCeiling;
        }
        Reason::Permitted
    }

    fn live<'b>(&'b self, user: &'b User) -> impl Iterator<Item = &'b RoleGrant> {
        self.home
            .grants
            .iter()
            .filter(|grant| grant.user == user.id)
            .filter(|grant| grant.expire_time.is_none_or(|end| self.asked.now < end))
    }

    /// `None`: no user pair. `Some(None)`: `user/-` (or a name that is no id).
    #[expect(clippy::option_option, reason = "as plain as it can be said")]
    fn target(&self) -> Option<Option<UserId>> {
        let pair = self.asked.resource.pairs.iter().find(|pair| pair.kind == "user")?;
        Some(match &pair.named {
            Named::Any => None,
            Named::Id(id) => id.parse().ok(),
        })
    }

    fn granted(&self, user: &User) -> bool {
        let never = [
            "role.assign",
            "role.revoke",
            "rights_document.assign",
            "rights_document.unassign",
            "user.move",
            "user.set_active",
            "user.delete",
            "user.offboard",
            "user.assume",
        ];
        let permission = self.asked.permission.as_str();
        if self.target() == Some(Some(user.id)) && never.contains(&permission) {
            return false;
        }
        let Some(there) = self.there else { return false };
        if !self.objects_exist(there) {
            return false;
        }
        let baseline = self.catalogue.roles().filter(|(_, role)| role.held_by.contains(&user.kind));
        for (_, role) in baseline {
            let gives = self.gives(&RoleRef::BuiltIn(role.full_name.clone()));
            // The baseline `on: self` is held on oneself only: where the path names no user it gives nothing.
            let on_oneself =
                |gives: &Gives| gives.on == Some(Relation::Own) && self.target().is_none();
            if gives
                .iter()
                .any(|gives| !on_oneself(gives) && self.covers(user, there, gives, false))
            {
                return true;
            }
        }
        self.live(user).any(|grant| {
            let scoped = grant.scope.as_deref().is_none_or(|scope| {
                let scope = scope.to_ascii_lowercase();
                let path = self.asked.resource.to_string();
                path == scope || path.starts_with(&format!("{scope}/"))
            });
            let manages =
                is(&grant.role, "ringcx/MANAGE_USERS") || is(&grant.role, "ringcx/MANAGE_RIGHTS");
            let siblings_too = manages
                && self.live(user).any(|other| {
                    is(&other.role, "ringcx/ACCESS_SIBLINGS")
                        && other.scope.as_deref().is_none_or(|scope| {
                            let path = self.asked.resource.to_string();
                            path == scope || path.starts_with(&format!("{scope}/"))
                        })
                });
            scoped
                && self
                    .gives(&grant.role)
                    .iter()
                    .any(|gives| self.covers(user, there, gives, siblings_too))
        })
    }

    /// What a role gives of the permission asked about, what it includes as well.
    fn gives(&self, role: &RoleRef) -> Vec<Gives> {
        let permission = self.asked.permission.as_str();
        match role {
            RoleRef::BuiltIn(name) => {
                let found = self.catalogue.roles().find(|(_, role)| &role.full_name == name);
                let Some((_, role)) = found else { return Vec::new() };
                let matches = |patterns: &[String]| {
                    patterns.iter().any(|p| self.in_file(&role.catalogue, p, permission))
                };
                let own = matches(&role.permits) && !matches(&role.except);
                let mut all =
                    vec![Gives { when: None, permission: own, reach: role.reach, on: role.on }];
                for included in &role.includes {
                    let name = self.catalogue.get(*included).full_name.clone();
                    all.extend(self.gives(&RoleRef::BuiltIn(name)));
                }
                all
            }
            RoleRef::Custom(id) => {
                let found = self.home.roles.iter().find(|role| role.id == *id && role.active);
                let Some(role) = found else { return Vec::new() };
                let matches = |patterns: &[String]| patterns.iter().any(|p| fits(p, permission));
                let own = matches(&role.permits) && !matches(&role.except);
                let when = role.when.clone();
                let mut all = vec![Gives { when, permission: own, reach: role.reach, on: role.on }];
                for included in &role.includes {
                    all.extend(self.gives(included));
                }
                all
            }
        }
    }

    fn in_file(&self, file: &str, pattern: &str, permission: &str) -> bool {
        if pattern == "*" {
            return true;
        }
        let info = self.catalogue.files().iter().find(|info| info.name == file).unwrap();
        let declared = std::iter::once(file)
            .chain(info.uses.iter().map(String::as_str))
            .any(|file| declares(self.catalogue, file, permission));
        declared && fits(pattern, permission)
    }

    fn covers(&self, user: &User, there: &Facts, gives: &Gives, siblings_too: bool) -> bool {
        let at = self.asked.resource.account;
        let (kind, action) = self.asked.permission.split_once('.').unwrap();
        let shared =
            kind == "scenario" && ["read", "get_scenarios", "start_scenarios"].contains(&action);
        let within_tenant = there.accounts.iter().any(|account| account.id == user.account);
        let reached = user.account == at
            || (gives.reach == Reach::Subtree && above(there, user.account, at))
            || (shared && within_tenant && above(there, at, user.account));
        gives.permission
            && reached
            && self.related(user, there, gives.on, siblings_too)
            && gives.when.as_deref().is_none_or(|when| holds(when, user, self.asked))
    }

    fn related(
        &self,
        user: &User,
        there: &Facts,
        on: Option<Relation>,
        siblings_too: bool,
    ) -> bool {
        let Some(target) = self.target() else { return true };
        let Some(on) = on else { return false };
        if user.account != self.asked.resource.account {
            return on == Relation::Account;
        }
        let Some(target) = target else { return on != Relation::Own || siblings_too };
        let of = |id: UserId| there.users.iter().find(|user| user.id == id);
        let siblings = || {
            let parent = of(target).and_then(|target| target.parent);
            target != user.id && parent.is_some() && parent == user.parent
        };
        let below = || {
            let mut at = of(target).and_then(|target| target.parent);
            while let Some(id) = at {
                if id == user.id {
                    return true;
                }
                at = of(id).and_then(|user| user.parent);
            }
            false
        };
        (siblings_too && siblings())
            || match on {
                Relation::Own => target == user.id,
                Relation::Subtree => below(),
                Relation::Siblings => siblings(),
                Relation::Account => true,
            }
    }

    fn objects_exist(&self, there: &Facts) -> bool {
        let path = &self.asked.resource;
        let back = self.asked.permission == "user.undelete";
        path.pairs.iter().all(|pair| {
            let Named::Id(id) = &pair.named else { return true };
            let found = |id: &str| {
                let id: UserId = id.parse().ok()?;
                there.users.iter().find(|user| {
                    user.id == id
                        && user.account == path.account
                        && (back || user.delete_time.is_none())
                })
            };
            match pair.kind.as_str() {
                "user" => found(id).is_some(),
                // The only application of these worlds is `5`, and only application users have one.
                "application_user" if id.starts_with("usr_") => {
                    found(id).is_some_and(|user| user.kind == UserKind::Application)
                }
                _ => true,
            }
        })
    }

    fn over_ceiling(&self, user: &User) -> bool {
        let permission = self.asked.permission.as_str();
        let mut at = Some(user.account);
        while let Some(account) = at.and_then(|id| of(self.home, id)) {
            if let Some(role) = &account.role {
                let gives = self.gives(&RoleRef::BuiltIn(role.clone()));
                if !gives.iter().any(|gives| gives.permission) {
                    return true;
                }
            }
            at = account.parent;
        }
        let own = of(self.home, user.account).and_then(|account| account.role.as_deref());
        let confined = own.is_some_and(|role| role != "restcomm/Administrator");
        let shared = ["scenario.read", "scenario.get_scenarios", "scenario.start_scenarios"];
        confined && user.account != self.asked.resource.account && !shared.contains(&permission)
    }
}

fn of(facts: &Facts, id: AccountId) -> Option<&Account> {
    facts.accounts.iter().find(|account| account.id == id)
}

fn is(role: &RoleRef, name: &str) -> bool {
    role.to_string() == name
}

fn declares(catalogue: &Catalogue, file: &str, permission: &str) -> bool {
    let info = catalogue.files().iter().find(|info| info.name == file);
    info.is_some_and(|info| info.permissions.iter().any(|p| catalogue.name(p) == permission))
}

fn fits(pattern: &str, permission: &str) -> bool {
    let (kind, action) = permission.split_once('.').unwrap();
    match pattern.split_once('.') {
        None => pattern == "*",
        Some((k, a)) => (k == "*" || k == kind) && (a == "*" || a == action),
    }
}

/// The account and all above it are active and out of quarantine.
fn works(facts: &Facts, id: AccountId) -> bool {
    let mut at = of(facts, id);
    if at.is_none() {
        return false;
    }
    while let Some(account) = at {
        if account.status != AccountStatus::Active || account.quarantined_from.is_some() {
            return false;
        }
        at = account.parent.and_then(|parent| of(facts, parent));
    }
    true
}

/// `upper` stands strictly above `lower`.
fn above(facts: &Facts, upper: AccountId, lower: AccountId) -> bool {
    let mut at = of(facts, lower).and_then(|account| account.parent);
    while let Some(id) = at {
        if id == upper {
            return true;
        }
        at = of(facts, id).and_then(|account| account.parent);
    }
    false
}
