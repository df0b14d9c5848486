//! What a caller sees (`model.md` §3 Visibility, §10): itself, its own account, and what it may read.

use chrono::{DateTime, Utc};

use super::ask::Caller;
use super::question::{Answer, Because};
use super::rule::{Access, Rule};
use super::snapshot::Snapshot;
use crate::model::catalogue::Catalogue;
use crate::model::{AccountId, DocId, Named, ResourcePath, UserId, UserKind};

/// Returns whether the caller is permitted this, by the engine that serves `Authorize`.
pub fn may(
    caller: &Caller,
    home: &Snapshot,
    there: &Snapshot,
    permission: &str,
    path: &ResourcePath,
    now: DateTime<Utc>,
) -> bool {
    answer(caller, home, there, permission, path, now).is_some_and(|answer| answer.is_permit())
}

/// Returns whether the caller is permitted this by a role: what a rights document gives does not count.
pub fn may_by_role(
    caller: &Caller,
    home: &Snapshot,
    there: &Snapshot,
    permission: &str,
    path: &ResourcePath,
    now: DateTime<Utc>,
) -> bool {
    answer(caller, home, there, permission, path, now).is_some_and(|answer| {
        // Documents are asked last, so that one is named only where no role does it.
        answer.is_permit() && !matches!(answer.because, Some(Because::Document { .. }))
    })
}

fn answer(
    caller: &Caller,
    home: &Snapshot,
    there: &Snapshot,
    permission: &str,
    path: &ResourcePath,
    now: DateTime<Utc>,
) -> Option<Answer> {
    let permission = home.catalogue().parse(permission)?;
    Some(caller.ask(home, Some(there), permission, path, now))
}

/// Returns whether the caller's credential leaves it to read what a call of this rule is about. What is its own it sees with
/// any, but that something is there is less than what it says.
pub fn may_be_shown(caller: &Caller, rule: &Rule, catalogue: &Catalogue) -> bool {
    let Access::Checked { main, or, .. } = &rule.access else { return true };
    let actor = caller.actor.as_ref().map(|actor| &actor.caller);
    let limits = || std::iter::once(caller).chain(actor).filter_map(|who| who.limits.as_deref());
    std::iter::once(main).chain(or).any(|check| {
        let kind = check.permission.split('.').next().unwrap_or_default();
        let read = catalogue.permission(kind, "read");
        read.is_none_or(|read| limits().all(|limits| limits.allows(read)))
    })
}

/// Returns whether the caller sees an account: its own, or one that it may read.
pub fn sees_account(
    caller: &Caller,
    home: &Snapshot,
    there: &Snapshot,
    id: AccountId,
    now: DateTime<Utc>,
) -> bool {
    id == caller.account
        || may(caller, home, there, "account.read", &ResourcePath::account(id), now)
}

/// Returns whether the caller sees a user: itself, or one that it may read (`model.md` §3, Visibility).
pub fn sees_user(
    caller: &Caller,
    home: &Snapshot,
    there: &Snapshot,
    id: UserId,
    now: DateTime<Utc>,
) -> bool {
    if id == caller.user {
        return true;
    }
    let Some(user) = there.user(id) else { return false };
    let name = || Named::Id(id.to_string());
    let path = ResourcePath::account(user.account).with("user", name());
    if may(caller, home, there, "user.read", &path, now) {
        return true;
    }
    user.kind == UserKind::Application
        && user.application.as_deref().is_some_and(|application| {
            let path = ResourcePath::account(user.account)
                .with("application", Named::Id(application.to_owned()))
                .with("application_user", name());
            may(caller, home, there, "application_user.read", &path, now)
        })
}

/// Returns whether the caller sees a rights document (`model.md` §10): it owns or holds it, or may read it at its owner or
/// at somebody to whom it is assigned. What a catalogue declares is no secret.
pub fn sees_document(
    caller: &Caller,
    home: &Snapshot,
    there: &Snapshot,
    id: DocId,
    now: DateTime<Utc>,
) -> bool {
    let Some(document) = there.document(id) else { return false };
    let Some(own) = document.own() else { return true };
    if own.owner == caller.user {
        return true;
    }
    let me = there.user(caller.user);
    if me.is_some_and(|me| there.has_document(me, id)) {
        return true;
    }
    let mut at = std::iter::once(own.owner).chain(there.assignees(id));
    at.any(|user| {
        there.user(user).is_some_and(|user| {
            let path = ResourcePath::account(user.account)
                .with("user", Named::Id(user.id.to_string()))
                .with("rights_document", Named::Id(id.to_string()));
            may(caller, home, there, "rights_document.read", &path, now)
        })
    })
}

/// Returns whether a user owns a document, as far as the caller may know: of an owner whom it does not see, it may not.
pub fn owns_document(
    caller: &Caller,
    home: &Snapshot,
    there: &Snapshot,
    user: UserId,
    id: DocId,
    now: DateTime<Utc>,
) -> bool {
    let world = if there.any_user(user).is_some() { there } else { home };
    let own = there.document(id).and_then(|document| document.own());
    own.is_some_and(|own| own.owner == user) && sees_user(caller, home, world, user, now)
}
