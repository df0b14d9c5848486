//! Two who change the same thing at once.

use std::collections::BTreeSet;

use chancery::model::{AccountId, ChangeKind, Image, Revision, RoleRef};
use chancery::proto::v1 as pb;
use tonic::Code;

use super::give;
use crate::support::{Person, Service, engines};

/// A role's name, without its catalogue.
fn name(role: &RoleRef) -> String {
    let role = role.to_string();
    role.rsplit('/').next().unwrap().to_owned()
}

/// The roles on a user, as they are kept.
async fn held(service: &Service, user: &Person) -> BTreeSet<String> {
    let grants = service.store.grants_of(user.user_id.parse().unwrap()).await.unwrap();
    grants.iter().map(|grant| name(&grant.role)).collect()
}

/// What happened to a user's roles behind a revision: the verb, and the role.
async fn told(
    service: &Service,
    tenant: AccountId,
    after: Revision,
    user: &Person,
) -> Vec<(ChangeKind, String)> {
    let mut told = Vec::new();
    for entry in service.store.entries(tenant, after, 1_000).await.unwrap() {
        let image = entry.change.after.as_ref().or(entry.change.before.as_ref());
        if let Some(Image::RoleGrant(grant)) = image
            && grant.user.to_string() == user.user_id
        {
            told.push((entry.change.kind, name(&grant.role)));
        }
    }
    told
}

/// R64: one gives a role and the other takes it away: whether the second finds it is what the order decides.
#[tokio::test]
async fn two_role_changes_at_once_end_as_one_of_the_two_orders_and_both_are_in_the_ledger() {
    for engine in engines() {
        let one = Service::start(&engine).await;
        let two = one.replica().await;
        let acme = one.tenant("Acme").await;
        let tenant: AccountId = acme.parse().unwrap();
        for round in 0..12 {
            let ann = one.person(&acme, &format!("ann {round}"), &["USER"]).await;
            let head = one.store.heads(&[tenant]).await.unwrap()[0].revision;
            let take = pb::RemoveUserRoleRequest {
                user_id: ann.user_id.clone(),
                role_type: "SUPER_USER".to_owned(),
                ..Default::default()
            };
            let (mut first, mut second) = (one.roles(&one.root), two.roles(&two.root));
            let (given, taken) = tokio::join!(
                first.add_user_role(give(&ann, "SUPER_USER")),
                second.remove_user_role(take),
            );
            given.unwrap();
            let (user, boss) = ("USER".to_owned(), "SUPER_USER".to_owned());
            let entries = told(&one, tenant, head, &ann).await;
            let left = held(&one, &ann).await;
            match taken {
                // Given, then taken.
                Ok(_) => {
                    assert_eq!(left, BTreeSet::from([user]));
                    assert_eq!(
                        entries,
                        [(ChangeKind::RoleAssign, boss.clone()), (ChangeKind::RoleRevoke, boss)]
                    );
                }
                // There was nothing to take yet.
                Err(status) => {
                    assert_eq!(status.code(), Code::NotFound, "{status:?}");
                    assert_eq!(left, BTreeSet::from([user, boss.clone()]));
                    assert_eq!(entries, [(ChangeKind::RoleAssign, boss)]);
                }
            }
        }
        one.verify(&acme).await;
    }
}

#[tokio::test]
async fn two_roles_given_at_once_are_both_held_and_both_in_the_ledger() {
    for engine in engines() {
        let one = Service::start(&engine).await;
        let two = one.replica().await;
        let acme = one.tenant("Acme").await;
        let tenant: AccountId = acme.parse().unwrap();
        for round in 0..6 {
            let ann = one.person(&acme, &format!("ann {round}"), &[]).await;
            let head = one.store.heads(&[tenant]).await.unwrap()[0].revision;
            let (mut first, mut second) = (one.roles(&one.root), two.roles(&two.root));
            let (a, b) = tokio::join!(
                first.add_user_role(give(&ann, "USER")),
                second.add_user_role(give(&ann, "SUPER_USER")),
            );
            a.unwrap();
            b.unwrap();
            let roles = ["SUPER_USER", "USER"].map(str::to_owned);
            assert_eq!(held(&one, &ann).await, BTreeSet::from(roles.clone()));
            let entries = told(&one, tenant, head, &ann).await;
            assert!(entries.iter().all(|(kind, _)| *kind == ChangeKind::RoleAssign));
            let told: BTreeSet<String> = entries.into_iter().map(|(_, role)| role).collect();
            assert_eq!(told, BTreeSet::from(roles));
        }
        one.verify(&acme).await;
    }
}

/// R64.
#[tokio::test]
async fn a_role_and_a_document_given_at_once_are_both_held_and_both_in_the_ledger() {
    for engine in engines() {
        let one = Service::start(&engine).await;
        let two = one.replica().await;
        let acme = one.tenant("Acme").await;
        let tenant: AccountId = acme.parse().unwrap();
        let boss = one.person(&acme, "boss", &["SUPER_USER"]).await;
        let document = pb::RightsDocument {
            rights_doc_name: Some("readers".to_owned()),
            account_permissions: vec!["READ".to_owned()],
            ..Default::default()
        };
        let write = pb::CreateRightsDocumentRequest {
            user_id: boss.user_id.clone(),
            rights_document: Some(document),
            ..Default::default()
        };
        let made = one.rights(&one.root).create_rights_document(write).await.unwrap().into_inner();
        let rights_doc_id = made.rights_document.unwrap().rights_doc_id;
        for round in 0..6 {
            let ann = one.person(&acme, &format!("ann {round}"), &[]).await;
            let head = one.store.heads(&[tenant]).await.unwrap()[0].revision;
            let assign = pb::AssignRightsDocumentRequest {
                rights_doc_id: rights_doc_id.clone(),
                user_ids: vec![ann.user_id.clone()],
                force: true,
                ..Default::default()
            };
            let (mut roles, mut rights) = (one.roles(&one.root), two.rights(&two.root));
            let (a, b) = tokio::join!(
                roles.add_user_role(give(&ann, "USER")),
                rights.assign_rights_document(assign),
            );
            a.unwrap();
            b.unwrap();
            assert_eq!(held(&one, &ann).await, BTreeSet::from(["USER".to_owned()]));
            let of = pb::ListAssignedRightsDocumentsRequest {
                user_id: ann.user_id.clone(),
                ..Default::default()
            };
            let listed = two.rights(&two.root).list_assigned_rights_documents(of).await.unwrap();
            assert_eq!(listed.into_inner().rights_documents.len(), 1);
            let entries = one.store.entries(tenant, head, 1_000).await.unwrap();
            let told: BTreeSet<&str> = entries.iter().map(|one| one.change.kind.name()).collect();
            assert_eq!(told, BTreeSet::from(["rights_document.assign", "role.assign"]));
        }
        one.verify(&acme).await;
    }
}
