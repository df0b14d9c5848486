//! The reference evaluator: written from `model.md` §5 and §6 alone, as plainly as it can be, and slow.
//!
//! It reads the facts and the catalogues' texts; it shares no index, no bit set and no compiled role or document with the
//! engine.

mod documents;
mod roles;
mod trees;

use chancery::decision::{Facts, Missing, Reason};
use chancery::model::catalogue::Catalogue;
use chancery::model::{Named, RoleGrant, RoleRef, User, UserId, UserKind};
use trees::{above, of, works};

use super::questions::Asked;
use super::words::words;
use super::worlds::World;

pub(crate) const NEVER_ON_ONESELF: &[&str] = &[
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

struct Naive<'a> {
    catalogue: &'a Catalogue,
    home: &'a Facts,
    there: Option<&'a Facts>,
    asked: &'a Asked,
}

/// What covers a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    /// Whether a grant does that the credential's `role:` entries leave.
    counted: bool,
}

pub(crate) type Verdict = (Reason, Option<Missing>);

pub(crate) fn decide(catalogue: &Catalogue, world: &World, asked: &Asked) -> Option<Verdict> {
    if !words().knows(&asked.permission) {
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
    Some(Naive { catalogue, home, there, asked }.verdict(subject))
}

impl Naive<'_> {
    fn verdict(&self, subject: UserId) -> Verdict {
        let deny = |reason| (reason, None);
        // 1
        let Some(user) = self.home.users.iter().find(|user| user.id == subject) else {
            return deny(Reason::SubjectUnknown);
        };
        if user.delete_time.is_some() {
            return deny(Reason::SubjectUnknown);
        }
        if !user.enabled {
            return deny(Reason::SubjectDisabled);
        }
        // 2
        if !works(self.home, user.account) {
            return deny(Reason::AccountNotActive);
        }
        let at = self.asked.resource.account;
        if let Some(there) = self.there
            && !works(there, at)
            && !(words().declares("core", &self.asked.permission) && above(there, user.account, at))
        {
            return deny(Reason::AccountNotActive);
        }
        // 3
        let oneself = self.target() == Some(Some(user.id));
        let own_sessions =
            ["session.read", "session.revoke"].contains(&self.asked.permission.as_str());
        if self.live(user).any(|grant| is(&grant.role, "ringcx/NO_ACCESS"))
            && !(oneself && own_sessions)
        {
            return deny(Reason::NoAccess);
        }
        // 4
        let found = match self.granted(user) {
            Err(missing) => return (Reason::NoGrant, Some(missing)),
            Ok(found) => found,
        };
        // 5
        if self.over_ceiling(user) {
            return deny(Reason::AccountRoleCeiling);
        }
        // 6
        let (roles, patterns): (Vec<&String>, Vec<&String>) =
            self.asked.scopes.iter().partition(|scope| scope.starts_with("role:"));
        let matched = patterns.iter().any(|p| *p == "*" || **p == self.asked.permission);
        if (!roles.is_empty() && !found.counted) || (!patterns.is_empty() && !matched) {
            return deny(Reason::TokenScope);
        }
        deny(Reason::Permitted)
    }

    fn live<'b>(&'b self, user: &'b User) -> impl Iterator<Item = &'b RoleGrant> {
        self.home
            .grants
            .iter()
            .filter(|grant| grant.user == user.id)
            .filter(|grant| self.is_live(grant))
    }

    fn is_live(&self, grant: &RoleGrant) -> bool {
        grant.expire_time.is_none_or(|end| self.asked.now < end)
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

    /// Step 4: whether anything covers it, or how near the nearest comes.
    fn granted(&self, user: &User) -> Result<Found, Missing> {
        let mut near = Missing::NotGranted;
        let mut found: Option<Found> = None;
        let mut look = |covers: Result<(), Missing>, counted: bool| match covers {
            Ok(()) => {
                let before = found.is_some_and(|found| found.counted);
                found = Some(Found { counted: counted || before });
            }
            Err(missing) => near = near.max(missing),
        };
        look(self.by_baseline(user), true);
        let roles: Vec<&String> =
            self.asked.scopes.iter().filter(|scope| scope.starts_with("role:")).collect();
        for grant in self.home.grants.iter().filter(|grant| grant.user == user.id) {
            let named = roles.iter().any(|scope| **scope == format!("role:{}", grant.role));
            look(self.by_grant(user, grant), named || roles.is_empty());
        }
        look(self.by_documents(user), roles.is_empty());
        let never = NEVER_ON_ONESELF.contains(&self.asked.permission.as_str());
        if !self.is_there() {
            // Whether a thing is not there or out of reach is not told (`edges.md` §3).
            let given = found.is_some() || near > Missing::NotGranted;
            return Err(if given { Missing::OutOfReach } else { Missing::NotGranted });
        }
        if self.target() == Some(Some(user.id)) && never {
            return Err(Missing::WrongRelation);
        }
        found.ok_or(near)
    }

    fn is_there(&self) -> bool {
        self.there.is_some_and(|there| self.objects_exist(there))
    }

    fn objects_exist(&self, there: &Facts) -> bool {
        let path = &self.asked.resource;
        let back = self.asked.permission == "user.undelete";
        let mut under: Option<UserId> = None;
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
                "user" => {
                    under = id.parse().ok();
                    found(id).is_some()
                }
                // Only application users have an application, and the only one of these worlds is `5`.
                "application_user" if id.starts_with("usr_") => {
                    let five = path.pairs.iter().all(|pair| {
                        pair.kind != "application"
                            || pair.named == Named::Any
                            || pair.named == Named::Id("5".to_owned())
                    });
                    found(id).is_some_and(|user| user.kind == UserKind::Application && five)
                }
                // These worlds have no tokens.
                "api_token" => false,
                "rights_document" => self.document_exists(there, id, under),
                _ => true,
            }
        })
    }

    fn over_ceiling(&self, user: &User) -> bool {
        let mut at = Some(user.account);
        while let Some(account) = at.and_then(|id| of(self.home, id)) {
            if let Some(role) = &account.role {
                let gives = self.gives(&RoleRef::BuiltIn(role.as_str().into()));
                if !gives.iter().any(|gives| gives.permission) {
                    return true;
                }
            }
            at = account.parent;
        }
        let own = of(self.home, user.account).and_then(|account| account.role.as_deref());
        let confined = own.is_some_and(|role| role != "restcomm/Administrator");
        confined
            && user.account != self.asked.resource.account
            && !words().is_shared_down(&self.asked.permission)
    }
}

fn is(role: &RoleRef, name: &str) -> bool {
    role.to_string() == name
}
