//! The decision about an account as a subject (`model.md` §6).

use std::ops::ControlFlow;

use super::bounds::{ceiling_denies, status_denies};
use super::conditions::Conditions;
use super::decide::{no_grant, reaches};
use super::named::names_what_is_there;
use super::question::{Answer, Because, Missing, Question, Reason, Worlds};
use super::watch::{Sifting, Watch};
use crate::model::catalogue::Part;
use crate::model::{Account, AccountId, RoleRef};

/// Evaluates a question about an account, which holds its own role and nothing else.
pub(super) fn evaluate_account<W: Watch>(
    worlds: Worlds<'_>,
    question: &Question<'_>,
    account: &Account,
    watch: &mut W,
) -> ControlFlow<Answer, Answer> {
    if status_denies(worlds, question, account.id) {
        watch.denies(Answer::deny(Reason::AccountNotActive))?;
    }
    let catalogue = worlds.home.catalogue();
    let conditions = Conditions::new(worlds, question);
    let mut sifting = Sifting::new(watch);
    if let Some(ix) = account.role.as_deref().and_then(|role| catalogue.role(role)) {
        let role = catalogue.get(ix);
        let held = RoleRef::BuiltIn(role.full_name.clone());
        for part in &role.parts {
            let verdict = account_covers(worlds, question, account.id, part)
                .and_then(|()| conditions.test(part, Some(&held)));
            if sifting.take(&|| Because::AccountRole(ix), Some(part), verdict, true) {
                break;
            }
        }
    }
    let because = match sifting.done() {
        Ok((because, _)) => Some(because),
        Err(missing) => {
            watch.denies(no_grant(missing, &conditions))?;
            None
        }
    };
    if ceiling_denies(worlds, question, account.id, &conditions) {
        watch.denies(Answer::deny(Reason::AccountRoleCeiling))?;
    }
    ControlFlow::Continue(Answer { because, ..Answer::deny(Reason::Permitted) })
}

/// Tests one part of an account's own role, but for its condition.
fn account_covers(
    worlds: Worlds<'_>,
    question: &Question<'_>,
    account: AccountId,
    part: &Part,
) -> Result<(), Missing> {
    if !part.permissions.contains(question.permission) {
        return Err(Missing::NotGranted);
    }
    let reached = worlds.there.is_some_and(|there| {
        reaches(there, part.reach, account, question)
            && names_what_is_there(there, question.resource, "")
    });
    if reached { Ok(()) } else { Err(Missing::OutOfReach) }
}
