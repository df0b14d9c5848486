//! `UpdateRightsDocument` and `DeleteRightsDocument`.

use tonic::Code;

use super::*;
use crate::support::{engines, refused};

/// R49.
#[tokio::test]
async fn a_mere_holder_changes_nothing_and_the_owner_all() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let owner = acme.below(&acme.boss, "owner", &[]).await;
        let holder = acme.below(&acme.boss, "holder", &[]).await;
        let request = pb::CreateRightsDocumentRequest {
            user_id: owner.user_id.clone(),
            ..create(document("D", &[]))
        };
        let made = acme.service.rights(&acme.boss).create_rights_document(request).await.unwrap();
        let id = made.into_inner().rights_document.unwrap().rights_doc_id;
        acme.give(&acme.boss, &id, &[&holder]).await.unwrap();
        let renamed =
            |name: &str| pb::RightsDocument { rights_doc_name: Some(name.to_owned()), ..of(&id) };
        // He knows of it, since he has it; he may not even read it.
        let status = acme.change(&holder, renamed("H"), &[]).await;
        refused(status, Code::PermissionDenied, "ACCESS_DENIED");
        for refusal in [
            acme.delete(&holder, &id).await.map(drop),
            acme.read(&holder, &id).await.map(drop),
            acme.assignees(&holder, &id).await.map(drop),
        ] {
            refused(refusal, Code::PermissionDenied, "ACCESS_DENIED");
        }
        // The owner needs no grant, but for what the document gives; and does not have it himself.
        let changed = acme.change(&owner, renamed("O"), &[]).await.unwrap();
        assert_eq!(changed.rights_doc_name(), "O");
        assert_eq!(acme.read(&owner, &id).await.unwrap(), changed);
        assert!(acme.assignees(&owner, &id).await.unwrap().is_empty(), "he sees nobody");
        let wide = pb::RightsDocument { account_permissions: texts(&["READ"]), ..of(&id) };
        let status = acme.change(&owner, wide.clone(), &[]).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        acme.change(&acme.boss, wide, &[]).await.unwrap();
        assert!(acme.may(&holder, "account.read", "").await);
        assert!(!acme.may(&owner, "account.read", "").await, "to own is not to hold");
        let gone = acme.delete(&owner, &id).await.unwrap();
        assert_eq!(gone.account_permissions, ["READ"]);
        assert!(!acme.may(&holder, "account.read", "").await);
        assert!(acme.has(&holder).await.is_empty());
        let status = acme.delete(&owner, &id).await;
        refused(status, Code::NotFound, "RIGHTS_DOCUMENT_NOT_FOUND");
        acme.service.verify(&acme.account).await;
    }
}

/// Who owns one and is suppressed, or calls with a token of other scopes, owns it in vain.
#[tokio::test]
async fn an_owner_is_held_by_what_holds_everybody() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let owner = acme.below(&acme.boss, "owner", &[]).await;
        let request = pb::CreateRightsDocumentRequest {
            user_id: owner.user_id.clone(),
            ..create(document("D", &[]))
        };
        let made = acme.service.rights(&acme.boss).create_rights_document(request).await.unwrap();
        let id = made.into_inner().rights_document.unwrap().rights_doc_id;
        let renamed = || pb::RightsDocument { rights_doc_name: Some("N".to_owned()), ..of(&id) };
        let (token_id, token) =
            acme.service.mint(&owner.user_id, &["user.read", "rights_document.read"]).await;
        let narrow = Person { token, token_id, ..owner.clone() };
        acme.read(&narrow, &id).await.unwrap();
        let status = acme.change(&narrow, renamed(), &[]).await;
        refused(status, Code::PermissionDenied, "ACCESS_DENIED");
        let suppress = pb::AddUserRoleRequest {
            user_id: owner.user_id.clone(),
            role_type: "NO_ACCESS".to_owned(),
            force: true,
            ..Default::default()
        };
        acme.service.roles(&acme.boss).add_user_role(suppress).await.unwrap();
        for refusal in [
            acme.read(&owner, &id).await.map(drop),
            acme.change(&owner, renamed(), &[]).await.map(drop),
            acme.delete(&owner, &id).await.map(drop),
        ] {
            refused(refusal, Code::PermissionDenied, "ACCESS_DENIED");
        }
    }
}

