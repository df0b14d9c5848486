//! How documents look on the wire: names in upper case, as the source system writes them.

use crate::decision::{CompiledDocument, Snapshot};
use crate::model::{
    AccountId, Assignment, Body, DocId, ProductPermissions, ResourcePermissions, RightsDocument,
};
use crate::proto::v1 as pb;
use crate::rpc::wire::timestamp;
use crate::store::document_etag;

/// Shows a document; one that a catalogue declares as that of `account`.
pub(super) fn document(
    world: &Snapshot,
    id: DocId,
    account: AccountId,
) -> Option<pb::RightsDocument> {
    match world.document(id)?.own() {
        Some(own) => Some(kept(own)),
        None => system(world, id, account),
    }
}

/// Shows a document of an account.
pub(super) fn kept(document: &RightsDocument) -> pb::RightsDocument {
    pb::RightsDocument {
        rights_doc_id: document.id.to_string(),
        rights_doc_name: Some(document.name.clone()),
        account_id: document.account.to_string(),
        owner_id: document.owner.to_string(),
        cascade: Some(document.cascade),
        is_master: Some(document.master),
        create_time: Some(timestamp(document.create_time)),
        update_time: Some(timestamp(document.update_time)),
        etag: document_etag(document),
        ..lists(&document.body)
    }
}

fn system(world: &Snapshot, id: DocId, account: AccountId) -> Option<pb::RightsDocument> {
    let document = world.catalogue().system_document(id)?;
    Some(pb::RightsDocument {
        rights_doc_id: id.to_string(),
        rights_doc_name: Some(document.name.clone()),
        account_id: if document.master { world.tenant() } else { account }.to_string(),
        cascade: Some(document.cascade),
        is_master: Some(document.master),
        role_code: document.code.clone(),
        is_system_role: true,
        ..lists(&document.body)
    })
}

/// Shows what the documents of one account give together.
pub(super) fn sum(account: AccountId, body: &Body) -> pb::RightsDocument {
    pb::RightsDocument { account_id: account.to_string(), ..lists(body) }
}

/// Returns what a document gives.
pub(super) fn body<'a>(world: &'a Snapshot, document: &'a CompiledDocument) -> &'a Body {
    static NOTHING: Body = Body {
        account_permissions: Vec::new(),
        product_permissions: Vec::new(),
        resource_permissions: Vec::new(),
    };
    let system = || world.catalogue().system_document(document.id).map(|found| &found.body);
    document.own().map(|own| &own.body).or_else(system).unwrap_or(&NOTHING)
}

/// Adds what one document gives to a sum. Entries that differ in `cascade` stay apart.
pub(super) fn add(sum: &mut Body, body: &Body) {
    unite(&mut sum.account_permissions, &body.account_permissions);
    for entry in &body.product_permissions {
        let same = |of: &&mut ProductPermissions| {
            (of.product.as_str(), of.cascade) == (entry.product.as_str(), entry.cascade)
        };
        match sum.product_permissions.iter_mut().find(same) {
            Some(found) => unite(&mut found.permissions, &entry.permissions),
            None => sum.product_permissions.push(entry.clone()),
        }
    }
    for entry in &body.resource_permissions {
        let same = |of: &&mut ResourcePermissions| {
            (&of.resource_type, &of.resource_id, of.cascade)
                == (&entry.resource_type, &entry.resource_id, entry.cascade)
        };
        match sum.resource_permissions.iter_mut().find(same) {
            Some(found) => unite(&mut found.permissions, &entry.permissions),
            None => sum.resource_permissions.push(entry.clone()),
        }
    }
}

fn unite(all: &mut Vec<String>, more: &[String]) {
    for one in more {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
}

fn lists(body: &Body) -> pb::RightsDocument {
    let products = body.product_permissions.iter().map(|entry| pb::ProductPermissions {
        product: entry.product.clone(),
        permissions: upper(&entry.permissions),
        cascade: entry.cascade,
    });
    let resources = body.resource_permissions.iter().map(|entry| pb::ResourcePermissions {
        resource_type: entry.resource_type.to_ascii_uppercase(),
        resource_id: entry.resource_id.clone(),
        permissions: upper(&entry.permissions),
        cascade: entry.cascade,
    });
    pb::RightsDocument {
        account_permissions: upper(&body.account_permissions),
        product_permissions: products.collect(),
        resource_permissions: resources.collect(),
        ..Default::default()
    }
}

fn upper(actions: &[String]) -> Vec<String> {
    actions.iter().map(|action| action.to_ascii_uppercase()).collect()
}

/// Shows who has what, and who gave it if the reader may know.
pub(super) fn assignment(one: &Assignment, created_by: String) -> pb::Assignment {
    pb::Assignment {
        rights_doc_id: one.document.to_string(),
        user_id: one.user.to_string(),
        create_time: Some(timestamp(one.create_time)),
        created_by,
    }
}
