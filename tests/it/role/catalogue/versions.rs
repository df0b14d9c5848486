//! What is applied holds everywhere, in the order of its versions.

use std::time::Duration;

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{HOUSE, apply, file, later};
use crate::role::force;
use crate::support::{Service, ask, engines, refused};

#[tokio::test]
async fn a_new_catalogue_counts_at_once_in_tenants_that_are_warm_and_soon_elsewhere() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let replica = service.replica().await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["USER"]).await;
        let own = format!("account/{acme}");
        for warm in [&service, &replica] {
            let fresh = pb::consistency::Requirement::Full(true);
            let mut question = ask(&ann.user_id, "read", "account", &own);
            question.consistency = Some(pb::Consistency { requirement: Some(fresh) });
            warm.authorization(&warm.root).authorize(question).await.unwrap();
        }
        let done = apply(&service, &service.root, HOUSE).await.unwrap();
        assert!(!done.consistency_token.is_empty() && done.preview.is_none());
        let shown = done.catalogue.unwrap();
        assert_eq!((shown.catalogue.as_str(), shown.version), ("house", 1));
        assert_eq!(shown.roles, ["Clerk", "Keeper", "Tenant"]);
        assert_eq!(shown.resource_types[0].actions, ["read", "fill"]);
        let shelf = format!("account/{acme}/shelf/7");
        let before = service.decides(&ann.user_id, "read", "shelf", &shelf).await;
        assert_eq!(before.reason(), pb::Reason::NoGrant);

        service.roles(&service.root).add_user_role(force(&ann.user_id, "Clerk")).await.unwrap();
        assert!(service.decides(&ann.user_id, "read", "shelf", &shelf).await.decision);
        assert!(!service.decides(&ann.user_id, "fill", "shelf", &shelf).await.decision);
        // Another replica hears of it within the poll.
        let mut told = false;
        for _ in 0..200 {
            let question = ask(&ann.user_id, "read", "shelf", &shelf);
            let answer = replica.authorization(&replica.root).authorize(question).await;
            told = answer.is_ok_and(|answer| answer.into_inner().decision);
            if told {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(told, "the other replica never heard of it");
        service.verify(&service.root.account_id).await;
        replica.stop().await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_version_grows_and_the_file_in_force_changes_nothing() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let root = &service.root;
        let first = apply(&service, root, &later(5, "[shelf.read]", "[shelf.read]")).await.unwrap();
        let etag = first.catalogue.unwrap().etag;
        let again = apply(&service, root, &later(5, "[shelf.read]", "[shelf.read]")).await.unwrap();
        assert_eq!(again.consistency_token, first.consistency_token, "nothing was written");
        for older in [5, 4] {
            let other = later(older, "[shelf.read]", "[shelf.fill]");
            let said = refused(
                apply(&service, root, &other).await,
                Code::FailedPrecondition,
                "CATALOGUE_VERSION",
            );
            assert!(said.message().contains("version 5"), "{}", said.message());
        }
        let next =
            pb::ApplyCatalogueRequest { etag, ..file(&later(6, "shelf.read", "shelf.fill")) };
        service.roles(root).apply_catalogue(next.clone()).await.unwrap();
        // The etag is that of version 5.
        let stale = pb::ApplyCatalogueRequest {
            catalogue_yaml: later(7, "shelf.read", "shelf.fill"),
            ..next
        };
        let stale = service.roles(root).apply_catalogue(stale).await;
        refused(stale, Code::Aborted, "ETAG_MISMATCH");
        service.verify(&root.account_id).await;
    }
}

