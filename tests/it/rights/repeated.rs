//! Changes of documents that are sent twice, and what tells one request from another.

use tonic::Code;

use super::*;
use crate::support::{engines, refused};

const ID: &str = "4b6c4b1e-6f0c-4f9a-9a1d-0a4f4f3d2c13";

#[tokio::test]
async fn lists_that_differ_are_other_requests() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let request = |products: Vec<pb::ProductPermissions>| pb::CreateRightsDocumentRequest {
            request_id: ID.to_owned(),
            ..create(pb::RightsDocument { product_permissions: products, ..document("D", &[]) })
        };
        let rights = || acme.service.rights(&acme.boss);
        let first = vec![product("ACD", &["READ", "UPDATE"], false), product("AGENT", &[], false)];
        let made = rights().create_rights_document(request(first.clone())).await.unwrap();
        let again = rights().create_rights_document(request(first)).await.unwrap();
        assert_eq!(made.into_inner(), again.into_inner());
        for other in [
            vec![product("ACD", &[], false), product("AGENT", &["READ", "UPDATE"], false)],
            vec![product("ACD", &["READ"], false), product("AGENT", &["UPDATE"], false)],
            vec![product("AGENT", &["READ", "UPDATE"], false), product("ACD", &[], false)],
            vec![product("ACD", &["READ", "UPDATE"], true), product("AGENT", &[], false)],
            vec![product("ACD", &["READ", "UPDATE"], false), product("AGENT", &[], true)],
        ] {
            let status = rights().create_rights_document(request(other)).await;
            refused(status, Code::AlreadyExists, "REQUEST_ID_REUSED");
        }
    }
}

#[tokio::test]
async fn a_repeat_tells_what_is_there_still() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let (ann, bob) =
            (acme.below(&acme.boss, "ann", &[]).await, acme.below(&acme.boss, "bob", &[]).await);
        let id = acme.made(document("D", &["READ"])).await;
        let rights = || acme.service.rights(&acme.boss);
        let request = pb::AssignRightsDocumentRequest {
            request_id: ID.to_owned(),
            force: true,
            ..assign(&id, &[&bob, &ann])
        };
        let first = rights().assign_rights_document(request.clone()).await.unwrap().into_inner();
        let again = rights().assign_rights_document(request.clone()).await.unwrap().into_inner();
        assert_eq!(first, again);
        let take =
            pb::UnassignRightsDocumentRequest { request_id: ID.to_owned(), ..unassign(&id, &ann) };
        let gone = rights().unassign_rights_document(take.clone()).await.unwrap().into_inner();
        assert_eq!(gone, rights().unassign_rights_document(take).await.unwrap().into_inner());
        assert_eq!(gone.assignment.unwrap(), first.assignments[1]);
        let again = rights().assign_rights_document(request).await.unwrap().into_inner();
        assert_eq!(again.assignments, first.assignments[..1]);
        let end = pb::DeleteRightsDocumentRequest { request_id: ID.to_owned(), ..delete(&id) };
        let gone = rights().delete_rights_document(end.clone()).await.unwrap().into_inner();
        assert_eq!(gone.rights_document.unwrap().account_permissions, ["READ"]);
        let again = rights().delete_rights_document(end).await.unwrap().into_inner();
        assert_eq!(again.rights_document.unwrap(), of(&id));
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn a_rehearsal_says_what_would_be() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let rights = || acme.service.rights(&acme.boss);
        let dry = pb::CreateRightsDocumentRequest {
            validate_only: true,
            ..create(document("D", &["read"]))
        };
        let reply = rights().create_rights_document(dry).await.unwrap().into_inner();
        let shown = reply.rights_document.unwrap();
        assert!(reply.preview.is_some() && reply.consistency_token.is_empty());
        assert!(shown.rights_doc_id.is_empty() && shown.etag.is_empty());
        assert!(shown.create_time.is_none() && shown.update_time.is_none());
        assert_eq!(shown.account_permissions, ["READ"]);
        assert!(acme.owns(&acme.boss).await.is_empty());
        let id = acme.made(document("D", &["READ"])).await;
        let name = pb::RightsDocument { rights_doc_name: Some("N".to_owned()), ..of(&id) };
        let dry = pb::UpdateRightsDocumentRequest { validate_only: true, ..update(name, &[]) };
        let reply = rights().update_rights_document(dry).await.unwrap().into_inner();
        assert_eq!(reply.rights_document.unwrap().rights_doc_name(), "N");
        assert_eq!(acme.read(&acme.boss, &id).await.unwrap().rights_doc_name(), "D");
        // A document that is had by somebody who is not seen: its owner is told that much.
        let child = acme.below(&acme.manager, "child", &[]).await;
        let far = acme.below(&acme.boss, "far", &[]).await;
        let own = acme.write(&acme.manager, document("Own", &[])).await.unwrap().rights_doc_id;
        let rehearse = async || {
            let dry = pb::DeleteRightsDocumentRequest { validate_only: true, ..delete(&own) };
            let reply = acme.service.rights(&acme.manager).delete_rights_document(dry).await;
            reply.unwrap().into_inner().preview.unwrap().others_affected
        };
        acme.give(&acme.boss, &own, &[&child]).await.unwrap();
        assert!(!rehearse().await);
        acme.give(&acme.boss, &own, &[&far]).await.unwrap();
        assert!(rehearse().await);
        assert_eq!(acme.has(&far).await, [own]);
    }
}
