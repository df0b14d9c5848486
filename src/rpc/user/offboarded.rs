//! What offboarding came to, on the wire.

use crate::model::RoleRef;
use crate::proto::v1 as pb;
use crate::rpc::answer::role_name;
use crate::rpc::shared::Done;
use crate::store::{Listed, UserDone};

/// Tells what was taken from a user and what was left; on a repeat, what was told then.
pub(super) fn effect(done: &Done<UserDone>) -> Option<pb::OffboardEffect> {
    let told = done.outcome.offboarded.as_deref().filter(|_| !done.hidden)?;
    let role = |(name, scope): &(String, Option<String>)| {
        let Ok(role) = name.parse::<RoleRef>();
        let role_type = role_name(&done.world, &role);
        pb::TakenRole { role_type, scope: scope.clone().unwrap_or_default() }
    };
    Some(pb::OffboardEffect {
        disabled: told.disabled,
        role_count: count(&told.roles),
        roles: told.roles.first.iter().map(role).collect(),
        rights_document_count: count(&told.documents),
        rights_doc_ids: told.documents.first.iter().map(ToString::to_string).collect(),
        api_token_count: count(&told.api_tokens),
        api_token_ids: told.api_tokens.first.clone(),
        service_key_count: count(&told.service_keys),
        service_key_ids: told.service_keys.first.clone(),
        session_count: count(&told.sessions),
        session_ids: told.sessions.first.clone(),
        handed_on_count: count(&told.handed_on),
        handed_on: told
            .handed_on
            .first
            .iter()
            .map(|(document, owner)| pb::HandedOnDocument {
                rights_doc_id: document.to_string(),
                owner_id: owner.map(|owner| owner.to_string()).unwrap_or_default(),
            })
            .collect(),
        child_count: count(&told.children),
        child_user_ids: told.children.first.iter().map(ToString::to_string).collect(),
        others_affected: told.others,
    })
}

fn count<T>(of: &Listed<T>) -> u32 {
    u32::try_from(of.count).unwrap_or(u32::MAX)
}