#[tokio::test]
async fn a_mask_says_which_fields_are_meant() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let full = pb::RightsDocument {
            cascade: Some(true),
            product_permissions: vec![product("ACD", &["READ"], false)],
            resource_permissions: vec![resource("GATE_GROUP", "5", &["READ"], true)],
            ..document("D", &["READ"])
        };
        let id = acme.made(full.clone()).await;
        let lists = |document: &pb::RightsDocument| {
            [
                document.account_permissions.len(),
                document.product_permissions.len(),
                document.resource_permissions.len(),
            ]
        };
        // Without a mask what is set changes, and an empty list is not set.
        let other = pb::RightsDocument { account_permissions: texts(&["REPORT"]), ..of(&id) };
        let changed = acme.change(&acme.boss, other, &[]).await.unwrap();
        assert_eq!(changed.account_permissions, ["REPORT"]);
        assert_eq!((lists(&changed), changed.cascade()), ([1, 1, 1], true));
        // With one, what it names is as the document says, be that nothing.
        for (mask, left) in [
            ("product_permissions", [1, 0, 1]),
            ("resource_permissions", [1, 0, 0]),
            ("account_permissions", [0, 0, 0]),
        ] {
            let changed = acme.change(&acme.boss, of(&id), &[mask]).await.unwrap();
            assert_eq!((lists(&changed), changed.cascade()), (left, true), "{mask}");
        }
        assert!(!acme.change(&acme.boss, of(&id), &["cascade"]).await.unwrap().cascade());
        let all = pb::RightsDocument { rights_doc_id: id.clone(), ..full };
        let changed = acme.change(&acme.boss, all, &["*"]).await.unwrap();
        assert_eq!((lists(&changed), changed.cascade()), ([1, 1, 1], true));
        // What it does not name is not heard.
        let name = pb::RightsDocument {
            rights_doc_name: Some("N".to_owned()),
            cascade: Some(false),
            account_permissions: texts(&["NONSENSE"]),
            ..of(&id)
        };
        let changed = acme.change(&acme.boss, name, &["rights_doc_name"]).await.unwrap();
        assert_eq!((changed.rights_doc_name(), changed.cascade()), ("N", true));
        for field in ["account_id", "owner_id", "role_code", "is_system_role", "etag", "nothing"] {
            let status = acme.change(&acme.boss, of(&id), &["rights_doc_name", field]).await;
            refused(status, Code::InvalidArgument, "FIELD_READ_ONLY");
        }
        let status = acme.change(&acme.boss, of(&id), &["*"]).await;
        refused(status, Code::InvalidArgument, "INVALID_FIELD");
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn a_change_is_known_by_its_time_and_etag() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let ann = acme.below(&acme.boss, "ann", &[]).await;
        let made = acme.write(&acme.boss, document("D", &["READ"])).await.unwrap();
        acme.service.advance(60);
        let id = made.rights_doc_id.clone();
        let renamed = |etag: &str| pb::RightsDocument {
            rights_doc_name: Some("N".to_owned()),
            etag: etag.to_owned(),
            ..of(&id)
        };
        let changed = acme.change(&acme.boss, renamed(&made.etag), &[]).await.unwrap();
        assert_ne!(changed.etag, made.etag);
        assert_eq!(changed.create_time, made.create_time);
        assert_ne!(changed.update_time, made.update_time);
        acme.service.advance(60);
        // The same again is no change.
        let same = acme.change(&acme.boss, renamed(&changed.etag), &[]).await.unwrap();
        assert_eq!(same, changed);
        // To be assigned does not change it.
        acme.give(&acme.boss, &id, &[&ann]).await.unwrap();
        assert_eq!(acme.read(&acme.boss, &id).await.unwrap(), changed);
        let rights = || acme.service.rights(&acme.boss);
        let status = acme.change(&acme.boss, renamed(&made.etag), &[]).await;
        refused(status, Code::Aborted, "ETAG_MISMATCH");
        let old = || made.etag.clone();
        let stale = pb::DeleteRightsDocumentRequest { etag: old(), ..delete(&id) };
        let status = rights().delete_rights_document(stale).await;
        refused(status, Code::Aborted, "ETAG_MISMATCH");
        let stale = pb::UnassignRightsDocumentRequest { etag: old(), ..unassign(&id, &ann) };
        let status = rights().unassign_rights_document(stale).await;
        refused(status, Code::Aborted, "ETAG_MISMATCH");
        let child = acme.below(&ann, "child", &[]).await;
        let stale =
            pb::AssignRightsDocumentRequest { etag: old(), force: true, ..assign(&id, &[&child]) };
        let status = rights().assign_rights_document(stale).await;
        refused(status, Code::Aborted, "ETAG_MISMATCH");
        let fresh = pb::DeleteRightsDocumentRequest { etag: changed.etag, ..delete(&id) };
        rights().delete_rights_document(fresh).await.unwrap();
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn a_document_of_a_closed_account_stays_as_it_is() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let below = acme.service.account(&acme.account, "Below").await;
        let id = acme.made(pb::RightsDocument { account_id: below.clone(), ..document("D", &[]) });
        let id = id.await;
        acme.close(&below).await;
        let root = &acme.service.root;
        let name = pb::RightsDocument { rights_doc_name: Some("N".to_owned()), ..of(&id) };
        let status = acme.change(root, name, &[]).await;
        refused(status, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        let status = acme.delete(root, &id).await;
        refused(status, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        let status = acme.change(&acme.boss, of(&nothing()), &["cascade"]).await;
        refused(status, Code::NotFound, "RIGHTS_DOCUMENT_NOT_FOUND");
    }
}