#[tokio::test]
async fn what_vanishes_gives_nothing_and_stays_listed() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let root = &service.root;
        apply(&service, root, HOUSE).await.unwrap();
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["Clerk"]).await;
        let shelf = format!("account/{acme}/shelf/7");
        assert!(service.decides(&ann.user_id, "read", "shelf", &shelf).await.decision);

        let without = later(2, "  Clerk: { assignable_to: [admin], permits: [shelf.read] }\n", "");
        apply(&service, root, &without).await.unwrap();
        let told = service.decides(&ann.user_id, "read", "shelf", &shelf).await;
        assert_eq!(told.reason(), pb::Reason::NoGrant);
        let of = pb::ListUserRolesRequest { user_id: ann.user_id.clone(), ..Default::default() };
        let listed = service.roles(root).list_user_roles(of).await.unwrap().into_inner();
        assert_eq!(listed.role_grants[0].role_type, "house/Clerk");
        assert!(!listed.role_grants[0].known);

        // It comes back to those who have it, and an empty file takes everything away.
        apply(&service, root, &HOUSE.replace("version: 1", "version: 3")).await.unwrap();
        assert!(service.decides(&ann.user_id, "read", "shelf", &shelf).await.decision);
        apply(&service, root, "{ catalogue: house, version: 4 }").await.unwrap();
        let question = ask(&ann.user_id, "read", "shelf", &shelf);
        let unknown = service.authorization(root).authorize(question).await.unwrap_err();
        assert_eq!(unknown.code(), Code::InvalidArgument);
        service.verify(&root.account_id).await;
        service.verify(&acme).await;
    }
}

#[tokio::test]
async fn a_document_of_a_file_is_in_every_account_and_gives_what_the_file_declares() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let root = &service.root;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person(&acme, "ann", &[]).await;
        let preview = super::rehearse(&service, root, HOUSE).await.unwrap();
        let documents = preview.catalogue.unwrap().documents;
        assert_eq!(documents.len(), 1);
        assert_eq!(documents[0].role_code, "SHELVES");
        apply(&service, root, HOUSE).await.unwrap();
        let assign = pb::AssignRightsDocumentRequest {
            rights_doc_id: documents[0].rights_doc_id.clone(),
            user_ids: vec![ann.user_id.clone()],
            force: true,
            ..Default::default()
        };
        service.rights(&boss).assign_rights_document(assign).await.unwrap();
        let shelf = format!("account/{acme}/shelf/7");
        assert!(service.decides(&ann.user_id, "fill", "shelf", &shelf).await.decision);
        assert!(!service.decides(&ann.user_id, "read", "shelf", &shelf).await.decision);
        let more = later(2, "[fill]", "[fill, read]");
        let preview = super::rehearse(&service, root, &more).await.unwrap();
        let documents = preview.catalogue.unwrap().documents;
        assert_eq!((documents[0].standing(), documents[0].user_count), (pb::Standing::Kept, 1));
        apply(&service, root, &more).await.unwrap();
        assert!(service.decides(&ann.user_id, "read", "shelf", &shelf).await.decision);
    }
}

#[tokio::test]
async fn a_write_that_rests_on_the_old_catalogue_does_not_bring_it_back() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let shelf = format!("account/{acme}/shelf/7");
        for version in (1..=9).step_by(2) {
            let yaml = HOUSE.replace("version: 1", &format!("version: {version}"));
            let writes = (0..6).map(|n| {
                let user =
                    pb::User { user_name: Some(format!("u{version}_{n}")), ..Default::default() };
                let request = pb::CreateUserRequest { user: Some(user), ..Default::default() };
                let mut users = service.users(&boss);
                async move { users.create_user(request).await.map(drop) }
            });
            let (applied, written) = tokio::join!(
                apply(&service, &service.root, &yaml),
                futures::future::join_all(writes),
            );
            applied.unwrap();
            for written in written {
                written.unwrap();
            }
            let told = service.decides(&boss.user_id, "read", "shelf", &shelf).await;
            assert!(told.decision, "{:?}", told.reason());
            let empty = format!("{{ catalogue: house, version: {} }}", version + 1);
            apply(&service, &service.root, &empty).await.unwrap();
        }
        service.verify(&acme).await;
    }
}
