//! Nobody gives by a document what he does not hold.

use tonic::Code;

use super::*;
use crate::support::{engines, refused};

#[tokio::test]
async fn to_write_to_widen_and_to_assign_is_to_give() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let clerk = acme.below(&acme.boss, "clerk", &["MANAGE_RIGHTS", "MANAGE_USERS"]).await;
        let child = acme.below(&clerk, "child", &[]).await;
        let group = pb::RightsDocument {
            resource_permissions: vec![resource("GATE_GROUP", "5", &["READ", "UPDATE"], false)],
            ..document("Group 5", &[])
        };
        let held = acme.made(group.clone()).await;
        acme.give(&acme.boss, &held, &[&clerk]).await.unwrap();
        let with =
            |entry| pb::RightsDocument { resource_permissions: vec![entry], ..document("D", &[]) };
        for (wider, fine) in [
            (with(resource("GATE_GROUP", "5", &["READ"], false)), true),
            (with(resource("GATE_GROUP", "5", &["UPDATE", "READ"], false)), true),
            (with(resource("GATE_GROUP", "5", &["DELETE"], false)), false),
            // What lies in it is more than itself.
            (with(resource("GATE_GROUP", "5", &["READ"], true)), false),
            (with(resource("GATE_GROUP", "6", &["READ"], false)), false),
            (document("D", &["UPDATE"]), false),
            (
                pb::RightsDocument {
                    product_permissions: vec![product("ACD", &["READ"], true)],
                    ..document("D", &[])
                },
                false,
            ),
        ] {
            let made = acme.write(&clerk, wider.clone()).await;
            let own = acme.write(&clerk, document("Own", &[])).await.unwrap().rights_doc_id;
            let change = pb::RightsDocument { rights_doc_id: own, ..wider.clone() };
            let changed = acme.change(&clerk, change, &["*"]).await;
            assert_eq!((made.is_ok(), changed.is_ok()), (fine, fine), "{wider:?}");
            if !fine {
                refused(made, Code::PermissionDenied, "ESCALATION");
                refused(changed, Code::PermissionDenied, "ESCALATION");
            }
        }
        // He has it, so he hands it on to whom he manages.
        acme.give(&clerk, &held, &[&child]).await.unwrap();
        assert!(acme.may(&child, "gate_group.read", "gate_group/5").await);
        // Without it, his own document that says the same is good for nothing any more.
        let own = acme.write(&clerk, group).await.unwrap().rights_doc_id;
        acme.take(&acme.boss, &held, &clerk).await.unwrap();
        let status = acme.give(&clerk, &own, &[&child]).await;
        let status = refused(status, Code::PermissionDenied, "ESCALATION");
        assert!(status.message().contains("gate_group."), "{}", status.message());
        // Its name he may still change, and what it gives make less.
        let name = pb::RightsDocument { rights_doc_name: Some("N".to_owned()), ..of(&own) };
        acme.change(&clerk, name, &["rights_doc_name"]).await.unwrap();
        acme.change(&clerk, of(&own), &["resource_permissions"]).await.unwrap();
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn what_a_token_leaves_is_all_that_is_given_with_it() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let ann = acme.below(&acme.boss, "ann", &[]).await;
        let scopes = ["rights_document.*", "user.read", "account.read"];
        let (token_id, token) = acme.service.mint(&acme.boss.user_id, &scopes).await;
        let narrow = Person { token, token_id, ..acme.boss.clone() };
        let status = acme.write(&narrow, document("D", &["READ"])).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        let id = acme.made(document("D", &["READ"])).await;
        let status = acme.give(&narrow, &id, &[&ann]).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        let account = resource("ACCOUNT", &acme.account, &["READ"], false);
        let only = pb::RightsDocument {
            resource_permissions: vec![account],
            ..document("Only the account", &[])
        };
        let only = acme.write(&narrow, only).await.unwrap().rights_doc_id;
        acme.give(&narrow, &only, &[&ann]).await.unwrap();
        assert!(acme.may(&ann, "account.read", "").await);
        assert!(!acme.may(&ann, "gate_group.read", "gate_group/5").await);
    }
}

/// The document stays within its account, so its writer needs no more than he has there.
#[tokio::test]
async fn a_right_in_one_account_is_given_in_no_other() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let below = acme.service.account(&acme.account, "Below").await;
        let clerk = acme.below(&acme.boss, "clerk", &["MANAGE_RIGHTS"]).await;
        let here = acme.made(document("Here", &["READ"])).await;
        acme.give(&acme.boss, &here, &[&clerk]).await.unwrap();
        let there = pb::RightsDocument { account_id: below.clone(), ..document("D", &["READ"]) };
        let status = acme.write(&clerk, there.clone()).await;
        refused(status, Code::NotFound, "ACCOUNT_NOT_FOUND");
        let theirs = acme.made(there.clone()).await;
        acme.give(&acme.boss, &theirs, &[&clerk]).await.unwrap();
        acme.write(&clerk, there).await.unwrap();
        let more = pb::RightsDocument { account_id: below, ..document("D", &["UPDATE"]) };
        let status = acme.write(&clerk, more).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
    }
}

#[tokio::test]
async fn an_entry_on_a_resource_gives_what_can_lie_in_it_and_no_more() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let clerk = acme.below(&acme.boss, "clerk", &["MANAGE_RIGHTS"]).await;
        let held = pb::RightsDocument {
            product_permissions: vec![product("ACD", &["READ"], true)],
            ..document("Gates", &[])
        };
        let held = acme.made(held).await;
        acme.give(&acme.boss, &held, &[&clerk]).await.unwrap();
        let on = |kind: &str| pb::RightsDocument {
            resource_permissions: vec![resource(kind, "5", &["READ"], true)],
            ..document("One", &[])
        };
        acme.write(&clerk, on("GATE_GROUP")).await.unwrap();
        let status = acme.write(&clerk, on("AGENT_GROUP")).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        acme.service.stop().await;
    }
}
