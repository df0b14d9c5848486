//! The decision (`model.md` §6): the one function behind `Authorize`, the rule layer and every check of our own.

use std::ops::ControlFlow;

use super::bounds::{ceiling_denies, status_denies};
use super::by_account::evaluate_account;
use super::by_document::ByDocument;
use super::conditions::Conditions;
use super::named::names_what_is_there;
use super::question::{Answer, Because, Missing, Question, Reason, Subject, Worlds};
use super::snapshot::{Held, Principal, Snapshot};
use super::watch::{Bar, Sifting, Unwatched, Watch};
use crate::model::catalogue::{Catalogue, Part, Permission};
use crate::model::{AccountId, Named, Reach, Relation, RoleRef, UserId};

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
pub(super) const SPITE_OF_SUPPRESSION: &[&str] = &["session.read", "session.revoke"];

/// Answers a question. The first reason in the order of `model.md` §6 ends it; silence denies.
pub fn decide(worlds: Worlds<'_>, question: &Question<'_>) -> Answer {
    match evaluate(worlds, question, &mut Unwatched) {
        ControlFlow::Break(answer) | ControlFlow::Continue(answer) => answer,
    }
}

/// Evaluates a question while somebody watches: the one evaluator, of decisions and of explanations.
///
/// Where the watcher does not break it off, it goes on behind a denial as if that had not been.
pub(super) fn evaluate<W: Watch>(
    worlds: Worlds<'_>,
    question: &Question<'_>,
    watch: &mut W,
) -> ControlFlow<Answer, Answer> {
    let unknown = ControlFlow::Break(Answer::deny(Reason::SubjectUnknown));
    match question.subject {
        Subject::Unknown => unknown,
        Subject::User(id) => worlds.home.user(id).map_or(unknown, |user| {
            let conditions = Conditions::new(worlds, question);
            let here = question.resource.account == user.account && worlds.is_one();
            Case { worlds, question, user, here, conditions }.evaluate(watch)
        }),
        Subject::Account(id) => match worlds.home.account(id) {
            None => unknown,
            Some(account) => evaluate_account(worlds, question, account, watch),
        },
    }
}

pub(super) fn no_grant(missing: Missing, conditions: &Conditions<'_>) -> Answer {
    let untold = conditions.untold(missing);
    Answer { missing: Some(missing), untold, ..Answer::deny(Reason::NoGrant) }
}

/// Returns whether a grant of `account` with `reach` gets to where the resource lies.
pub(super) fn reaches(
    there: &Snapshot,
    reach: Reach,
    account: AccountId,
    question: &Question<'_>,
) -> bool {
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

/// One question about one user.
struct Case<'a> {
    worlds: Worlds<'a>,
    question: &'a Question<'a>,
    user: &'a Principal,
    /// Whether the resource lies in the user's own account, which then is there and in everybody's reach.
    here: bool,
    conditions: Conditions<'a>,
}

