//! The decision (`model.md` §6): the one function behind `Authorize`, the rule layer and every check of our own.

use std::sync::Arc;

use super::by_document::ByDocument;
use super::conditions::Conditions;
use super::named::names_what_is_there;
use super::question::{Answer, Because, Missing, Question, Reason, Subject, Worlds};
use super::snapshot::{Held, Principal, Snapshot};
use crate::model::catalogue::{Catalogue, Part, Permission, PermissionSet};
use crate::model::{AccountId, EffectiveStatus, Named, Reach, Relation, RoleRef, UserId};

/// What is never permitted on oneself, whatever is held (`model.md` §3).
const NEVER_ON_ONESELF: &[&str] = &[
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

/// What a suppressed user may still do to itself (`model.md` §6, step 3).
const SPITE_OF_SUPPRESSION: &[&str] = &["session.read", "session.revoke"];

/// Answers a question. The first reason in the order of `model.md` §6 ends it; silence denies.
pub fn decide(worlds: Worlds<'_>, question: &Question<'_>) -> Answer {
    match question.subject {
        Subject::Unknown => Answer::deny(Reason::SubjectUnknown),
        Subject::User(id) => match worlds.home.user(id) {
            None => Answer::deny(Reason::SubjectUnknown),
            Some(user) if !user.enabled => Answer::deny(Reason::SubjectDisabled),
            Some(user) => {
                let conditions = Conditions::new(worlds, question);
                Case { worlds, question, user, conditions }.decide()
            }
        },
        Subject::Account(id) => decide_account(worlds, question, id),
    }
}

/// Computes the ceiling of an account: the roles of itself and of all above it together. `None` = no ceiling.
///
/// A role that has vanished from the catalogue leaves nothing (fail closed).
pub fn ceiling(world: &Snapshot, account: AccountId) -> Option<PermissionSet> {
    let mut found: Option<PermissionSet> = None;
    for role in world.chain(account).filter_map(|account| account.role.as_deref()) {
        let set = account_role(world, role);
        match &mut found {
            Some(found) => found.intersect_with(&set),
            None => found = Some(set),
        }
    }
    found
}

fn account_role(world: &Snapshot, role: &str) -> PermissionSet {
    let catalogue = world.catalogue();
    catalogue.role(role).map(|ix| catalogue.get(ix).expanded.clone()).unwrap_or_default()
}

/// Returns whether the role of an account keeps its users within it.
pub(super) fn is_confined(home: &Snapshot, account: AccountId) -> bool {
    let catalogue = home.catalogue();
    let role = home.account(account).and_then(|account| account.role.as_deref());
    let role = role.and_then(|role| catalogue.role(role));
    role.is_some_and(|ix| catalogue.get(ix).reach == Reach::Account)
}

/// Steps 2 and 5 are the same for users and accounts.
fn status_denies(worlds: Worlds<'_>, question: &Question<'_>, account: AccountId) -> bool {
    if worlds.home.effective_status(account) != Some(EffectiveStatus::Active) {
        return true;
    }
    let at = question.resource.account;
    let Some(there) = worlds.there else { return false };
    match there.effective_status(at) {
        None | Some(EffectiveStatus::Active) => false,
        // By the catalogue that the permission is a number of, which is the subject's.
        Some(_) => {
            let core = worlds.home.catalogue().is_core(question.permission);
            !(core && there.is_above(account, at))
        }
    }
}

fn ceiling_denies(
    worlds: Worlds<'_>,
    question: &Question<'_>,
    account: AccountId,
    conditions: &Conditions<'_>,
) -> bool {
    let catalogue = worlds.home.catalogue();
    let lacks =
        worlds.home.chain(account).filter_map(|account| account.role.as_deref()).any(|role| {
            let role = catalogue.role(role).map(|ix| catalogue.get(ix));
            let gives = |part: &Arc<Part>| {
                part.permissions.contains(question.permission)
                    && conditions.test(part, None).is_ok()
            };
            role.is_none_or(|role| !role.parts.iter().any(gives))
        });
    let elsewhere = account != question.resource.account;
    lacks
        || (elsewhere
            && is_confined(worlds.home, account)
            && !catalogue.is_shared_down(question.permission))
}

fn decide_account(worlds: Worlds<'_>, question: &Question<'_>, id: AccountId) -> Answer {
    let Some(account) = worlds.home.account(id) else {
        return Answer::deny(Reason::SubjectUnknown);
    };
    if status_denies(worlds, question, id) {
        return Answer::deny(Reason::AccountNotActive);
    }
    let catalogue = worlds.home.catalogue();
    let role = account.role.as_deref().and_then(|role| catalogue.role(role));
    let conditions = Conditions::new(worlds, question);
    let mut near = Missing::NotGranted;
    let granted = role.is_some_and(|ix| {
        let role = catalogue.get(ix);
        let held = RoleRef::BuiltIn(role.full_name.clone());
        role.parts.iter().filter(|part| part.permissions.contains(question.permission)).any(
            |part| {
                let Some(there) = worlds.there else { return false };
                let reached = reaches(there, part.reach, id, question)
                    && names_what_is_there(there, question.resource, "");
                let missing = if reached {
                    conditions.test(part, Some(&held)).err()
                } else {
                    Some(Missing::OutOfReach)
                };
                near = near.max(missing.unwrap_or(near));
                missing.is_none()
            },
        )
    });
    if !granted {
        return no_grant(near, &conditions);
    }
    if ceiling_denies(worlds, question, id, &conditions) {
        return Answer::deny(Reason::AccountRoleCeiling);
    }
    let because = role.map(Because::AccountRole);
    Answer { because, ..Answer::deny(Reason::Permitted) }
}

fn no_grant(missing: Missing, conditions: &Conditions<'_>) -> Answer {
    let untold = conditions.untold(missing);
    Answer { missing: Some(missing), untold, ..Answer::deny(Reason::NoGrant) }
}

/// Returns whether a grant of `account` with `reach` gets to where the resource lies.
fn reaches(there: &Snapshot, reach: Reach, account: AccountId, question: &Question<'_>) -> bool {
    let at = question.resource.account;
    if there.account(at).is_none() {
        return false;
    }
    account == at
        || (reach == Reach::Subtree && there.is_above(account, at))
        || (there.catalogue().is_shared_down(question.permission)
            && there.account(account).is_some()
            && there.is_above(at, account))
}

/// The user that a path is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// It has no `user` pair.
    Nobody,
    /// `user/-`.
    Any,
    /// This one.
    User(UserId),
}

