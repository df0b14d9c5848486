//! Rules where it is easy to go wrong, as far as no test of one RPC holds them.

mod catalogues;
mod holding;
mod pages;
mod questions;

use chancery::proto::v1 as pb;

use crate::support::Service;

/// Makes a role of an account, as the root.
async fn role(service: &Service, account_id: &str, role: pb::Role) -> String {
    let account_id = account_id.to_owned();
    let request = pb::CreateRoleRequest { account_id, role: Some(role), ..Default::default() };
    let made = service.roles(&service.root).create_role(request).await.unwrap().into_inner();
    made.role.unwrap().role
}

/// A role that reaches all users of its holder's account.
fn named(name: &str, permits: &[&str]) -> pb::Role {
    pb::Role {
        name: Some(name.to_owned()),
        permits: permits.iter().map(|pattern| (*pattern).to_owned()).collect(),
        on: Some(pb::Relation::Account.into()),
        ..Default::default()
    }
}

fn give(user_id: &str, role: &str) -> pb::AddUserRoleRequest {
    pb::AddUserRoleRequest {
        user_id: user_id.to_owned(),
        role_type: role.to_owned(),
        force: true,
        ..Default::default()
    }
}

fn take(user_id: &str, role: &str) -> pb::RemoveUserRoleRequest {
    pb::RemoveUserRoleRequest {
        user_id: user_id.to_owned(),
        role_type: role.to_owned(),
        ..Default::default()
    }
}