impl Case<'_> {
    fn catalogue(&self) -> &Catalogue {
        self.worlds.home.catalogue()
    }

    fn permission(&self) -> Permission {
        self.question.permission
    }

    fn evaluate<W: Watch>(&self, watch: &mut W) -> ControlFlow<Answer, Answer> {
        if !self.user.enabled {
            watch.denies(Answer::deny(Reason::SubjectDisabled))?;
        }
        if status_denies(self.worlds, self.question, self.user.account) {
            watch.denies(Answer::deny(Reason::AccountNotActive))?;
        }
        let target = self.target();
        let suppressed = self.user.held.suppress(self.catalogue(), self.question.now);
        if suppressed && !self.is_spared(target) {
            watch.denies(Answer::deny(Reason::NoAccess))?;
        }
        let (because, counts) = match self.find(target, watch) {
            Ok((because, counts)) => (Some(because), counts),
            Err(missing) => {
                watch.denies(no_grant(missing, &self.conditions))?;
                (None, true)
            }
        };
        if ceiling_denies(self.worlds, self.question, self.user.account, &self.conditions) {
            watch.denies(Answer::deny(Reason::AccountRoleCeiling))?;
        }
        let patterns = self.question.limits.is_none_or(|limits| limits.allows(self.permission()));
        if !patterns || !counts {
            watch.denies(Answer::deny(Reason::TokenScope))?;
        }
        ControlFlow::Continue(Answer { because, ..Answer::deny(Reason::Permitted) })
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

    fn is_spared(&self, target: Target) -> bool {
        target == Target::User(self.user.id)
            && SPITE_OF_SUPPRESSION.contains(&self.catalogue().name(self.permission()))
    }

    /// Finds a grant that covers the question, and whether the credential lets it count.
    fn find<W: Watch>(&self, target: Target, watch: &mut W) -> Result<(Because, bool), Missing> {
        let name = self.catalogue().name(self.permission());
        let known = |there: &&Snapshot| names_what_is_there(there, self.question.resource, name);
        let Some(there) = self.worlds.there.filter(known) else {
            let absent = self.worlds.there.is_none();
            watch.barred(if absent { Bar::NoSuchAccount } else { Bar::NotThere });
            return Err(self.nearest_elsewhere(target));
        };
        if target == Target::User(self.user.id) && NEVER_ON_ONESELF.contains(&name) {
            watch.barred(Bar::NeverOnOneself);
            return Err(Missing::WrongRelation);
        }
        let mut sifting = Sifting::new(watch);
        let _over = self.sift_baseline(there, target, &mut sifting)
            || self.sift_roles(there, target, &mut sifting)
            || self.sift_documents(there, target, &mut sifting);
        sifting.done()
    }

    fn sift_baseline<W: Watch>(
        &self,
        there: &Snapshot,
        target: Target,
        sifting: &mut Sifting<'_, W>,
    ) -> bool {
        self.catalogue().baseline(self.user.kind).iter().any(|ix| {
            self.catalogue().get(*ix).parts.iter().any(|part| {
                let because = || Because::Baseline(*ix);
                if !counts_without_grant(part, target) {
                    let given = part.permissions.contains(self.permission());
                    let missing = if given { Missing::WrongRelation } else { Missing::NotGranted };
                    sifting.note(&because, Some(part), Err(missing), true);
                    return false;
                }
                let verdict = self.covers(there, part, None, target, false);
                sifting.take(&because, Some(part), verdict, true)
            })
        })
    }

    fn sift_roles<W: Watch>(
        &self,
        there: &Snapshot,
        target: Target,
        sifting: &mut Sifting<'_, W>,
    ) -> bool {
        let mut look = |place: usize, held: &Held| {
            // Only on users is there anything to widen.
            let widened = target != Target::Nobody && self.is_widened(held);
            let counts = self.question.limits.is_none_or(|limits| limits.counts(&held.role));
            let because = || {
                let custom = match &held.role {
                    RoleRef::Custom(id) => Some(*id),
                    RoleRef::BuiltIn(_) => None,
                };
                Because::Held { user: self.user.id, place, custom }
            };
            let mut over = false;
            self.worlds.home.each_part_of(held, &mut |part| {
                if !over {
                    let verdict = self.covers(there, part, Some(held), target, widened);
                    over = sifting.take(&because, Some(part), verdict, counts);
                }
            });
            over
        };
        let held = &self.user.held;
        if !W::HASTY {
            return held.iter().enumerate().any(|(place, held)| look(place, held));
        }
        if held.visit(self.question.resource, &mut look) {
            return true;
        }
        if sifting.is_empty() {
            self.sift_other_scopes(there, sifting);
        }
        false
    }

    /// Notes how near grants come whose scope covers something else, which is one for all of a role.
    fn sift_other_scopes<W: Watch>(&self, there: &Snapshot, sifting: &mut Sifting<'_, W>) {
        let home = self.user.account;
        for role in self.user.held.scoped_roles() {
            self.each_part(role, &mut |part| {
                if part.permissions.contains(self.permission()) {
                    let reached = reaches(there, part.reach, home, self.question);
                    sifting.missed(if reached { Missing::OutOfScope } else { Missing::OutOfReach });
                }
            });
        }
    }

    fn sift_documents<W: Watch>(
        &self,
        there: &Snapshot,
        target: Target,
        sifting: &mut Sifting<'_, W>,
    ) -> bool {
        if self.user.documents.is_empty() && !self.worlds.home.is_cascading() {
            return false;
        }
        let by_document = self.by_document();
        let about_user = target != Target::Nobody;
        // A credential that names roles is good for the grants of those roles alone.
        let counts = self.question.limits.is_none_or(|limits| limits.roles.is_empty());
        if W::HASTY
            && !about_user
            && let Some(because) = by_document.find(there)
        {
            return sifting.take(&|| because.clone(), None, Ok(()), counts);
        }
        if W::HASTY {
            if sifting.is_empty() {
                sifting.missed(by_document.nearest(there, about_user));
            }
            return false;
        }
        self.worlds.home.documents_for(self.user).any(|(holder, document)| {
            let because = || Because::Document { document: document.id, holder: holder.id };
            let verdict = by_document.covers(there, document, about_user);
            sifting.take(&because, None, verdict, counts)
        })
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
        self.user.held.roles().for_each(|role| self.each_part(role, &mut look));
        if given { Missing::OutOfReach } else { Missing::NotGranted }
    }

    /// Returns whether another role of the user makes this one count for siblings too (`widens`).
    fn is_widened(&self, held: &Held) -> bool {
        let Some(ix) = held.built_in else { return false };
        self.user.held.visit(self.question.resource, &mut |_, other| {
            other.is_live(self.question.now)
                && other.built_in.is_some_and(|other| {
                    let role = self.catalogue().get(other);
                    role.active && role.widens.contains(&ix)
                })
        })
    }

    fn each_part(&self, role: &RoleRef, f: &mut dyn FnMut(&Part)) {
        self.worlds.home.each_part(role, f);
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
        if !self.here && !reaches(there, part.reach, self.user.account, self.question) {
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
