//! Roles: those of the catalogues, those that accounts make, and who holds them.

mod catalogue;
mod custom;
mod deleted;
mod edited;
mod given;
mod lists;
mod makers;
mod named;
mod scoped;
mod suppressed;
mod taken;
mod used;

use chancery::proto::v1 as pb;

use crate::support::{Person, Service, beginning};

/// The 13 role types of the source.
const SEED: [&str; 13] = [
    "SUPER_USER",
    "USER",
    "MANAGE_USERS",
    "MANAGE_RIGHTS",
    "ACCESS_SIBLINGS",
    "ACCESS_AUDIT_LOG",
    "ASSUME_USERS",
    "REPORT_ADMINISTRATIVE_USER",
    "WFO_ACCESS",
    "ACCESS_GOODDATA_EDITOR",
    "ACCESS_GOODDATA_ANALYST",
    "ACCESS_GOODDATA_VIEWER",
    "NO_ACCESS",
];

fn give(user_id: &str, role: &str) -> pb::AddUserRoleRequest {
    pb::AddUserRoleRequest {
        user_id: user_id.to_owned(),
        role_type: role.to_owned(),
        ..Default::default()
    }
}

/// Gives it whoever made the tokens of the user: in tests that is the root.
fn force(user_id: &str, role: &str) -> pb::AddUserRoleRequest {
    pb::AddUserRoleRequest { force: true, ..give(user_id, role) }
}

fn take(user_id: &str, role: &str) -> pb::RemoveUserRoleRequest {
    pb::RemoveUserRoleRequest {
        user_id: user_id.to_owned(),
        role_type: role.to_owned(),
        ..Default::default()
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn role(name: &str, permits: &[&str]) -> pb::Role {
    pb::Role { name: Some(name.to_owned()), permits: texts(permits), ..Default::default() }
}

fn create(account_id: &str, role: pb::Role) -> pb::CreateRoleRequest {
    pb::CreateRoleRequest {
        account_id: account_id.to_owned(),
        role: Some(role),
        ..Default::default()
    }
}

fn update(role: pb::Role, mask: &[&str]) -> pb::UpdateRoleRequest {
    let mask = prost_types::FieldMask { paths: texts(mask) };
    pb::UpdateRoleRequest { role: Some(role), update_mask: Some(mask), ..Default::default() }
}

fn delete(role: &str) -> pb::DeleteRoleRequest {
    pb::DeleteRoleRequest { role: role.to_owned(), ..Default::default() }
}

/// Makes a custom role as the root.
async fn made(service: &Service, account_id: &str, role: pb::Role) -> pb::Role {
    let request = create(account_id, role);
    let made = service.roles(&service.root).create_role(request).await.unwrap().into_inner();
    made.role.unwrap()
}

/// Lists what a user holds, as the root.
async fn grants(service: &Service, user_id: &str) -> Vec<pb::RoleGrant> {
    let request = pb::ListUserRolesRequest { user_id: user_id.to_owned(), ..Default::default() };
    let listed = service.roles(&service.root).list_user_roles(request).await.unwrap();
    listed.into_inner().role_grants
}

async fn held(service: &Service, user_id: &str) -> Vec<String> {
    grants(service, user_id).await.into_iter().map(|grant| grant.role_type).collect()
}

/// Gives a role as the root.
async fn given(service: &Service, to: &Person, role: &str) {
    service.roles(&service.root).add_user_role(give(&to.user_id, role)).await.unwrap();
}

/// So many seconds from when every test begins.
fn at(seconds: i64) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: beginning().timestamp() + seconds, nanos: 0 }
}
