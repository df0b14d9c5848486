//! The smallest changes that would permit what is denied. Each is made to a copy and decided anew before it is shown.

use std::sync::Arc;

use super::decide::decide;
use super::explain::{Explanation, explain};
use super::makers::Makers;
use super::question::{Because, Missing, Question, Reason, Subject, Worlds};
use super::snapshot::Principal;
use super::suppose::{Proposed, Supposed};
use crate::model::catalogue::{PermissionSet, RoleIx};
use crate::model::{
    AccountId, DocId, EffectiveStatus, Holder, Named, Reach, ResourcePath, RoleRef, UserId,
    UserKind,
};

/// So many suggestions are made at most,
const MOST: usize = 10;
/// so many of which give one role,
const MOST_ROLES: usize = 6;
/// after trying so many changes.
const MOST_TRIED: usize = 400;
/// So many roles are tried at each step,
const MOST_OF_A_SORT: usize = 40;
/// and so many documents.
const MOST_DOCUMENTS: usize = 5;

/// What whoever asks sees. What it does not see is not suggested.
#[expect(missing_debug_implementations, reason = "functions have none")]
pub struct Viewer<'a> {
    /// Whether it sees a user.
    pub user: &'a dyn Fn(UserId) -> bool,
    /// Whether it sees an account.
    pub account: &'a dyn Fn(AccountId) -> bool,
    /// Whether it sees a rights document.
    pub document: &'a dyn Fn(DocId) -> bool,
}

/// Changes that together would permit it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// One or two.
    pub changes: Vec<(Proposed, Makers)>,
}

/// Finds the smallest changes that would permit what an explanation says is denied; the smallest first.
///
/// `above`: the tenant of whoever asks. If that is the platform, its users may make changes in other tenants.
pub fn suggest(
    worlds: Worlds<'_>,
    question: &Question<'_>,
    explanation: &Explanation,
    viewer: &Viewer<'_>,
    above: Option<&super::Snapshot>,
) -> Vec<Suggestion> {
    let start = Supposed::new(worlds);
    let mut trial = Trial { question, viewer, tried: 0, roles: 0, found: Vec::new() };
    let mut rest = Vec::new();
    for change in trial.proposals(&start, explanation) {
        if let Some(next) = trial.attempt(&start, &[], &change, explanation.answer.reason) {
            rest.push((change, next));
        }
    }
    for (first, (supposed, explanation)) in &rest {
        for change in trial.proposals(supposed, explanation) {
            let before = std::slice::from_ref(first);
            let _further = trial.attempt(supposed, before, &change, explanation.answer.reason);
        }
    }
    let mut found = trial.found;
    found.sort_by_key(|(changes, weight)| (changes.len(), *weight));
    found.truncate(MOST);
    let made = |change: Proposed| {
        let makers = Makers::of(&start, question, &change, viewer, above);
        (change, makers)
    };
    let all = found.into_iter();
    all.map(|(changes, _)| Suggestion { changes: changes.into_iter().map(made).collect() })
        .collect()
}

/// Changes being tried.
struct Trial<'a> {
    question: &'a Question<'a>,
    viewer: &'a Viewer<'a>,
    tried: usize,
    roles: usize,
    found: Vec<(Vec<Proposed>, usize)>,
}

