//! Who reads which part of the audit.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{all, list};
use crate::support::{Person, Service, engines, refused};

async fn scoped(service: &Service, person: &Person, account: &str) {
    let request = pb::AddUserRoleRequest {
        user_id: person.user_id.clone(),
        role_type: "core/AUDITOR".to_owned(),
        scope: format!("account/{account}"),
        ..Default::default()
    };
    service.roles(&service.root).add_user_role(request).await.unwrap();
}

#[tokio::test]
async fn of_a_subtree_that_part_is_told_whose_audit_may_be_read() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let one = service.account(&acme, "One").await;
        let two = service.account(&acme, "Two").await;
        let inner = service.account(&one, "Inner").await;
        for account in [&one, &two, &inner] {
            service.person(account, "somebody", &[]).await;
        }
        let ann = service.person(&acme, "ann", &[]).await;
        scoped(&service, &ann, &acme).await;
        scoped(&service, &ann, &inner).await;
        let accounts = async |by: &Person, of: &str| {
            let mut told: Vec<String> = list(&service, by, all(of))
                .await
                .into_iter()
                .map(|event| event.account_id)
                .collect();
            told.sort_unstable();
            told.dedup();
            told
        };
        let sorted = |mut of: Vec<&String>| {
            of.sort_unstable();
            of.into_iter().cloned().collect::<Vec<_>>()
        };
        assert_eq!(accounts(&ann, &acme).await, sorted(vec![&acme, &inner]));
        let whole = sorted(vec![&acme, &one, &two, &inner]);
        assert_eq!(accounts(&service.root, &acme).await, whole);
        assert_eq!(accounts(&service.root, &one).await, sorted(vec![&one, &inner]));
        // What may not be read is refused where it is named.
        let status = service.audit(&ann).list_audit_events(all(&one)).await;
        refused(status, Code::NotFound, "ACCOUNT_NOT_FOUND");
        // The platform's ledger tells that a tenant was opened, and nothing else of it.
        let platform = list(&service, &service.root, all(&service.root.account_id)).await;
        let root = &service.root.account_id;
        assert!(platform.iter().all(|event| &event.account_id == root));
        assert!(platform.iter().any(|event| event.action == "tenant.open"));
    }
}

#[tokio::test]
async fn neither_a_stranger_nor_a_sibling_nor_a_plain_user_reads_it() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let other = service.tenant("Other").await;
        let (one, two) = (service.account(&acme, "One").await, service.account(&acme, "Two").await);
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let auditor = service.person(&one, "auditor", &["core/AUDITOR"]).await;
        let plain = service.person(&one, "plain", &[]).await;
        let ask = async |by: &Person, account: &str| {
            service.audit(by).list_audit_events(all(account)).await
        };
        refused(ask(&boss, &other).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
        refused(ask(&auditor, &two).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
        refused(ask(&auditor, &acme).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
        refused(ask(&plain, &one).await, Code::PermissionDenied, "ACCESS_DENIED");
        assert!(ask(&auditor, &one).await.is_ok());
        // The caller's own account stands where none is named.
        let mut audit = service.audit(&auditor);
        let own = audit.list_audit_events(pb::ListAuditEventsRequest::default()).await;
        let own = own.unwrap().into_inner().audit_events;
        assert!(!own.is_empty() && own.iter().all(|event| event.account_id == one));
        // Whoever reads an account's audit reads it whole, also of those whom it does not see.
        assert!(own.iter().any(|event| event.user_id == plain.user_id && event.after.is_some()));
    }
}

#[tokio::test]
async fn what_is_done_in_an_assumed_session_names_both() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person_under(&acme, Some(&boss), "ann", &["MANAGE_USERS"]).await;
        let by = boss.with(&service.session(&boss).await);
        let assume = pb::AssumeUserRequest {
            user_id: ann.user_id.clone(),
            reason: "to help".to_owned(),
            ..Default::default()
        };
        let session = service.sessions(&by).assume_user(assume).await.unwrap().into_inner();
        let as_ann = ann.with(&session.session.unwrap());
        let update = pb::UpdateUserRequest {
            user: Some(pb::User {
                user_id: ann.user_id.clone(),
                first_name: Some("Ann".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        };
        service.users(&as_ann).update_user(update).await.unwrap();
        let mut request = all(&acme);
        request.actor.clone_from(&boss.user_id);
        let told = list(&service, &boss, request).await;
        let update = told.iter().find(|event| event.action == "user.update").unwrap();
        assert_eq!(update.actor_user_id, boss.user_id);
        assert_eq!(update.acting_as_user_id, ann.user_id);
        let assumed = told.iter().find(|event| event.action == "user.assume").unwrap();
        assert_eq!((&assumed.entity_id, assumed.acting_as_user_id.as_str()), (&ann.user_id, ""));
    }
}
