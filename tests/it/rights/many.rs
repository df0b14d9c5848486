//! Documents that concern more users than a tenant's turn is kept for.

use tonic::Code;

use super::*;
use crate::support::{engines, refused};

#[tokio::test]
async fn a_document_of_too_many_users_is_given_changed_and_deleted_in_parts() {
    for engine in engines() {
        let acme = crate::user::Acme::start(&engine).await;
        let rights = || acme.service.rights(&acme.service.root);
        let boss = &acme.boss;
        let crowd = acme.crowd(&boss.user_id, 10_001).await;
        let write = |document| pb::CreateRightsDocumentRequest {
            user_id: boss.user_id.clone(),
            ..create(document)
        };
        let made = async |document| {
            let made = rights().create_rights_document(write(document)).await.unwrap();
            made.into_inner().rights_document.unwrap().rights_doc_id
        };
        let wide = pb::RightsDocument { cascade: Some(true), ..document("Wide", &["READ"]) };
        let wide = made(wide).await;
        let status = rights().assign_rights_document(assign(&wide, &[boss])).await;
        refused(status, Code::FailedPrecondition, "TOO_LARGE");
        let id = made(document("D", &["READ"])).await;
        for users in crowd.chunks(1_000) {
            let request = pb::AssignRightsDocumentRequest {
                user_ids: users.iter().map(ToString::to_string).collect(),
                ..assign(&id, &[])
            };
            rights().assign_rights_document(request).await.unwrap();
        }
        let change = pb::RightsDocument { account_permissions: texts(&["UPDATE"]), ..of(&id) };
        let status = rights().update_rights_document(update(change, &[])).await;
        refused(status, Code::FailedPrecondition, "TOO_LARGE");
        let status = rights().delete_rights_document(delete(&id)).await;
        refused(status, Code::FailedPrecondition, "TOO_LARGE");
        let last = Person { user_id: crowd[0].to_string(), ..boss.clone() };
        rights().unassign_rights_document(unassign(&id, &last)).await.unwrap();
        rights().delete_rights_document(delete(&id)).await.unwrap();
        acme.service.verify(&acme.account).await;
    }
}
