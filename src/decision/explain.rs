//! Why a decision is what it is: the trace of the one evaluator, with its particulars (`model.md` §6).

use std::ops::ControlFlow;

use super::bounds::{is_confined, lacking};
use super::conditions::Conditions;
use super::decide::evaluate;
use super::question::{Answer, Because, Question, Reason, Subject, Worlds};
use super::snapshot::Snapshot;
use super::watch::{Bar, Looked, Watch};
use crate::model::{AccountId, EffectiveStatus};

/// Why a decision is what it is.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The decision, as [`super::decide`] makes it.
    pub answer: Answer,
    /// Every step that denies, in the order of the model; the first is the answer. Empty for a permit.
    pub denials: Vec<Answer>,
    /// Why no grant was looked at, where none need be.
    pub bar: Option<Bar>,
    /// Every grant that was looked at, part by part.
    pub looked: Vec<Looked>,
    /// The accounts whose own state stops the subject's account or the resource's, and that state.
    pub inactive: Vec<(AccountId, EffectiveStatus)>,
    /// The suppressing roles: their places among the subject's.
    pub suppressing: Vec<usize>,
    /// The accounts whose role lacks the permission: the subject's own and those above.
    pub lacking: Vec<AccountId>,
    /// Whether the role of the subject's account keeps it from resources of other accounts.
    pub confined: bool,
}

impl Explanation {
    /// Returns whether a step denies, be it the first or not.
    pub fn denies(&self, reason: Reason) -> bool {
        self.denials.iter().any(|denial| denial.reason == reason)
    }

    /// Lists the grants that suffice, each once, whichever of their parts do.
    pub fn sufficient(&self) -> Vec<&Because> {
        let mut found: Vec<&Because> = Vec::new();
        for looked in self.looked.iter().filter(|looked| looked.verdict.is_ok() && looked.counts) {
            if !found.contains(&&looked.because) {
                found.push(&looked.because);
            }
        }
        found
    }
}

/// Watches to the end.
#[derive(Debug, Default)]
struct Trace {
    denials: Vec<Answer>,
    bar: Option<Bar>,
    looked: Vec<Looked>,
}

impl Watch for Trace {
    const HASTY: bool = false;

    fn denies(&mut self, answer: Answer) -> ControlFlow<Answer> {
        self.denials.push(answer);
        ControlFlow::Continue(())
    }

    fn looked_at(&mut self, looked: Looked) {
        self.looked.push(looked);
    }

    fn barred(&mut self, bar: Bar) {
        self.bar = Some(bar);
    }
}

/// Answers a question and says why, step by step and grant by grant.
pub fn explain(worlds: Worlds<'_>, question: &Question<'_>) -> Explanation {
    let mut trace = Trace::default();
    let answer = match evaluate(worlds, question, &mut trace) {
        ControlFlow::Break(unknown) => {
            trace.denials.push(unknown.clone());
            unknown
        }
        ControlFlow::Continue(permit) => trace.denials.first().cloned().unwrap_or(permit),
    };
    let mut explanation = Explanation {
        answer,
        denials: trace.denials,
        bar: trace.bar,
        looked: trace.looked,
        inactive: Vec::new(),
        suppressing: Vec::new(),
        lacking: Vec::new(),
        confined: false,
    };
    explanation.particularise(worlds, question);
    explanation
}

impl Explanation {
    fn particularise(&mut self, worlds: Worlds<'_>, question: &Question<'_>) {
        let home = worlds.home;
        let account = match question.subject {
            Subject::User(id) => home.user(id).map(|user| user.account),
            Subject::Account(id) => Some(id),
            Subject::Unknown => None,
        };
        let Some(account) = account else { return };
        if self.denies(Reason::AccountNotActive) {
            self.inactive = stopped(home, account);
            let there = worlds.there.map(|there| stopped(there, question.resource.account));
            for one in there.into_iter().flatten() {
                if !self.inactive.contains(&one) {
                    self.inactive.push(one);
                }
            }
        }
        if self.denies(Reason::NoAccess)
            && let Subject::User(id) = question.subject
            && let Some(user) = home.user(id)
        {
            let held = user.held.iter().enumerate();
            let live = held.filter(|(_, held)| held.is_live(question.now));
            self.suppressing = live
                .filter(|(_, held)| home.is_suppressing(&held.role))
                .map(|(place, _)| place)
                .collect();
        }
        if self.denies(Reason::AccountRoleCeiling) {
            let conditions = Conditions::new(worlds, question);
            let lacking = lacking(home, account, question.permission, &conditions);
            self.lacking = lacking.map(|account| account.id).collect();
            self.confined = is_confined(worlds, question, account);
        }
    }
}

/// Lists the accounts, from one upwards, that are not active of their own.
fn stopped(world: &Snapshot, account: AccountId) -> Vec<(AccountId, EffectiveStatus)> {
    world
        .chain(account)
        .map(|account| (account.id, account.own_status()))
        .filter(|(_, status)| *status != EffectiveStatus::Active)
        .collect()
}
