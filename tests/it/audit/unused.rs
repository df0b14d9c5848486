//! Which rights are not used.

use std::collections::BTreeMap;

use chancery::proto::v1 as pb;
use tonic::Code;

use crate::support::{Person, Service, engines, refused};

/// In seconds.
const DAY: i64 = 86_400;

fn request(account_id: &str, days: i32) -> pb::ListUnusedRightsRequest {
    pb::ListUnusedRightsRequest { account_id: account_id.to_owned(), days, ..Default::default() }
}

/// Lists what each user of an account does not use, by role or document.
async fn unused(
    service: &Service,
    by: &Person,
    account: &str,
    days: i32,
) -> BTreeMap<(String, String), pb::UnusedRight> {
    service.store.write_uses().await.unwrap();
    let reply = service.audit(by).list_unused_rights(request(account, days)).await.unwrap();
    let users = reply.into_inner().unused_rights.into_iter();
    let rights = users.flat_map(|one| {
        let user_id = one.user_id.clone();
        one.rights.into_iter().map(move |right| (user_id.clone(), right))
    });
    let named = rights.map(|(user_id, right)| {
        let grant = right.grant.clone().unwrap();
        ((user_id, format!("{}{}", grant.role_type, grant.rights_doc_id)), right)
    });
    named.collect()
}

#[tokio::test]
async fn what_was_permitted_counts_as_used_by_a_question_or_a_call_and_nothing_else_does() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person(&acme, "ann", &["SUPER_USER"]).await;
        let plain = service.person(&acme, "plain", &[]).await;
        let of_ann = (ann.user_id.clone(), "SUPER_USER".to_owned());
        let before = unused(&service, &boss, &acme, 30).await;
        let all = before[&of_ann].permissions.clone();
        assert!(before[&of_ann].whole && all.is_sorted(), "{all:?}");
        let granted = before[&of_ann].grant.clone().unwrap();
        assert_eq!(
            (granted.kind(), granted.holder_user_id),
            (pb::GrantKind::Role, ann.user_id.clone())
        );
        assert!(!before.keys().any(|(user, _)| *user == plain.user_id), "holds nothing given");

        // A question that is permitted, asked about her; one that is denied; and a call of her own that is rehearsed.
        let path = format!("account/{acme}/user/-");
        assert!(service.decides(&ann.user_id, "create", "user", &path).await.decision);
        let root = service.root.account_id.clone();
        assert!(!service.decides(&ann.user_id, "read", "account", &root).await.decision);
        let delete = pb::DeleteUserRequest {
            user_id: plain.user_id.clone(),
            validate_only: true,
            ..Default::default()
        };
        service.users(&ann).delete_user(delete.clone()).await.unwrap();
        let after = unused(&service, &boss, &acme, 30).await;
        let left = |used: &[&str]| -> Vec<String> {
            all.iter().filter(|one| !used.contains(&one.as_str())).cloned().collect()
        };
        assert_eq!(after[&of_ann].permissions, left(&["user.create"]));
        assert!(!after[&of_ann].whole);
        // A read and a change that are made.
        let get = pb::GetUserRequest { user_id: plain.user_id.clone() };
        service.users(&ann).get_user(get).await.unwrap();
        service
            .users(&ann)
            .delete_user(pb::DeleteUserRequest { validate_only: false, ..delete })
            .await
            .unwrap();
        let after = unused(&service, &boss, &acme, 30).await;
        assert_eq!(after[&of_ann].permissions, left(&["user.create", "user.read", "user.delete"]));

        // Every replica knows, and only so long.
        let replica = service.replica().await;
        assert_eq!(unused(&replica, &boss, &acme, 30).await[&of_ann], after[&of_ann]);
        service.advance(31 * DAY);
        assert_eq!(unused(&service, &boss, &acme, 30).await[&of_ann].permissions, all);
        assert_eq!(unused(&service, &boss, &acme, 60).await[&of_ann], after[&of_ann]);
        assert!(service.decides(&ann.user_id, "create", "user", &path).await.decision);
        let again = unused(&service, &boss, &acme, 30).await;
        assert_eq!(again[&of_ann].permissions, left(&["user.create"]));
        replica.stop().await;
        service.stop().await;
    }
}

