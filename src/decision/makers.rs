//! Who may make a change that is suggested: whoever is permitted it, and gives nothing away by it that it does not hold.

use super::ask::Caller;
use super::bounds::ceiling;
use super::escalation::{Gain, gained, gives_no_more};
use super::holding::call_holdings;
use super::question::{Question, Subject};
use super::search::possible_users;
use super::sight::{may, sees_document};
use super::snapshot::{Principal, Snapshot};
use super::stock::Stock;
use super::suggest::Viewer;
use super::suppose::{Proposed, Supposed};
use crate::model::{AccountId, Named, ResourcePath, RoleRef, UserId, UserKind};

/// So many are named,
const MOST: usize = 10;
/// of so many who could be.
const MOST_TRIED: usize = 300;

/// Some of those who may make a change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Makers {
    /// Those that whoever asks sees; few.
    pub users: Vec<UserId>,
    /// Whether there may be more.
    pub more: bool,
}

impl Makers {
    /// Finds some, among the users of the subject's tenant and those of `above`.
    pub(super) fn of(
        at: &Supposed,
        question: &Question<'_>,
        change: &Proposed,
        viewer: &Viewer<'_>,
        above: Option<&Snapshot>,
    ) -> Self {
        let mut found = Self::default();
        let (Some(deed), Ok(after)) = (Deed::new(at, question, change), at.with(change, question))
        else {
            return found;
        };
        let gains = deed.gains(&after);
        let there = at.world_of(deed.path.account);
        let above = above.filter(|above| above.tenant() != there.tenant());
        let permission = there.catalogue().parse(deed.permission);
        for world in std::iter::once(there).chain(above) {
            let Some(permission) = permission else { break };
            let candidates = possible_users(world, permission, &deed.path, None);
            for (tried, id) in candidates.enumerate() {
                if found.users.len() >= MOST || tried >= MOST_TRIED {
                    found.more = true;
                    break;
                }
                if let Some(user) = world.user(id)
                    && (viewer.user)(id)
                    && deed.is_open_to(world, user, &gains, &after)
                {
                    found.users.push(id);
                }
            }
        }
        found
    }
}

/// One change as whoever makes it has to be permitted it.
struct Deed<'a> {
    at: &'a Supposed,
    question: &'a Question<'a>,
    change: &'a Proposed,
    permission: &'static str,
    path: ResourcePath,
}

impl<'a> Deed<'a> {
    fn new(at: &'a Supposed, question: &'a Question<'a>, change: &'a Proposed) -> Option<Self> {
        let user = || {
            let Subject::User(id) = question.subject else { return None };
            let user = at.home.user(id)?;
            let path = ResourcePath::account(user.account);
            Some((user, path.with("user", Named::Id(id.to_string()))))
        };
        let role =
            |path: ResourcePath, role: &RoleRef| path.with("role", Named::Id(role.to_string()));
        let (permission, path) = match change {
            Proposed::AddRole { role: given, .. } | Proposed::RenewRole { role: given, .. } => {
                ("role.assign", role(user()?.1, given))
            }
            Proposed::RemoveRole { role: taken, .. } => ("role.revoke", role(user()?.1, taken)),
            Proposed::AssignDocument(id) => {
                let path = user()?.1.with("rights_document", Named::Id(id.to_string()));
                ("rights_document.assign", path)
            }
            Proposed::EnableUser => match user()? {
                (user, _) if user.kind == UserKind::Application => {
                    let application = Named::Id(user.application.as_deref()?.to_owned());
                    let path = ResourcePath::account(user.account)
                        .with("application", application)
                        .with("application_user", Named::Id(user.id.to_string()));
                    ("application_user.update", path)
                }
                (_, path) => ("user.set_active", path),
            },
            Proposed::ResumeAccount(id) => ("account.resume", ResourcePath::account(*id)),
            Proposed::ReleaseAccount(id) => ("account.release", ResourcePath::account(*id)),
            Proposed::SetAccountRole { account, .. } => {
                ("account.set_role", ResourcePath::account(*account))
            }
            Proposed::UseWiderToken => {
                ("api_token.create", user()?.1.with("api_token", Named::Any))
            }
        };
        Some(Self { at, question, change, permission, path })
    }

    /// Returns whether a user may do it. `mine`: the user's own tenant.
    fn is_open_to(
        &self,
        mine: &Snapshot,
        user: &Principal,
        gains: &[Gain],
        after: &Supposed,
    ) -> bool {
        let caller = Caller {
            user: user.id,
            account: user.account,
            tenant: mine.tenant(),
            kind: user.kind,
            token: None,
            session: None,
            actor: None,
            limits: None,
        };
        let now = self.question.now;
        let there = self.at.world_of(self.path.account);
        let gives = || self.gives(mine, &caller, gains, after);
        let permits = |permission: &str| may(&caller, mine, there, permission, &self.path, now);
        permits(self.permission)
            && match self.change {
                Proposed::RenewRole { .. } => permits("role.revoke") && gives(),
                Proposed::AssignDocument(id) => {
                    let master = there.document(*id).is_some_and(|document| document.master);
                    sees_document(&caller, mine, there, *id, now)
                        && (!master || permits("rights_document.write_master"))
                        && gives()
                }
                Proposed::AddRole { .. }
                | Proposed::RemoveRole { .. }
                | Proposed::UseWiderToken => gives(),
                Proposed::EnableUser => true,
                Proposed::ResumeAccount(id) | Proposed::ReleaseAccount(id) => {
                    self.may_lift(there, *id, user.account)
                }
                Proposed::SetAccountRole { account, role } => {
                    there.is_above(user.account, *account)
                        && within_ceiling(mine, user.account, role)
                }
            }
    }

    /// Lists what it gives to the subject, whoever makes it. A credential gives all that the subject holds.
    fn gains(&self, after: &Supposed) -> Vec<Gain> {
        let Subject::User(subject) = self.question.subject else { return Vec::new() };
        let all = matches!(self.change, Proposed::UseWiderToken);
        gained((!all).then_some(&self.at.home), &after.home, subject, self.question.now)
    }

    /// Returns whether it gives nothing that the giver does not hold.
    fn gives(&self, mine: &Snapshot, by: &Caller, gains: &[Gain], after: &Supposed) -> bool {
        let Subject::User(subject) = self.question.subject else { return false };
        if subject == by.user && matches!(self.change, Proposed::UseWiderToken) {
            return true;
        }
        let holds = call_holdings(mine, by, self.question.now);
        gives_no_more(&after.home, gains.to_vec(), &Stock::of(&holds)).is_ok()
    }

    /// A suspension or quarantine is lifted from where it was ordered, or from above.
    fn may_lift(&self, there: &Snapshot, account: AccountId, from: AccountId) -> bool {
        let Some(account) = there.account(account) else { return false };
        let ordered = match self.change {
            Proposed::ReleaseAccount(_) => account.quarantined_from,
            _ => account.suspended_from,
        };
        ordered.is_none_or(|ordered| ordered == from || there.is_above(from, ordered))
    }
}

fn within_ceiling(world: &Snapshot, account: AccountId, role: &str) -> bool {
    let catalogue = world.catalogue();
    let role = catalogue.role(role).map(|ix| &catalogue.get(ix).expanded);
    role.is_some_and(|role| ceiling(world, account).is_none_or(|ceiling| role.is_subset(&ceiling)))
}
