//! Effective rights with what each comes from, what differs between two users, and what a rehearsal says of both.

use pb::{GrantKind, RightDepth, RightLimitKind, RightWay};
use tonic::Code;

use super::*;
use crate::support::{engines, refused};

async fn rights(
    acme: &Acme,
    by: &Person,
    user_id: &str,
    account_id: &str,
) -> Result<Vec<pb::EffectiveRight>, Status> {
    let (user_id, account_id) = (user_id.to_owned(), account_id.to_owned());
    let request = pb::GetEffectiveRightsRequest { user_id, account_id, ..Default::default() };
    let reply = acme.service.rights(by).get_effective_rights(request).await?;
    Ok(reply.into_inner().effective_rights)
}

async fn compared(
    acme: &Acme,
    by: &Person,
    one: &str,
    other: &str,
) -> Result<pb::CompareRightsResponse, Status> {
    let (user_id, other_user_id) = (one.to_owned(), other.to_owned());
    let request = pb::CompareRightsRequest { user_id, other_user_id, as_of: None };
    Ok(acme.service.rights(by).compare_rights(request).await?.into_inner())
}

fn of_kind(rights: &[pb::EffectiveRight], kind: GrantKind) -> Vec<&pb::EffectiveRight> {
    let is = |right: &&pb::EffectiveRight| right.grant.as_ref().unwrap().kind() == kind;
    rights.iter().filter(is).collect()
}

fn gates() -> pb::RightsDocument {
    pb::RightsDocument {
        rights_doc_name: Some("Gates".to_owned()),
        resource_permissions: vec![resource("GATE_GROUP", "5", &["READ"], true)],
        cascade: Some(true),
        ..Default::default()
    }
}

#[tokio::test]
async fn each_right_tells_what_it_comes_from_by_which_way_and_what_limits_it() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let child = acme.below(&acme.manager, "child", &["USER"]).await;
        let id = acme.made(gates()).await;
        acme.give(&acme.boss, &id, &[&acme.manager]).await.unwrap();

        let found = rights(&acme, &acme.boss, &child.user_id, "").await.unwrap();
        assert_eq!(of_kind(&found, GrantKind::Baseline)[0].way(), RightWay::Everybody);
        let role = of_kind(&found, GrantKind::Role)[0];
        assert_eq!(
            (role.grant.as_ref().unwrap().role_type.as_str(), role.way()),
            ("USER", RightWay::Own)
        );
        let held = of_kind(&found, GrantKind::Document);
        assert_eq!(held.len(), 2);
        for right in &held {
            let grant = right.grant.as_ref().unwrap();
            assert_eq!(
                (grant.rights_doc_id.as_str(), right.way()),
                (id.as_str(), RightWay::Inherited)
            );
            assert_eq!(right.via_user_id, acme.manager.user_id);
            assert_eq!(right.owner_id, acme.boss.user_id);
            assert_eq!(
                (right.resource_type.as_str(), right.resource_id.as_str()),
                ("GATE_GROUP", "5")
            );
        }
        assert_eq!(held[0].depth(), RightDepth::Itself);
        assert_eq!(held[0].permissions, ["gate_group.read"]);
        assert_eq!(held[1].depth(), RightDepth::Contained);
        assert_eq!(held[1].permissions, ["gate.read"]);

        // What limits all of it is told, and nothing is in effect.
        let request = pb::SetUserActiveRequest {
            user_id: child.user_id.clone(),
            is_active: false,
            ..Default::default()
        };
        acme.service.users(&acme.boss).set_user_active(request).await.unwrap();
        let found = rights(&acme, &acme.boss, &child.user_id, "").await.unwrap();
        for right in &found {
            assert!(right.permissions.is_empty(), "{right:?}");
            let limits: Vec<_> = right.limits.iter().map(pb::RightLimit::kind).collect();
            assert!(limits.contains(&RightLimitKind::Disabled), "{limits:?}");
        }
        acme.service.stop().await;
    }
}