#[tokio::test]
async fn what_a_document_gives_is_listed_and_what_is_of_no_use_now_is_not() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person(&acme, "ann", &[]).await;
        let document = pb::RightsDocument {
            rights_doc_name: Some("Audit".to_owned()),
            account_permissions: vec!["READ".to_owned()],
            ..Default::default()
        };
        let create = pb::CreateRightsDocumentRequest {
            rights_document: Some(document),
            ..Default::default()
        };
        let made = service.rights(&boss).create_rights_document(create).await.unwrap();
        let id = made.into_inner().rights_document.unwrap().rights_doc_id;
        let assign = pb::AssignRightsDocumentRequest {
            rights_doc_id: id.clone(),
            user_ids: vec![ann.user_id.clone()],
            // The first administrator made her token.
            force: true,
            ..Default::default()
        };
        service.rights(&boss).assign_rights_document(assign).await.unwrap();
        let key = (ann.user_id.clone(), id);
        let found = unused(&service, &boss, &acme, 1).await;
        assert_eq!(found[&key].permissions, ["account.read"]);
        assert!(service.decides(&ann.user_id, "read", "account", &acme).await.decision);
        assert!(!unused(&service, &boss, &acme, 1).await.contains_key(&key));
        service.advance(2 * DAY);
        assert!(unused(&service, &boss, &acme, 1).await.contains_key(&key));
        let off = pb::SetUserActiveRequest { user_id: ann.user_id.clone(), ..Default::default() };
        service.users(&boss).set_user_active(off).await.unwrap();
        assert!(!unused(&service, &boss, &acme, 1).await.contains_key(&key));
        service.stop().await;
    }
}

#[tokio::test]
async fn pages_join_to_the_whole() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        for n in 0..5 {
            service.person(&acme, &format!("user{n}"), &["MANAGE_USERS"]).await;
        }
        let whole = service.audit(&boss).list_unused_rights(request(&acme, 7)).await.unwrap();
        let whole = whole.into_inner();
        assert_eq!((whole.unused_rights.len(), whole.next_page_token.as_str()), (6, ""));
        let mut one = pb::ListUnusedRightsRequest { page_size: 2, ..request(&acme, 7) };
        let mut joined = Vec::new();
        loop {
            let page =
                service.audit(&boss).list_unused_rights(one.clone()).await.unwrap().into_inner();
            assert!(page.unused_rights.len() <= 2);
            joined.extend(page.unused_rights);
            if page.next_page_token.is_empty() {
                break;
            }
            one.page_token = page.next_page_token;
        }
        let ids = |users: &[pb::UnusedRights]| -> Vec<String> {
            users.iter().map(|one| one.user_id.clone()).collect()
        };
        assert_eq!(ids(&joined), ids(&whole.unused_rights));
        // A page token is good for what it was made for.
        one.days = 8;
        let other = service.audit(&boss).list_unused_rights(one).await;
        refused(other, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
        service.stop().await;
    }
}

#[tokio::test]
async fn it_is_told_to_nobody_who_may_not_read_the_audit() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let plain = service.person(&acme, "plain", &[]).await;
        let auditor = service.person(&acme, "auditor", &["core/AUDITOR"]).await;
        let other = service.tenant("Other").await;
        let rival = service.person(&other, "rival", &["SUPER_USER"]).await;
        service.audit(&auditor).list_unused_rights(request(&acme, 7)).await.unwrap();
        let answer = service.audit(&plain).list_unused_rights(request(&acme, 7)).await;
        refused(answer, Code::PermissionDenied, "ACCESS_DENIED");
        let answer = service.audit(&rival).list_unused_rights(request(&acme, 7)).await;
        refused(answer, Code::NotFound, "ACCOUNT_NOT_FOUND");
        for days in [0, -1, 367] {
            let answer = service.audit(&auditor).list_unused_rights(request(&acme, days)).await;
            refused(answer, Code::InvalidArgument, "INVALID_FIELD");
        }
        service.stop().await;
    }
}
