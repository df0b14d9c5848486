//! Documents that catalogues declare: in every account, of no owner, read-only and assignable.

use chancery::model::DocId;
use tonic::Code;

use super::*;
use crate::support::{engines, refused};

fn system(code: &str) -> String {
    DocId::of_system("ringcx", code).to_string()
}

#[tokio::test]
async fn a_system_document_is_read_by_all_who_may_and_changed_by_nobody() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let id = system("READ_ONLY");
        for by in [&acme.boss, &acme.manager] {
            let read = acme.read(by, &id).await.unwrap();
            assert!(read.is_system_role && read.owner_id.is_empty() && read.etag.is_empty());
            assert_eq!((read.role_code.as_str(), &read.account_id), ("READ_ONLY", &acme.account));
            assert_eq!(read.account_permissions, ["READ"]);
            let renamed = pb::RightsDocument { rights_doc_name: Some("N".to_owned()), ..of(&id) };
            let status = acme.change(by, renamed, &[]).await;
            refused(status, Code::PermissionDenied, "ACCESS_DENIED");
            let status = acme.delete(by, &id).await;
            refused(status, Code::PermissionDenied, "ACCESS_DENIED");
        }
        // The operator's are the same, and no more his to change.
        let root = &acme.service.root;
        assert_eq!(acme.read(root, &id).await.unwrap().account_id, root.account_id);
        let status = acme.delete(root, &id).await;
        refused(status, Code::PermissionDenied, "ACCESS_DENIED");
        let plain = acme.below(&acme.boss, "plain", &[]).await;
        let status = acme.read(&plain, &id).await;
        refused(status, Code::PermissionDenied, "ACCESS_DENIED");
        let absent = acme.read(&acme.boss, &system("NOTHING")).await;
        refused(absent, Code::NotFound, "RIGHTS_DOCUMENT_NOT_FOUND");
        assert!(acme.owns(&acme.boss).await.is_empty());
    }
}

#[tokio::test]
async fn a_system_document_holds_in_the_account_of_whom_it_is_assigned_to() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let below = acme.service.account(&acme.account, "Below").await;
        let ann = acme.below(&acme.boss, "ann", &[]).await;
        let lower = acme.service.person(&below, "lower", &[]).await;
        let (reads, acd) = (system("READ_ONLY"), system("ACD_MANAGER"));
        acme.give(&acme.boss, &reads, &[&ann, &lower]).await.unwrap();
        acme.give(&acme.service.root, &acd, &[&ann]).await.unwrap();
        for (who, account, elsewhere) in
            [(&ann, &acme.account, &below), (&lower, &below, &acme.account)]
        {
            assert!(acme.may_in(account, who, "account.read", "").await);
            assert!(!acme.may_in(elsewhere, who, "account.read", "").await);
        }
        assert!(acme.may(&ann, "gate.update", "gate_group/5/gate/17").await);
        assert_eq!(acme.has(&lower).await, std::slice::from_ref(&reads));
        let mut both = vec![reads.clone(), acd.clone()];
        both.sort_unstable();
        assert_eq!(acme.has(&ann).await, both);
        let mut users = vec![ann.user_id.clone(), lower.user_id.clone()];
        users.sort_unstable();
        assert_eq!(acme.assignees(&acme.boss, &reads).await.unwrap(), users);
        let sums = acme.aggregated(&acme.boss, &lower).await.unwrap();
        assert_eq!((sums.len(), &sums[0].account_id), (1, &below));
        assert_eq!(sums[0].account_permissions, ["READ"]);

        let status = acme.give(&acme.boss, &reads, &[&ann]).await;
        refused(status, Code::AlreadyExists, "ALREADY_ASSIGNED");
        // The manager does not hold it, and gives nobody what he lacks.
        let child = acme.below(&acme.manager, "child", &[]).await;
        let status = acme.give(&acme.manager, &reads, &[&child]).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        acme.give(&acme.boss, &reads, &[&acme.manager]).await.unwrap();
        acme.give(&acme.manager, &reads, &[&child]).await.unwrap();
        acme.take(&acme.boss, &reads, &lower).await.unwrap();
        assert!(!acme.may_in(&below, &lower, "account.read", "").await);
        let status = acme.take(&acme.boss, &reads, &lower).await;
        refused(status, Code::NotFound, "ASSIGNMENT_NOT_FOUND");
        // Nobody sees who has it elsewhere.
        let other = acme.service.tenant("Other").await;
        let stranger = acme.service.person(&other, "stranger", &["SUPER_USER"]).await;
        assert!(acme.assignees(&stranger, &reads).await.unwrap().is_empty());
        let status = acme.give(&stranger, &reads, &[&child]).await;
        refused(status, Code::NotFound, "USER_NOT_FOUND");
        acme.service.verify(&acme.account).await;
    }
}
