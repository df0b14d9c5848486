//! Master documents: they hold in every account of the tree, and only who may do everything there writes them.

use tonic::Code;

use super::*;
use crate::support::{engines, refused};

fn master(name: &str, actions: &[&str]) -> pb::RightsDocument {
    pb::RightsDocument { is_master: Some(true), ..document(name, actions) }
}

#[tokio::test]
async fn a_master_document_holds_in_the_whole_tree_and_in_no_other() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let below = acme.service.account(&acme.account, "Below").await;
        let lowest = acme.service.account(&below, "Lowest").await;
        let other = acme.service.tenant("Other").await;
        let lower = acme.service.person(&below, "lower", &[]).await;
        let ann = acme.below(&acme.boss, "ann", &[]).await;
        let id = acme.made(master("M", &["READ"])).await;
        acme.give(&acme.boss, &id, &[&ann, &lower]).await.unwrap();
        for who in [&ann, &lower] {
            for account in [&acme.account, &below, &lowest] {
                assert!(acme.may_in(account, who, "account.read", "").await);
                assert!(acme.may_in(account, who, "gate_group.read", "gate_group/5").await);
            }
            for account in [&other, &acme.service.root.account_id] {
                assert!(!acme.may_in(account, who, "account.read", "").await);
            }
            assert!(acme.has(who).await.is_empty());
            assert_eq!(acme.has_masters(who).await, std::slice::from_ref(&id));
            let sums = acme.aggregated(&acme.boss, who).await.unwrap();
            assert_eq!(sums.len(), 1);
            assert_eq!(sums[0].account_id, acme.account);
        }
        // One entry of it may speak of any account of the tree.
        let entry = resource("ACCOUNT", &lowest, &["UPDATE"], false);
        let one = pb::RightsDocument { resource_permissions: vec![entry], ..master("One", &[]) };
        let one = acme.made(one).await;
        acme.give(&acme.boss, &one, &[&ann]).await.unwrap();
        assert!(acme.may_in(&lowest, &ann, "account.update", "").await);
        assert!(!acme.may_in(&below, &ann, "account.update", "").await);
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn only_who_may_write_them_in_the_whole_tree_has_to_do_with_master_documents() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let below = acme.service.account(&acme.account, "Below").await;
        let sub = acme.service.person(&below, "sub", &["SUPER_USER"]).await;
        let clerk = acme.service.person_under(&below, Some(&sub), "clerk", &[]).await;
        let child = acme.below(&acme.manager, "child", &[]).await;
        // He holds what it would give, and may not write it; neither may who reaches a part of the tree.
        let denied = (Code::PermissionDenied, "ACCESS_DENIED");
        for by in [&acme.manager, &sub] {
            let status = acme.write(by, master("M", &[])).await;
            refused(status, denied.0, denied.1);
            let own = acme.write(by, document("Own", &[])).await.unwrap().rights_doc_id;
            let change = pb::RightsDocument { is_master: Some(true), ..of(&own) };
            refused(acme.change(by, change, &[]).await, denied.0, denied.1);
        }
        let id = acme.made(master("M", &[])).await;
        acme.give(&acme.boss, &id, &[&acme.manager, &sub]).await.unwrap();
        for (by, to) in [(&acme.manager, &child), (&sub, &clerk)] {
            refused(acme.give(by, &id, &[to]).await, denied.0, denied.1);
            acme.give(&acme.boss, &id, &[to]).await.unwrap();
            refused(acme.take(by, &id, to).await, denied.0, denied.1);
            let name = pb::RightsDocument { rights_doc_name: Some("N".to_owned()), ..of(&id) };
            refused(acme.change(by, name, &[]).await, denied.0, denied.1);
            refused(acme.delete(by, &id).await, denied.0, denied.1);
        }
        // Its owner may not either, where he may not write them.
        let owned = pb::CreateRightsDocumentRequest {
            user_id: acme.manager.user_id.clone(),
            ..create(master("Owned", &[]))
        };
        let owned = acme.service.rights(&acme.boss).create_rights_document(owned).await.unwrap();
        let owned = owned.into_inner().rights_document.unwrap().rights_doc_id;
        acme.read(&acme.manager, &owned).await.unwrap();
        refused(acme.delete(&acme.manager, &owned).await, denied.0, denied.1);
        let less = pb::RightsDocument { is_master: Some(false), ..of(&owned) };
        refused(acme.change(&acme.manager, less, &[]).await, denied.0, denied.1);
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn a_master_document_lives_in_the_main_account() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let below = acme.service.account(&acme.account, "Below").await;
        let lower = acme.service.person(&below, "lower", &[]).await;
        let there = pb::RightsDocument { account_id: below.clone(), ..document("D", &["READ"]) };
        let wide = pb::RightsDocument { is_master: Some(true), ..there.clone() };
        let status = acme.write(&acme.boss, wide).await;
        refused(status, Code::InvalidArgument, "INVALID_FIELD");
        let id = acme.made(there).await;
        let wide = pb::RightsDocument { is_master: Some(true), ..of(&id) };
        let status = acme.change(&acme.boss, wide, &[]).await;
        refused(status, Code::InvalidArgument, "INVALID_FIELD");

        // One of the main account becomes a master document and back, unless somebody far away has it.
        let id = acme.made(document("D", &["READ"])).await;
        let is_master = |is: bool| pb::RightsDocument { is_master: Some(is), ..of(&id) };
        assert!(acme.change(&acme.boss, is_master(true), &[]).await.unwrap().is_master());
        acme.give(&acme.boss, &id, &[&lower]).await.unwrap();
        let status = acme.change(&acme.boss, is_master(false), &[]).await;
        refused(status, Code::FailedPrecondition, "ASSIGNED_ELSEWHERE");
        acme.take(&acme.boss, &id, &lower).await.unwrap();
        assert!(!acme.change(&acme.boss, is_master(false), &[]).await.unwrap().is_master());
        // Nor while it speaks of another account.
        let entry = resource("ACCOUNT", &below, &["READ"], false);
        let far = pb::RightsDocument {
            is_master: Some(true),
            resource_permissions: vec![entry],
            ..of(&id)
        };
        acme.change(&acme.boss, far, &[]).await.unwrap();
        let status = acme.change(&acme.boss, is_master(false), &[]).await;
        refused(status, Code::InvalidArgument, "INVALID_FIELD");
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn the_platforms_own_master_documents_hold_in_the_root_account_alone() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let root = acme.service.root.clone();
        let helper = acme.service.person(&root.account_id, "helper", &[]).await;
        let id = acme.write(&root, master("M", &["READ"])).await.unwrap().rights_doc_id;
        acme.give(&root, &id, &[&helper]).await.unwrap();
        assert!(acme.may_in(&root.account_id, &helper, "gate_group.read", "gate_group/5").await);
        assert!(!acme.may(&helper, "gate_group.read", "gate_group/5").await);
        assert!(!acme.may(&helper, "account.read", "").await);
        // An operator writes and assigns those of a tenant.
        let ann = acme.below(&acme.boss, "ann", &[]).await;
        let request = pb::CreateRightsDocumentRequest {
            user_id: acme.boss.user_id.clone(),
            ..create(master("Theirs", &["READ"]))
        };
        let made = acme.service.rights(&root).create_rights_document(request).await.unwrap();
        let made = made.into_inner().rights_document.unwrap();
        assert_eq!((&made.account_id, &made.owner_id), (&acme.account, &acme.boss.user_id));
        acme.give(&root, &made.rights_doc_id, &[&ann]).await.unwrap();
        assert!(acme.may(&ann, "account.read", "").await);
        acme.service.verify(&acme.account).await;
        acme.service.verify(&root.account_id).await;
    }
}
