//! A role's fields from the wire, with the mask that says which of them are meant.

use prost_types::FieldMask;
use tonic::Status;

use crate::layers::status;
use crate::model::{Holder, Reach, Relation};
use crate::proto::v1 as pb;
use crate::store::RoleFields;

/// What `UpdateRole` changes.
const CHANGEABLE: [&str; 10] = [
    "name",
    "description",
    "permits",
    "except",
    "includes",
    "reach",
    "on",
    "when",
    "assignable_to",
    "active",
];
/// Who a custom role is for where nobody says.
const DEFAULT_HOLDERS: [Holder; 2] = [Holder::Admin, Holder::Service];

fn invalid(field: &str, why: &str) -> Status {
    status::bad_field("INVALID_FIELD", field, why)
}

/// Reads the fields of a new role: those that are set.
pub(super) fn created(role: &pb::Role) -> Result<RoleFields, Status> {
    if role.name.is_none() {
        return Err(invalid("role.name", "is required"));
    }
    set(role)
}

/// Reads the fields to change: those that the mask names, or without one those that are set.
pub(super) fn changed(role: &pb::Role, mask: Option<&FieldMask>) -> Result<RoleFields, Status> {
    let Some(mask) = mask.filter(|mask| !mask.paths.is_empty()) else { return set(role) };
    let all = mask.paths.iter().any(|path| path == "*");
    let other = |path: &&String| *path != "*" && !CHANGEABLE.contains(&path.as_str());
    if let Some(path) = mask.paths.iter().find(other) {
        let why = format!(
            "`{path}` is not for UpdateRole to change; it changes {}",
            CHANGEABLE.join(", ")
        );
        return Err(status::bad_field("FIELD_READ_ONLY", "update_mask", why));
    }
    let named = |name: &str| all || mask.paths.iter().any(|path| path == name);
    let given = set(role)?;
    if named("name") && given.name.is_none() {
        return Err(invalid("role.name", "is required, since the mask names it"));
    }
    // What the mask names and the role leaves out is set to what it is where nobody says.
    Ok(RoleFields {
        name: given.name.filter(|_| named("name")),
        description: named("description").then(|| given.description.unwrap_or_default()),
        permits: named("permits").then(|| given.permits.unwrap_or_default()),
        except: named("except").then(|| given.except.unwrap_or_default()),
        includes: named("includes").then(|| given.includes.unwrap_or_default()),
        reach: named("reach").then(|| given.reach.unwrap_or_default()),
        on: named("on").then(|| given.on.unwrap_or_default()),
        when: named("when").then(|| given.when.unwrap_or_default()),
        assignable_to: named("assignable_to")
            .then(|| given.assignable_to.unwrap_or_else(|| DEFAULT_HOLDERS.to_vec())),
        active: named("active").then(|| given.active.unwrap_or(true)),
    })
}

/// Reads the fields that are set.
fn set(role: &pb::Role) -> Result<RoleFields, Status> {
    let list = |list: &Vec<String>| Some(list.clone()).filter(|list| !list.is_empty());
    Ok(RoleFields {
        name: role.name.clone(),
        description: role.description.clone(),
        permits: list(&role.permits),
        except: list(&role.except),
        includes: list(&role.includes),
        reach: role.reach.and_then(reach),
        on: role.on.map(relation),
        when: role.when.clone(),
        assignable_to: holders(role)?,
        active: role.active,
    })
}

fn holders(role: &pb::Role) -> Result<Option<Vec<Holder>>, Status> {
    let mut found = Vec::with_capacity(role.assignable_to.len());
    for (place, number) in role.assignable_to.iter().enumerate() {
        let field = format!("role.assignable_to[{place}]");
        match holder(*number) {
            Some(Holder::Account) => {
                return Err(invalid(&field, "only a role of a catalogue can be an account's"));
            }
            Some(holder) => found.push(holder),
            None => return Err(invalid(&field, "must be ADMIN, SERVICE or APPLICATION")),
        }
    }
    Ok(Some(found).filter(|found| !found.is_empty()))
}

fn reach(number: i32) -> Option<Reach> {
    match pb::Reach::try_from(number) {
        Ok(pb::Reach::Account) => Some(Reach::Account),
        Ok(pb::Reach::Subtree) => Some(Reach::Subtree),
        Ok(pb::Reach::Unspecified) | Err(_) => None,
    }
}

fn relation(number: i32) -> Option<Relation> {
    match pb::Relation::try_from(number) {
        Ok(pb::Relation::Self_) => Some(Relation::Own),
        Ok(pb::Relation::Subtree) => Some(Relation::Subtree),
        Ok(pb::Relation::Siblings) => Some(Relation::Siblings),
        Ok(pb::Relation::Account) => Some(Relation::Account),
        Ok(pb::Relation::Unspecified) | Err(_) => None,
    }
}

/// Reads a holder; `None` = not said.
pub(super) fn holder(number: i32) -> Option<Holder> {
    match pb::Holder::try_from(number) {
        Ok(pb::Holder::Account) => Some(Holder::Account),
        Ok(pb::Holder::Admin) => Some(Holder::Admin),
        Ok(pb::Holder::Service) => Some(Holder::Service),
        Ok(pb::Holder::Application) => Some(Holder::Application),
        Ok(pb::Holder::Unspecified) | Err(_) => None,
    }
}
