//! What the ledger says of documents, and that the rows say the same.

use chancery::model::ChangeKind;

use super::*;
use crate::meddle::Meddler;
use crate::support::engines;

#[tokio::test]
async fn each_change_is_an_entry_and_a_row_that_says_else_is_found() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let who = acme.below(&acme.manager, "who", &[]).await;
        let store = &acme.service.store;
        let tenant = acme.account.parse().unwrap();
        let begin = store.world(tenant).await.unwrap().revision;
        let id = acme.write(&acme.manager, document("D", &[])).await.unwrap().rights_doc_id;
        acme.give(&acme.boss, &id, &[&who]).await.unwrap();
        let name = pb::RightsDocument { rights_doc_name: Some("N".to_owned()), ..of(&id) };
        acme.change(&acme.boss, name, &[]).await.unwrap();
        let go =
            pb::OffboardUserRequest { user_id: acme.manager.user_id.clone(), ..Default::default() };
        acme.service.users(&acme.boss).offboard_user(go).await.unwrap();
        acme.delete(&acme.boss, &id).await.unwrap();
        let entries = store.entries(tenant, begin, 100).await.unwrap();
        let of_documents = [
            ChangeKind::DocumentCreate,
            ChangeKind::DocumentAssign,
            ChangeKind::DocumentUpdate,
            ChangeKind::DocumentHandOn,
            ChangeKind::DocumentUnassign,
            ChangeKind::DocumentDelete,
        ];
        let kinds: Vec<ChangeKind> = entries.iter().map(|entry| entry.change.kind).collect();
        let kinds: Vec<ChangeKind> =
            kinds.into_iter().filter(|kind| of_documents.contains(kind)).collect();
        assert_eq!(kinds, of_documents);
        acme.service.verify(&acme.account).await;

        let id = acme.made(document("D", &["READ"])).await;
        acme.give(&acme.boss, &id, &[&who]).await.unwrap();
        let meddler = Meddler::new(&acme.service.url).await;
        for (sql, fault) in [
            ("update rights_documents set is_master = not is_master", "rights_document/"),
            ("delete from assignments", "user/"),
        ] {
            meddler.run(sql).await;
            let faults = store.verify(tenant).await.unwrap().faults;
            assert!(format!("{faults:?}").contains(fault), "{sql}: {faults:?}");
        }
    }
}
