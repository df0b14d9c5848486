//! Documents that concern more users than a tenant's turn is kept for.

use tonic::Code;

use super::*;
use crate::meddle::Meddler;
use crate::support::{engines, refused};

/// Assigns the document called `Flat` to everybody of its tenant, behind the service's back.
const ALL: &str = "insert into assignments (user_id, document_id, account_id, tenant_id, create_time) \
    select u.id, d.id, u.account_id, u.tenant_id, u.create_time \
    from users u join rights_documents d on d.tenant_id = u.tenant_id and d.name = 'Flat'";

#[tokio::test]
async fn what_concerns_too_many_users_is_not_done_at_once() {
    for engine in engines() {
        let acme = crate::user::Acme::start(&engine).await;
        let (root, boss) = (acme.service.root.clone(), &acme.boss);
        let rights = || acme.service.rights(&root);
        acme.crowd(&boss.user_id, 10_000).await;
        let write = async |document| {
            let request = pb::CreateRightsDocumentRequest {
                user_id: boss.user_id.clone(),
                ..create(document)
            };
            let made = rights().create_rights_document(request).await.unwrap();
            made.into_inner().rights_document.unwrap().rights_doc_id
        };
        let large = (Code::FailedPrecondition, "TOO_LARGE");
        let wide = pb::RightsDocument { cascade: Some(true), ..document("Wide", &["READ"]) };
        let id = write(wide).await;
        let status = rights().assign_rights_document(assign(&id, &[boss])).await;
        refused(status, large.0, large.1);
        let narrow = pb::RightsDocument { cascade: Some(false), ..of(&id) };
        rights().update_rights_document(update(narrow, &[])).await.unwrap();
        rights().assign_rights_document(assign(&id, &[boss])).await.unwrap();
        let wide = pb::RightsDocument { cascade: Some(true), ..of(&id) };
        let status = rights().update_rights_document(update(wide, &[])).await;
        refused(status, large.0, large.1);
        let flat = write(document("Flat", &["READ"])).await;
        Meddler::new(&acme.service.url).await.run(ALL).await;
        let replica = acme.service.replica().await;
        let status = replica.rights(&root).delete_rights_document(delete(&flat)).await;
        refused(status, large.0, large.1);
        replica.stop().await;
    }
}

#[tokio::test]
async fn a_user_has_so_many_documents_and_no_more() {
    for engine in engines() {
        let settings = [("limits.changes_per_minute", "0"), ("limits.documents_per_user", "2")];
        let acme = super::Acme::of(Service::start_with(&engine, &settings).await).await;
        let (one, two) =
            (acme.below(&acme.boss, "one", &[]).await, acme.below(&acme.boss, "two", &[]).await);
        let mut ids = Vec::new();
        for name in ["A", "B", "C"] {
            ids.push(acme.made(document(name, &["READ"])).await);
        }
        for id in ids.iter().take(2) {
            acme.give(&acme.boss, id, &[&one]).await.unwrap();
        }
        let more = acme.give(&acme.boss, &ids[2], &[&two, &one]).await;
        refused(more, Code::FailedPrecondition, "TOO_LARGE");
        let again = acme.give(&acme.boss, &ids[1], &[&one]).await;
        refused(again, Code::AlreadyExists, "ALREADY_ASSIGNED");
        acme.give(&acme.boss, &ids[2], &[&two]).await.unwrap();
        acme.take(&acme.boss, &ids[0], &one).await.unwrap();
        acme.give(&acme.boss, &ids[2], &[&one]).await.unwrap();
        acme.service.verify(&acme.account).await;
    }
}
