//! The etag of each noun: of its own fields; a user's also of its roles (`api.md`, Conventions).

use super::Refusal;
use crate::crypto::etag;
use crate::decision::Snapshot;
use crate::model::{Account, ApiToken, CustomRole, RightsDocument, Session, SessionMarks, User};

/// Returns an account's etag.
pub fn account_etag(account: &Account) -> String {
    etag(account)
}

/// Returns a user's etag; it changes with its roles too, but not with its children.
pub fn user_etag(world: &Snapshot, user: &User) -> String {
    let held = world.any_user(user.id).map(|found| &*found.held).unwrap_or_default();
    let mut roles: Vec<String> = held
        .iter()
        .map(|held| {
            let scope = held.scope.as_ref().map(ToString::to_string);
            let ends = held.expire_time.map(|at| at.to_rfc3339());
            format!("{}|{}|{}", held.role, scope.unwrap_or_default(), ends.unwrap_or_default())
        })
        .collect();
    roles.sort_unstable();
    // A session that ends changes nothing of what is read of its user, nor does its first sign-in.
    let user = User { session_marks: SessionMarks::default(), identity: None, ..user.clone() };
    etag(&(user, roles))
}

/// Returns a custom role's etag.
pub fn role_etag(role: &CustomRole) -> String {
    etag(role)
}

/// Returns a rights document's etag; who has it is no part of it.
pub fn document_etag(document: &RightsDocument) -> String {
    etag(document)
}

/// Returns a catalogue's etag: no two texts are in force under one version.
pub fn catalogue_etag(name: &str, version: u32) -> String {
    etag(&(name, version))
}

/// Returns a token's etag; its last use is no part of it.
pub fn token_etag(token: &ApiToken) -> String {
    etag(token)
}

/// Returns a session's etag; its last use is no part of it, nor is what that puts off.
pub fn session_etag(session: &Session) -> String {
    etag(&(session.id, session.user, session.actor))
}

/// Returns the etag of the keys that access tokens are signed with: that of all of them together.
pub fn signing_keys_etag(world: &Snapshot) -> String {
    etag(&world.signing_keys().collect::<Vec<_>>())
}

/// Refuses a change to an object that is no longer what its caller read; an empty etag asks for nothing.
pub(super) fn unchanged(wanted: &str, is: &str) -> Result<(), Refusal> {
    if wanted.is_empty() || wanted == is { Ok(()) } else { Err(Refusal::Stale) }
}
