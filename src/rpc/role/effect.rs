//! What a catalogue file would change, on the wire.

use crate::model::catalogue::Standing;
use crate::proto::v1 as pb;
use crate::store::{CatalogueEffect, DocumentEffect, RoleEffect};

/// Puts what a file would change into a preview.
pub(super) fn preview(
    bare: Option<pb::Preview>,
    effect: Option<CatalogueEffect>,
) -> Option<pb::Preview> {
    let mut preview = bare?;
    if let Some(effect) = effect {
        preview.others_affected |= effect.others;
        preview.catalogue = Some(catalogue(effect));
    }
    Some(preview)
}

fn catalogue(effect: CatalogueEffect) -> pb::CataloguePreview {
    pb::CataloguePreview {
        catalogue: effect.name,
        version: effect.version,
        replaces_version: effect.replaces,
        added_resource_types: effect.added_types,
        removed_resource_types: effect.removed_types,
        added_permissions: effect.added_permissions,
        removed_permissions: effect.removed_permissions,
        roles: effect.roles.into_iter().map(role).collect(),
        documents: effect.documents.into_iter().map(document).collect(),
    }
}

fn role(role: RoleEffect) -> pb::RoleChange {
    pb::RoleChange {
        role: role.role,
        account_id: role.account.map(|id| id.to_string()).unwrap_or_default(),
        standing: standing(role.standing),
        gained: role.gained,
        lost: role.lost,
        user_count: role.users,
        account_count: role.accounts,
    }
}

fn document(document: DocumentEffect) -> pb::DocumentChange {
    pb::DocumentChange {
        rights_doc_id: document.id.to_string(),
        role_code: document.code,
        standing: standing(document.standing),
        user_count: document.users,
    }
}

const fn standing(standing: Standing) -> i32 {
    match standing {
        Standing::Added => pb::Standing::Added as i32,
        Standing::Kept => pb::Standing::Kept as i32,
        Standing::Removed => pb::Standing::Removed as i32,
    }
}
