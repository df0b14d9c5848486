//! Whether the objects of this service that a path names are there.

use super::snapshot::Snapshot;
use crate::model::{DocId, Named, ResourcePath, TokenId, UserId, UserKind};

/// What is asked under the user who is to get a document, or to lose it; the rest under its owner, but for its reading,
/// which is asked under a holder too.
const GIVES_DOCUMENTS: &[&str] =
    &["rights_document.assign", "rights_document.unassign", "rights_document.write_master"];

/// Returns whether the core objects that a path names are there, where the path says (`edges.md` §3).
pub(super) fn names_what_is_there(there: &Snapshot, path: &ResourcePath, permission: &str) -> bool {
    let deleted_too = permission == "user.undelete";
    let mut user: Option<UserId> = None;
    let mut application: Option<&str> = None;
    path.pairs.iter().all(|pair| {
        let Named::Id(id) = &pair.named else { return true };
        match pair.kind.as_str() {
            "user" => {
                let Some(found) = id.parse().ok().and_then(|id| there.any_user(id)) else {
                    return false;
                };
                user = Some(found.id);
                found.account == path.account && (deleted_too || found.exists())
            }
            "application" => {
                application = Some(id);
                true
            }
            "application_user" => match id.parse::<UserId>() {
                Err(_) => true,
                Ok(id) => there.any_user(id).is_some_and(|found| {
                    found.account == path.account
                        && found.kind == UserKind::Application
                        && (deleted_too || found.exists())
                        && application.is_none_or(|app| found.application.as_deref() == Some(app))
                }),
            },
            "api_token" => id
                .parse::<TokenId>()
                .ok()
                .and_then(|id| there.token(id))
                .is_some_and(|found| user.is_none_or(|user| found.token.user == user)),
            "rights_document" => id.parse::<DocId>().is_ok_and(|id| {
                there.document(id).is_some_and(|found| {
                    let owner = found.own().map(|own| own.owner);
                    let gives = GIVES_DOCUMENTS.contains(&permission);
                    let reads = permission == "rights_document.read";
                    let theirs =
                        |user| owner == Some(user) || (reads && there.is_assigned(id, user));
                    gives || owner.is_none() || user.is_none_or(theirs)
                })
            }),
            _ => true,
        }
    })
}