impl Trial<'_> {
    /// Makes a change and decides anew. Returns the state where it helps against `reason`, and does not yet do.
    fn attempt(
        &mut self,
        from: &Supposed,
        before: &[Proposed],
        change: &Proposed,
        reason: Reason,
    ) -> Option<(Supposed, Explanation)> {
        let role = matches!(change, Proposed::AddRole { .. });
        let full = self.tried >= MOST_TRIED || (role && self.roles >= MOST_ROLES);
        if full || before.contains(change) || self.is_found(before, change) {
            return None;
        }
        self.tried += 1;
        let supposed = from.with(change, self.question).ok()?;
        let question = supposed.question(self.question);
        let answer = decide(supposed.worlds(), &question);
        if !answer.is_permit() {
            // A grant that does not cover does not help another to.
            let helps = (reason, answer.reason) != (Reason::NoGrant, Reason::NoGrant);
            return helps.then(|| {
                let explanation = explain(supposed.worlds(), &question);
                (supposed, explanation)
            });
        }
        self.roles += usize::from(role);
        let weight = before.iter().chain([change]).map(|change| weight(from, change)).sum();
        self.found.push((before.iter().chain([change]).cloned().collect(), weight));
        None
    }

    /// Returns whether one of these would do by itself, or the same ones were found before.
    fn is_found(&self, before: &[Proposed], change: &Proposed) -> bool {
        self.found
            .iter()
            .any(|(found, _)| found.iter().all(|one| one == change || before.contains(one)))
    }

    /// Lists what could help against the reason that an explanation gives.
    fn proposals(&self, at: &Supposed, explanation: &Explanation) -> Vec<Proposed> {
        match explanation.answer.reason {
            Reason::SubjectDisabled => vec![Proposed::EnableUser],
            Reason::AccountNotActive => self.lifted(explanation),
            Reason::NoAccess => {
                let Some(user) = self.user(at) else { return Vec::new() };
                let held = explanation.suppressing.iter().filter_map(|place| user.held.get(*place));
                held.map(|held| Proposed::about(held, false)).collect()
            }
            Reason::NoGrant if explanation.bar.is_none() => match self.question.subject {
                Subject::User(_) => self.grants(at, explanation),
                Subject::Account(id) => self.account_roles(at, id, false),
                Subject::Unknown => Vec::new(),
            },
            Reason::AccountRoleCeiling => {
                let confined = explanation.confined && explanation.lacking.is_empty();
                let own = match self.question.subject {
                    Subject::User(id) => at.home.user(id).map(|user| user.account),
                    Subject::Account(id) => Some(id),
                    Subject::Unknown => None,
                };
                let own = own.filter(|_| confined);
                let of = explanation.lacking.iter().copied().chain(own);
                of.flat_map(|account| self.account_roles(at, account, confined)).collect()
            }
            Reason::TokenScope => vec![Proposed::UseWiderToken],
            Reason::NoGrant
            | Reason::Permitted
            | Reason::SubjectUnknown
            | Reason::TokenInvalid
            | Reason::TokenExpired
            | Reason::TokenRevoked => Vec::new(),
        }
    }

    fn user<'s>(&self, at: &'s Supposed) -> Option<&'s Principal> {
        let Subject::User(id) = self.question.subject else { return None };
        at.home.user(id).map(|user| &**user)
    }

    fn lifted(&self, explanation: &Explanation) -> Vec<Proposed> {
        let seen =
            explanation.inactive.iter().filter(|(account, _)| (self.viewer.account)(*account));
        seen.filter_map(|(account, status)| match status {
            EffectiveStatus::Pending | EffectiveStatus::Suspended => {
                Some(Proposed::ResumeAccount(*account))
            }
            EffectiveStatus::Quarantined => Some(Proposed::ReleaseAccount(*account)),
            EffectiveStatus::Active | EffectiveStatus::Closed => None,
        })
        .collect()
    }

    fn grants(&self, at: &Supposed, explanation: &Explanation) -> Vec<Proposed> {
        let Some(user) = self.user(at) else { return Vec::new() };
        let expired = explanation.looked.iter().filter_map(|looked| match looked.because {
            Because::Held { place, .. } if looked.verdict == Err(Missing::GrantExpired) => {
                user.held.get(place).map(|held| Proposed::about(held, true))
            }
            _ => None,
        });
        let mut found: Vec<Proposed> = expired.collect();
        found.dedup();
        found.extend(self.documents(at, user));
        found.extend(self.roles(at, user));
        found
    }

    fn documents(&self, at: &Supposed, user: &Principal) -> Vec<Proposed> {
        let Question { permission, resource, .. } = *self.question;
        if user.kind == UserKind::Application {
            return Vec::new();
        }
        let mut found: Vec<(usize, DocId)> = at
            .home
            .documents_giving(permission, resource)
            .map(|document| (document.anywhere.len(), document.id))
            .collect();
        found.sort_unstable();
        let seen = found.into_iter().filter(|(_, id)| (self.viewer.document)(*id));
        seen.take(MOST_DOCUMENTS).map(|(_, id)| Proposed::AssignDocument(id)).collect()
    }

    fn roles(&self, at: &Supposed, user: &Principal) -> Vec<Proposed> {
        let permission = self.question.permission;
        let world = &at.home;
        let holder = Holder::from(user.kind);
        let catalogue = world.catalogue();
        let gives = |ix: &RoleIx| catalogue.get(*ix).expanded.contains(permission);
        let held = |ix: &RoleIx| user.held.iter().any(|held| held.built_in == Some(*ix));
        let built_in = catalogue.roles().filter(|(ix, role)| {
            let widens = role.widens.iter().any(|ix| gives(ix) && held(ix));
            let helps = gives(ix) || widens;
            helps && role.active && !role.suppress && role.assignable_to.contains(&holder)
        });
        let mut found: Vec<(usize, RoleRef)> = built_in
            .map(|(_, role)| (role.expanded.len(), RoleRef::BuiltIn(role.full_name.clone())))
            .collect();
        for custom in world.roles().filter(|role| {
            let usable = world.is_in(user.account, role.role.account);
            usable && role.role.active && role.role.assignable_to.contains(&holder)
        }) {
            let role = RoleRef::Custom(custom.role.id);
            let mut gives = PermissionSet::new();
            world.each_part(&role, &mut |part| gives.union_with(&part.permissions));
            if gives.contains(permission) {
                found.push((gives.len(), role));
            }
        }
        found.sort();
        let found = found.into_iter().take(MOST_OF_A_SORT);
        found.flat_map(|(_, role)| self.scoped(user, &role)).collect()
    }

    /// Proposes a role within what the resource lies in, and in all its reach; not what is held already.
    fn scoped(&self, user: &Principal, role: &RoleRef) -> Vec<Proposed> {
        let mut pairs = self.question.resource.pairs.clone();
        let _innermost = pairs.pop();
        while pairs.last().is_some_and(|pair| pair.named == Named::Any) {
            pairs.pop();
        }
        let account = self.question.resource.account;
        let narrow = !pairs.is_empty() || account != user.account;
        let narrow = narrow.then(|| Arc::new(ResourcePath { account, pairs }));
        let mut scopes = vec![narrow, None];
        scopes.dedup();
        scopes
            .into_iter()
            .filter(|scope| {
                !user.held.iter().any(|held| held.role == *role && held.scope == *scope)
            })
            .map(|scope| Proposed::AddRole { role: role.clone(), scope })
            .collect()
    }

    /// Proposes roles of an account that have the permission: first those that take nothing away.
    fn account_roles(&self, at: &Supposed, account: AccountId, wide: bool) -> Vec<Proposed> {
        let world = at.world_of(account);
        let catalogue = world.catalogue();
        if !(self.viewer.account)(account) {
            return Vec::new();
        }
        let now = world.account(account).and_then(|account| account.role.as_deref());
        let now = now.and_then(|role| catalogue.role(role)).map(|ix| &catalogue.get(ix).expanded);
        let mut found: Vec<(bool, usize, String)> = catalogue
            .roles()
            .filter(|(_, role)| {
                role.active
                    && role.assignable_to.contains(&Holder::Account)
                    && role.expanded.contains(self.question.permission)
                    && (!wide || role.reach == Reach::Subtree)
            })
            .map(|(_, role)| {
                let takes = now.is_some_and(|now| !now.is_subset(&role.expanded));
                (takes, role.expanded.len(), role.full_name.to_string())
            })
            .collect();
        found.sort();
        let role = |(_, _, role)| Proposed::SetAccountRole { account, role };
        found.into_iter().take(MOST_OF_A_SORT / 8).map(role).collect()
    }
}

/// Returns how much a change gives besides: the smaller, the better.
fn weight(at: &Supposed, change: &Proposed) -> usize {
    match change {
        Proposed::AddRole { role, scope } => {
            let mut gives = PermissionSet::new();
            at.home.each_part(role, &mut |part| gives.union_with(&part.permissions));
            // Within a scope it gives the less.
            2 * gives.len() + usize::from(scope.is_none())
        }
        Proposed::AssignDocument(id) => {
            2 * at.home.document(*id).map_or(0, |document| document.anywhere.len())
        }
        Proposed::SetAccountRole { account, role } => {
            let catalogue = at.world_of(*account).catalogue();
            2 * catalogue.role(role).map_or(0, |ix| catalogue.get(ix).expanded.len())
        }
        Proposed::RenewRole { .. }
        | Proposed::RemoveRole { .. }
        | Proposed::EnableUser
        | Proposed::ResumeAccount(_)
        | Proposed::ReleaseAccount(_)
        | Proposed::UseWiderToken => 0,
    }
}