#[tokio::test]
async fn rights_are_listed_for_whoever_may_read_documents_of_the_user_alone() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let other = acme.service.tenant("Other").await;
        let stranger = acme.service.person(&other, "stranger", &["SUPER_USER"]).await;
        let child = acme.below(&acme.manager, "child", &[]).await;
        let (boss, of) = (&acme.boss, child.user_id.as_str());
        refused(rights(&acme, &stranger, of, "").await, Code::NotFound, "USER_NOT_FOUND");
        refused(rights(&acme, &child, of, "").await, Code::PermissionDenied, "ACCESS_DENIED");
        refused(rights(&acme, boss, of, &other).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
        let result = compared(&acme, &stranger, of, &stranger.user_id).await;
        refused(result, Code::NotFound, "USER_NOT_FOUND");
        let result = compared(&acme, &acme.manager, of, &boss.user_id).await;
        refused(result, Code::NotFound, "USER_NOT_FOUND");
        let result = compared(&acme, &child, of, of).await;
        refused(result, Code::PermissionDenied, "ACCESS_DENIED");

        let below = acme.service.account(&acme.account, "Below").await;
        let there = rights(&acme, boss, &boss.user_id, &below).await.unwrap();
        assert!(there.iter().all(|right| right.reach() == pb::Reach::Subtree), "{there:?}");
        assert!(!there.is_empty());
        assert!(rights(&acme, boss, of, &below).await.unwrap().is_empty());
        acme.service.stop().await;
    }
}

#[tokio::test]
async fn whose_document_a_right_comes_from_is_told_to_whoever_sees_the_document_alone() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let child = acme.below(&acme.manager, "child", &[]).await;
        let id = acme.made(gates()).await;
        acme.give(&acme.boss, &id, &[&acme.manager]).await.unwrap();
        let checker = acme.service.machine(&acme.account, "checker", &[]).await;
        let request = pb::AddUserRoleRequest {
            user_id: checker.user_id.clone(),
            role_type: "AUDITOR".to_owned(),
            scope: format!("account/{}/user/{}", acme.account, child.user_id),
            ..Default::default()
        };
        acme.service.roles(&acme.service.root).add_user_role(request).await.unwrap();

        let found = rights(&acme, &checker, &child.user_id, "").await.unwrap();
        let held = of_kind(&found, GrantKind::Document);
        assert_eq!(held.len(), 2, "{found:?}");
        for right in held {
            let grant = right.grant.as_ref().unwrap();
            let told = [&grant.rights_doc_id, &grant.holder_user_id];
            assert_eq!(told, ["", ""], "{right:?}");
            assert_eq!((right.via_user_id.as_str(), right.owner_id.as_str()), ("", ""));
            assert_eq!(right.resource_id, "5", "what the child may is what was asked");
        }
        let twin = acme.below(&acme.boss, "twin", &[]).await;
        let differ = compared(&acme, &acme.boss, &child.user_id, &twin.user_id).await.unwrap();
        assert!(
            differ.only_user.iter().any(|right| right.grant.as_ref().unwrap().rights_doc_id == id)
        );
        acme.service.stop().await;
    }
}

#[tokio::test]
async fn many_rights_come_in_pages_of_one_state() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let child = acme.below(&acme.manager, "child", &["ACCESS_GOODDATA_VIEWER"]).await;
        let entries = (0..400).map(|n| resource("GATE_GROUP", &n.to_string(), &["READ"], true));
        let many = pb::RightsDocument {
            rights_doc_name: Some("Many".to_owned()),
            resource_permissions: entries.collect(),
            ..Default::default()
        };
        let id = acme.made(many).await;
        acme.give(&acme.boss, &id, &[&child]).await.unwrap();
        let ask = |page_size, page_token: &str| pb::GetEffectiveRightsRequest {
            user_id: child.user_id.clone(),
            page_size,
            page_token: page_token.to_owned(),
            ..Default::default()
        };
        let page = async |size, token: &str| {
            acme.service.rights(&acme.boss).get_effective_rights(ask(size, token)).await
        };
        let all = page(0, "").await.unwrap().into_inner();
        let (whole, mut parts, mut token) = (all.effective_rights, Vec::new(), String::new());
        assert!(whole.len() > 800 && all.next_page_token.is_empty());
        loop {
            let part = page(300, &token).await.unwrap().into_inner();
            assert!(part.effective_rights.len() <= 300);
            parts.extend(part.effective_rights);
            token = part.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(parts, whole);
        let token = page(300, "").await.unwrap().into_inner().next_page_token;
        acme.take(&acme.boss, &id, &child).await.unwrap();
        let stale = page(300, &token).await;
        refused(stale, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
        let differ = compared(&acme, &acme.boss, &child.user_id, &acme.boss.user_id).await.unwrap();
        assert!(!differ.partial);
        acme.service.stop().await;
    }
}

