//! The stored object that a call names first of all.

use std::sync::Arc;

use super::ask::{Anchor, Ask, Caller};
use super::judge::Refused;
use super::snapshot::Snapshot;
use crate::model::{AccountId, DocId, TokenId, UserId, UserKind};

/// What the anchor's row says.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) account: Option<AccountId>,
    pub(super) user: Option<UserId>,
    pub(super) parent_account: Option<AccountId>,
    pub(super) created_by: Option<UserId>,
    pub(super) application: Option<Arc<str>>,
    pub(super) kind: Option<UserKind>,
    pub(super) document: Option<OfDocument>,
}

/// What a rights document's row says, or what holds for one that a catalogue declares.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfDocument {
    pub(super) owner: Option<UserId>,
    pub(super) account: AccountId,
    pub(super) master: bool,
}

/// Reads what a call names first of all, or says that it is not there.
pub(super) fn row_of(ask: &Ask, caller: &Caller, there: &Snapshot) -> Result<Row, Refused> {
    let unseen = |kind: &'static str, id: String| Refused::Unseen { kind, id };
    let of_user = |id: UserId| {
        let deleted_too = ask.rule.method.ends_with("/UndeleteUser");
        let user = if deleted_too { there.any_user(id) } else { there.user(id) };
        user.map(|user| Row {
            account: Some(user.account),
            user: Some(user.id),
            application: user.application.clone(),
            kind: Some(user.kind),
            ..Row::default()
        })
    };
    let system = ask
        .document()
        .filter(DocId::is_system)
        .map(|id| there.document(id).ok_or_else(|| unseen("rights_document", id.to_string())))
        .transpose()?
        .map(|found| OfDocument { owner: None, account: caller.account, master: found.master });
    match ask.anchor() {
        None => Ok(Row { document: system, ..Row::default() }),
        Some(Anchor::Document(id)) => there
            .document(id)
            .and_then(|found| found.own())
            .map(|found| Row {
                document: Some(OfDocument {
                    owner: Some(found.owner),
                    // Handed on to an operator, it has an owner who lives in another tenant.
                    account: there.user(found.owner).map_or(found.account, |user| user.account),
                    master: found.master,
                }),
                ..Row::default()
            })
            .ok_or_else(|| unseen("rights_document", id.to_string())),
        Some(Anchor::User(id)) if system.is_some() => of_user(id)
            .map(|row| Row { document: system, ..row })
            .ok_or_else(|| unseen("user", id.to_string())),
        Some(Anchor::User(id)) => of_user(id).ok_or_else(|| unseen("user", id.to_string())),
        Some(Anchor::Token(id)) => there
            .token(id)
            .and_then(|facts| of_user(facts.token.user))
            .ok_or_else(|| unseen("token", id.to_string())),
        Some(Anchor::Key(id)) => there
            .token(TokenId(id.0))
            .filter(|facts| facts.token.key.is_some())
            .and_then(|facts| of_user(facts.token.user))
            .ok_or_else(|| unseen("service_key", id.to_string())),
        Some(Anchor::Role(id)) => there
            .role(id)
            .map(|role| Row { account: Some(role.role.account), ..Row::default() })
            .ok_or_else(|| unseen("role", id.to_string())),
        Some(Anchor::Account(id)) => there
            .account(id)
            .map(|account| Row {
                account: Some(id),
                parent_account: account.parent,
                created_by: account.created_by,
                ..Row::default()
            })
            .ok_or_else(|| unseen("account", id.to_string())),
    }
}