/// What a user holds of itself without being given it is held on itself, and nowhere else.
fn counts_without_grant(part: &Part, target: Target) -> bool {
    part.on != Some(Relation::Own) || target != Target::Nobody
}

/// One question about one enabled user.
struct Case<'a> {
    worlds: Worlds<'a>,
    question: &'a Question<'a>,
    user: &'a Principal,
    conditions: Conditions<'a>,
}

impl Case<'_> {
    fn catalogue(&self) -> &Catalogue {
        self.worlds.home.catalogue()
    }

    fn permission(&self) -> Permission {
        self.question.permission
    }

    fn decide(&self) -> Answer {
        if status_denies(self.worlds, self.question, self.user.account) {
            return Answer::deny(Reason::AccountNotActive);
        }
        let target = self.target();
        if self.is_suppressed() && !self.is_spared(target) {
            return Answer::deny(Reason::NoAccess);
        }
        let (granted, within_scopes) = match self.find(target) {
            Err(missing) => return no_grant(missing, &self.conditions),
            Ok(found) => found,
        };
        if ceiling_denies(self.worlds, self.question, self.user.account, &self.conditions) {
            return Answer::deny(Reason::AccountRoleCeiling);
        }
        let patterns = self.question.limits.is_none_or(|limits| limits.allows(self.permission()));
        if !patterns || !within_scopes {
            return Answer::deny(Reason::TokenScope);
        }
        Answer { because: Some(granted), ..Answer::deny(Reason::Permitted) }
    }

    const fn by_document(&self) -> ByDocument<'_> {
        let Self { worlds, question, user, .. } = self;
        ByDocument { home: worlds.home, question, user }
    }

    fn target(&self) -> Target {
        let pair = self.question.resource.pairs.iter().find(|pair| pair.kind == "user");
        match pair.map(|pair| &pair.named) {
            None => Target::Nobody,
            Some(Named::Any) => Target::Any,
            // A name that is no id names nobody that is there, which is looked at before.
            Some(Named::Id(id)) => id.parse().map_or(Target::Any, Target::User),
        }
    }

    fn is_suppressed(&self) -> bool {
        let catalogue = self.catalogue();
        self.user.held.iter().any(|held| {
            held.is_live(self.question.now)
                && held.built_in.is_some_and(|ix| {
                    let role = catalogue.get(ix);
                    role.suppress && role.active
                })
        })
    }

    fn is_spared(&self, target: Target) -> bool {
        target == Target::User(self.user.id)
            && SPITE_OF_SUPPRESSION.contains(&self.catalogue().name(self.permission()))
    }

    /// Finds the first grant that covers the question, and whether one does whose role the credential lets count.
    fn find(&self, target: Target) -> Result<(Because, bool), Missing> {
        let name = self.catalogue().name(self.permission());
        let known = |there: &&Snapshot| names_what_is_there(there, self.question.resource, name);
        let Some(there) = self.worlds.there.filter(known) else {
            return Err(self.nearest_elsewhere(target));
        };
        let mut near = Missing::NotGranted;
        if target == Target::User(self.user.id) && NEVER_ON_ONESELF.contains(&name) {
            return Err(Missing::WrongRelation);
        }
        let mut first: Option<Because> = None;
        for ix in self.catalogue().baseline(self.user.kind) {
            for part in &self.catalogue().get(*ix).parts {
                if !counts_without_grant(part, target) {
                    continue;
                }
                match self.covers(there, part, None, target, false) {
                    Ok(()) => return Ok((Because::Baseline(*ix), true)),
                    Err(missing) => near = near.max(missing),
                }
            }
        }
        for (place, held) in self.user.held.iter().enumerate() {
            let widened = self.is_widened(held);
            let mut covered = false;
            self.each_part(held, &mut |part| {
                if !covered {
                    match self.covers(there, part, Some(held), target, widened) {
                        Ok(()) => covered = true,
                        Err(missing) => near = near.max(missing),
                    }
                }
            });
            if !covered {
                continue;
            }
            let custom = match &held.role {
                RoleRef::Custom(id) => Some(*id),
                RoleRef::BuiltIn(_) => None,
            };
            let because = Because::Held { user: self.user.id, place, custom };
            if self.question.limits.is_none_or(|limits| limits.counts(&held.role)) {
                return Ok((because, true));
            }
            first.get_or_insert(because);
        }
        let by_document = self.by_document();
        if target == Target::Nobody
            && let Some(because) = by_document.find(there)
        {
            // A credential that names roles is good for the grants of those roles alone.
            if self.question.limits.is_none_or(|limits| limits.roles.is_empty()) {
                return Ok((because, true));
            }
            first.get_or_insert(because);
        }
        if first.is_none() {
            near = near.max(by_document.nearest(there, target != Target::Nobody));
        }
        first.map(|because| (because, false)).ok_or(near)
    }

    /// Says how near a grant comes when what is asked about is not there: as near as to what is out of reach, so that the
    /// answer does not tell the one from the other (`edges.md` §3).
    fn nearest_elsewhere(&self, target: Target) -> Missing {
        let mut given = self.by_document().is_anywhere();
        let mut look = |part: &Part| given |= part.permissions.contains(self.permission());
        for ix in self.catalogue().baseline(self.user.kind) {
            let parts = self.catalogue().get(*ix).parts.iter();
            parts.filter(|part| counts_without_grant(part, target)).for_each(|part| look(part));
        }
        self.user.held.iter().for_each(|held| self.each_part(held, &mut look));
        if given { Missing::OutOfReach } else { Missing::NotGranted }
    }

    /// Returns whether another role of the user makes this one count for siblings too (`widens`).
    fn is_widened(&self, held: &Held) -> bool {
        let Some(ix) = held.built_in else { return false };
        self.user.held.iter().any(|other| {
            other.is_live(self.question.now)
                && other.scope.as_ref().is_none_or(|scope| scope.covers(self.question.resource))
                && other.built_in.is_some_and(|other| {
                    let role = self.catalogue().get(other);
                    role.active && role.widens.contains(&ix)
                })
        })
    }

    fn each_part(&self, held: &Held, f: &mut dyn FnMut(&Part)) {
        self.worlds.home.each_part(&held.role, f);
    }

    /// Tests one part of one grant; the order is that of [`Missing`].
    fn covers(
        &self,
        there: &Snapshot,
        part: &Part,
        held: Option<&Held>,
        target: Target,
        widened: bool,
    ) -> Result<(), Missing> {
        if !part.permissions.contains(self.permission()) {
            return Err(Missing::NotGranted);
        }
        if !reaches(there, part.reach, self.user.account, self.question) {
            return Err(Missing::OutOfReach);
        }
        let scope = held.and_then(|held| held.scope.as_ref());
        if scope.is_some_and(|scope| !scope.covers(self.question.resource)) {
            return Err(Missing::OutOfScope);
        }
        if !self.relates(there, part.on, target, widened) {
            return Err(Missing::WrongRelation);
        }
        self.conditions.test(part, held.map(|held| &held.role))?;
        if held.is_some_and(|held| !held.is_live(self.question.now)) {
            return Err(Missing::GrantExpired);
        }
        Ok(())
    }

    fn relates(
        &self,
        there: &Snapshot,
        on: Option<Relation>,
        target: Target,
        widened: bool,
    ) -> bool {
        if target == Target::Nobody {
            return true;
        }
        let Some(on) = on else { return false };
        if self.user.account != self.question.resource.account {
            return on == Relation::Account;
        }
        match target {
            Target::Nobody => true,
            Target::Any => on != Relation::Own || widened,
            Target::User(target) => {
                there.relates(self.user.id, on, target)
                    || (widened && there.relates(self.user.id, Relation::Siblings, target))
            }
        }
    }
}