#[tokio::test]
async fn two_users_are_compared_by_what_each_holds_and_the_other_does_not() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let one =
            acme.below(&acme.boss, "one", &["ACCESS_AUDIT_LOG", "ACCESS_GOODDATA_VIEWER"]).await;
        let other = acme.below(&acme.boss, "other", &["ACCESS_GOODDATA_EDITOR"]).await;
        let differ = compared(&acme, &acme.boss, &one.user_id, &other.user_id).await.unwrap();
        let names = |rights: &[pb::EffectiveRight]| -> Vec<String> {
            rights.iter().flat_map(|right| right.permissions.clone()).collect()
        };
        assert_eq!(names(&differ.only_user), ["audit_event.read", "audit_event.verify"]);
        assert_eq!(names(&differ.only_other), ["analytics.explore", "analytics.edit"]);
        let same = compared(&acme, &acme.boss, &one.user_id, &one.user_id).await.unwrap();
        assert!(same.only_user.is_empty() && same.only_other.is_empty());
        acme.service.stop().await;
    }
}

#[tokio::test]
async fn a_rehearsal_tells_who_would_gain_and_lose_what_and_then_it_happens() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let child = acme.below(&acme.manager, "child", &["ACCESS_GOODDATA_VIEWER"]).await;
        let id = acme.made(gates()).await;
        let request = assign(&id, &[&acme.manager]);
        let request =
            pb::AssignRightsDocumentRequest { force: true, validate_only: true, ..request };
        let told = acme.service.rights(&acme.boss).assign_rights_document(request).await.unwrap();
        let preview = told.into_inner().preview.unwrap();
        assert_eq!((preview.users_gaining, preview.users_losing), (2, 0));
        assert!(!preview.partial && !preview.others_affected);
        let mut gaining: Vec<_> = preview.users.iter().map(|user| user.user_id.clone()).collect();
        let mut wanted = vec![acme.manager.user_id.clone(), child.user_id.clone()];
        gaining.sort();
        wanted.sort();
        assert_eq!(gaining, wanted, "with those below, since it cascades");
        assert!(preview.users[0].gained.contains(&"gate.read".to_owned()));
        assert!(acme.has(&acme.manager).await.is_empty(), "a rehearsal leaves nothing");

        let request = pb::SetUserActiveRequest {
            user_id: child.user_id.clone(),
            is_active: false,
            validate_only: true,
            ..Default::default()
        };
        let told = acme.service.users(&acme.boss).set_user_active(request.clone()).await.unwrap();
        let preview = told.into_inner().preview.unwrap();
        assert_eq!((preview.users_gaining, preview.users_losing), (0, 1));
        assert_eq!(preview.users[0].lost, ["analytics.view"]);
        assert_eq!(preview.tokens_ending, std::slice::from_ref(&child.token_id));
        assert_eq!(preview.tokens_ending_count, 1);
        let request = pb::SetUserActiveRequest { validate_only: false, ..request };
        acme.service.users(&acme.boss).set_user_active(request).await.unwrap();
        assert!(!acme.may(&child, "analytics.view", "analytics/-").await);
        acme.service.stop().await;
    }
}

/// What one of the platform's own users may do in a tenant: what its roles give that reach there, and it is what is decided.
#[tokio::test]
async fn rights_of_an_operator_in_a_tenant_are_those_that_reach_there() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let (service, root) = (&acme.service, &acme.service.root);
        let found = rights(&acme, root, &root.user_id, &acme.account).await.unwrap();
        let names: std::collections::BTreeSet<&str> =
            found.iter().flat_map(|right| &right.permissions).map(String::as_str).collect();
        for (permission, kind) in [
            ("account.suspend", "account"),
            ("gate.read", "gate"),
            ("recording.delete", "recording"),
        ] {
            let id = match kind {
                "account" => acme.account.clone(),
                "gate" => format!("account/{}/gate_group/5/gate/17", acme.account),
                _ => format!("account/{}/{kind}/17", acme.account),
            };
            let answer = service.decides(&root.user_id, permission, kind, &id).await;
            assert_eq!(answer.decision, names.contains(permission), "{permission}");
        }
        // Who reaches no tenant holds nothing there.
        let clerk = service.person(&root.account_id, "clerk", &["USER"]).await;
        let found = rights(&acme, root, &clerk.user_id, &acme.account).await.unwrap();
        assert!(found.iter().all(|right| right.permissions.is_empty()), "{found:?}");
        let answer = service.decides(&clerk.user_id, "read", "account", &acme.account).await;
        assert!(!answer.decision);
        // And a tenant that does not see another is told of none.
        let other = service.tenant("Other").await;
        let refusal = rights(&acme, &acme.boss, &acme.boss.user_id, &other).await;
        refused(refusal, Code::NotFound, "ACCOUNT_NOT_FOUND");
    }
}
