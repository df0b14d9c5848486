//! A document's fields from the wire, with the mask that says which of them are meant.

use prost_types::FieldMask;
use tonic::Status;

use crate::layers::status;
use crate::model::{ProductPermissions, ResourcePermissions};
use crate::proto::v1 as pb;
use crate::store::DocumentFields;

/// What `UpdateRightsDocument` changes.
const CHANGEABLE: [&str; 6] = [
    "rights_doc_name",
    "cascade",
    "is_master",
    "account_permissions",
    "product_permissions",
    "resource_permissions",
];

/// Reads the fields of a new document.
pub(super) fn created(document: &pb::RightsDocument) -> Result<DocumentFields, Status> {
    if document.rights_doc_name.is_none() {
        let field = "rights_document.rights_doc_name";
        return Err(status::bad_field("INVALID_FIELD", field, "is required"));
    }
    Ok(all(document))
}

/// Reads the fields to change: those that the mask names, or without one those that are set.
pub(super) fn changed(
    document: &pb::RightsDocument,
    mask: Option<&FieldMask>,
) -> Result<DocumentFields, Status> {
    let given = all(document);
    let Some(mask) = mask.filter(|mask| !mask.paths.is_empty()) else {
        return Ok(DocumentFields {
            account_permissions: given.account_permissions.filter(|list| !list.is_empty()),
            product_permissions: given.product_permissions.filter(|list| !list.is_empty()),
            resource_permissions: given.resource_permissions.filter(|list| !list.is_empty()),
            ..given
        });
    };
    let all = mask.paths.iter().any(|path| path == "*");
    let other = |path: &&String| *path != "*" && !CHANGEABLE.contains(&path.as_str());
    if let Some(path) = mask.paths.iter().find(other) {
        let why = format!(
            "`{path}` is not for UpdateRightsDocument to change; it changes {}",
            CHANGEABLE.join(", ")
        );
        return Err(status::bad_field("FIELD_READ_ONLY", "update_mask", why));
    }
    let named = |name: &str| all || mask.paths.iter().any(|path| path == name);
    if named("rights_doc_name") && given.name.is_none() {
        let (field, why) =
            ("rights_document.rights_doc_name", "is required, since the mask names it");
        return Err(status::bad_field("INVALID_FIELD", field, why));
    }
    // What the mask names and the document leaves out is set to what it is where nobody says.
    Ok(DocumentFields {
        name: given.name.filter(|_| named("rights_doc_name")),
        cascade: named("cascade").then(|| given.cascade.unwrap_or_default()),
        master: named("is_master").then(|| given.master.unwrap_or_default()),
        account_permissions: given.account_permissions.filter(|_| named("account_permissions")),
        product_permissions: given.product_permissions.filter(|_| named("product_permissions")),
        resource_permissions: given.resource_permissions.filter(|_| named("resource_permissions")),
    })
}

fn all(document: &pb::RightsDocument) -> DocumentFields {
    let products = document.product_permissions.iter().map(|entry| ProductPermissions {
        product: entry.product.clone(),
        permissions: entry.permissions.clone(),
        cascade: entry.cascade,
    });
    let resources = document.resource_permissions.iter().map(|entry| ResourcePermissions {
        resource_type: entry.resource_type.clone(),
        resource_id: entry.resource_id.clone(),
        permissions: entry.permissions.clone(),
        cascade: entry.cascade,
    });
    DocumentFields {
        name: document.rights_doc_name.clone(),
        cascade: document.cascade,
        master: document.is_master,
        account_permissions: Some(document.account_permissions.clone()),
        product_permissions: Some(products.collect()),
        resource_permissions: Some(resources.collect()),
    }
}
