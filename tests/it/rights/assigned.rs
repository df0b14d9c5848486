//! `AssignRightsDocument` and `UnassignRightsDocument`.

use tonic::Code;

use super::*;
use crate::support::{engines, refused};

/// R36, R37.
#[tokio::test]
async fn a_document_goes_to_all_who_are_named_and_to_each_once() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let (ann, bob) =
            (acme.below(&acme.boss, "ann", &[]).await, acme.below(&acme.boss, "bob", &[]).await);
        let id = acme.made(document("D", &["READ"])).await;
        let request = pb::AssignRightsDocumentRequest { force: true, ..assign(&id, &[&bob, &ann]) };
        let reply = acme.service.rights(&acme.boss).assign_rights_document(request).await;
        let reply = reply.unwrap().into_inner();
        assert!(!reply.consistency_token.is_empty() && reply.preview.is_none());
        let made = reply.assignments;
        assert_eq!(
            made.iter().map(|one| &one.user_id).collect::<Vec<_>>(),
            [&bob.user_id, &ann.user_id]
        );
        for one in &made {
            assert_eq!((&one.rights_doc_id, &one.created_by), (&id, &acme.boss.user_id));
            assert!(one.create_time.is_some());
        }
        let mut both = vec![ann.user_id.clone(), bob.user_id.clone()];
        both.sort_unstable();
        assert_eq!(acme.assignees(&acme.boss, &id).await.unwrap(), both);
        for who in [&ann, &bob] {
            assert_eq!(acme.has(who).await, std::slice::from_ref(&id));
            assert!(acme.may(who, "account.read", "").await);
        }
        // All or nothing: Carl gets it not, since Ann has it.
        let carl = acme.below(&acme.boss, "carl", &[]).await;
        let again = acme.give(&acme.boss, &id, &[&carl, &ann]).await;
        let status = refused(again, Code::AlreadyExists, "ALREADY_ASSIGNED");
        assert!(status.message().contains(&ann.user_id), "{}", status.message());
        assert!(!status.message().contains(&carl.user_id), "{}", status.message());
        assert!(acme.has(&carl).await.is_empty());
        acme.service.verify(&acme.account).await;
    }
}

/// R38.
#[tokio::test]
async fn what_is_not_there_is_not_assigned() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let ann = acme.below(&acme.boss, "ann", &[]).await;
        let gone = acme.below(&acme.boss, "gone", &[]).await;
        let id = acme.made(document("D", &[])).await;
        let nobody = Person { user_id: nobody(), ..ann.clone() };
        let request = pb::DeleteUserRequest { user_id: gone.user_id.clone(), ..Default::default() };
        acme.service.users(&acme.boss).delete_user(request).await.unwrap();
        for (id, to, reason) in [
            (&nothing(), &ann, "RIGHTS_DOCUMENT_NOT_FOUND"),
            (&id, &nobody, "USER_NOT_FOUND"),
            (&id, &gone, "USER_NOT_FOUND"),
        ] {
            refused(acme.give(&acme.boss, id, &[to]).await, Code::NotFound, reason);
            refused(acme.take(&acme.boss, id, to).await, Code::NotFound, reason);
        }
        // Of two users one is not there: neither gets it.
        let status = acme.give(&acme.boss, &id, &[&ann, &nobody]).await;
        refused(status, Code::NotFound, "USER_NOT_FOUND");
        assert!(acme.has(&ann).await.is_empty());
        let read = acme.read(&acme.boss, &nothing()).await;
        refused(read, Code::NotFound, "RIGHTS_DOCUMENT_NOT_FOUND");
    }
}

/// R39, R40.
#[tokio::test]
async fn documents_are_given_and_taken_one_by_one() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let ann = acme.below(&acme.boss, "ann", &[]).await;
        let one = acme.made(document("D1", &["READ"])).await;
        let two = acme.made(document("D2", &["REPORT"])).await;
        for id in [&one, &two] {
            acme.give(&acme.boss, id, &[&ann]).await.unwrap();
        }
        assert_eq!(acme.has(&ann).await, [one.clone(), two.clone()]);
        let gone = acme.take(&acme.boss, &one, &ann).await.unwrap();
        assert_eq!(
            (&gone.rights_doc_id, &gone.user_id, &gone.created_by),
            (&one, &ann.user_id, &acme.boss.user_id)
        );
        assert_eq!(acme.has(&ann).await, std::slice::from_ref(&two));
        assert!(acme.assignees(&acme.boss, &one).await.unwrap().is_empty());
        assert!(!acme.may(&ann, "account.read", "").await);
        assert!(acme.may(&ann, "account.report", "").await);
        let again = acme.take(&acme.boss, &one, &ann).await;
        refused(again, Code::NotFound, "ASSIGNMENT_NOT_FOUND");
        // And it can be given again.
        acme.give(&acme.boss, &one, &[&ann]).await.unwrap();
        assert!(acme.may(&ann, "account.read", "").await);
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn a_document_goes_to_users_of_its_account_and_above() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let below = acme.service.account(&acme.account, "Below").await;
        let lower = acme.service.person(&below, "lower", &[]).await;
        let ann = acme.below(&acme.boss, "ann", &[]).await;
        let here = acme.made(document("Here", &["READ"])).await;
        let status = acme.give(&acme.boss, &here, &[&ann, &lower]).await;
        let status = refused(status, Code::InvalidArgument, "INVALID_FIELD");
        assert!(status.message().contains("user_ids[1]"), "{}", status.message());
        let there = pb::RightsDocument { account_id: below.clone(), ..document("D", &["READ"]) };
        let there = acme.made(there).await;
        acme.give(&acme.boss, &there, &[&ann, &lower]).await.unwrap();
        for who in [&ann, &lower] {
            assert!(acme.may_in(&below, who, "account.read", "").await);
        }
        assert!(!acme.may(&ann, "account.read", "").await);
        let customer = Person { user_id: acme.customer().await, ..ann.clone() };
        let status = acme.give(&acme.service.root, &here, &[&ann, &customer]).await;
        let status = refused(status, Code::InvalidArgument, "WRONG_USER_KIND");
        assert!(status.message().contains("user_ids[1]"), "{}", status.message());
        // One user twice is a form that is none.
        let status = acme.give(&acme.boss, &here, &[&ann, &ann]).await;
        refused(status, Code::InvalidArgument, "INVALID_FIELD");
        acme.close(&below).await;
        let status = acme.take(&acme.service.root, &there, &lower).await;
        refused(status, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        let more = pb::RightsDocument { account_id: acme.account.clone(), ..document("M", &[]) };
        let more = acme.made(pb::RightsDocument { is_master: Some(true), ..more }).await;
        let status = acme.give(&acme.service.root, &more, &[&lower]).await;
        refused(status, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn nobody_assigns_to_himself_nor_takes_from_himself() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        for who in [&acme.boss, &acme.manager] {
            let id = acme.write(who, document("D", &[])).await.unwrap().rights_doc_id;
            let status = acme.give(who, &id, &[who]).await;
            refused(status, Code::PermissionDenied, "ACCESS_DENIED");
        }
        let id = acme.made(document("D", &[])).await;
        acme.give(&acme.service.root, &id, &[&acme.boss]).await.unwrap();
        let status = acme.take(&acme.boss, &id, &acme.boss).await;
        refused(status, Code::PermissionDenied, "ACCESS_DENIED");
    }
}

#[tokio::test]
async fn a_credential_made_by_somebody_else_stops_an_assignment_until_it_is_forced() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        // The root made everybody's token; the boss did not.
        let ann = acme.below(&acme.boss, "ann", &[]).await;
        let child = acme.below(&ann, "child", &[]).await;
        let id = acme.made(document("D", &["READ"])).await;
        let rights = || acme.service.rights(&acme.boss);
        let plain = assign(&id, &[&ann]);
        let status = rights().assign_rights_document(plain.clone()).await;
        let status = refused(status, Code::FailedPrecondition, "CREDENTIALS_BY_OTHERS");
        assert!(status.message().contains(&ann.token_id), "{}", status.message());
        assert!(!status.message().contains(&child.token_id), "{}", status.message());
        let dry = pb::AssignRightsDocumentRequest { validate_only: true, ..plain.clone() };
        let shown = rights().assign_rights_document(dry).await.unwrap().into_inner();
        let warnings = shown.preview.unwrap().warnings;
        assert_eq!(warnings[0].reason, "CREDENTIALS_BY_OTHERS");
        assert_eq!(warnings[0].entity_ids, std::slice::from_ref(&ann.token_id));
        assert!(shown.assignments[0].create_time.is_none());
        assert!(acme.has(&ann).await.is_empty());
        // Who made it himself may.
        acme.service.rights(&acme.service.root).assign_rights_document(plain).await.unwrap();

        // What cascades comes to those below, whose tokens count too.
        let wide = pb::RightsDocument { cascade: Some(true), ..document("Wide", &["REPORT"]) };
        let wide = acme.made(wide).await;
        let status = rights().assign_rights_document(assign(&wide, &[&ann])).await;
        let status = refused(status, Code::FailedPrecondition, "CREDENTIALS_BY_OTHERS");
        assert!(status.message().contains(&child.token_id), "{}", status.message());

        // To widen a document that somebody has is to give it anew.
        let change =
            pb::RightsDocument { account_permissions: texts(&["READ", "UPDATE"]), ..of(&id) };
        let change = update(change, &["account_permissions"]);
        let status = rights().update_rights_document(change.clone()).await;
        refused(status, Code::FailedPrecondition, "CREDENTIALS_BY_OTHERS");
        let forced = pb::UpdateRightsDocumentRequest { force: true, ..change };
        rights().update_rights_document(forced).await.unwrap();
        // To narrow it is not, nor to rename it.
        let less = pb::RightsDocument { account_permissions: texts(&["READ"]), ..of(&id) };
        rights().update_rights_document(update(less, &["account_permissions"])).await.unwrap();
        let name = pb::RightsDocument { rights_doc_name: Some("E".to_owned()), ..of(&id) };
        rights().update_rights_document(update(name, &["rights_doc_name"])).await.unwrap();
        acme.service.verify(&acme.account).await;
    }
}

/// The user stands in the path of what is asked: who may assign on it need not see it besides.
#[tokio::test]
async fn who_may_assign_to_those_below_needs_no_other_right_on_them() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let keeper = acme.below(&acme.boss, "keeper", &["MANAGE_RIGHTS"]).await;
        let below = acme.below(&keeper, "below", &[]).await;
        let beside = acme.below(&acme.boss, "beside", &[]).await;
        let id = acme.write(&keeper, document("D", &[])).await.unwrap().rights_doc_id;
        acme.give(&keeper, &id, &[&below]).await.unwrap();
        assert_eq!(acme.has(&below).await, std::slice::from_ref(&id));
        acme.take(&keeper, &id, &below).await.unwrap();
        for to in [&[&beside][..], &[&below, &beside]] {
            let refusal = acme.give(&keeper, &id, to).await;
            refused(refusal, Code::NotFound, "USER_NOT_FOUND");
        }
        assert!(acme.has(&below).await.is_empty());
        acme.service.verify(&acme.account).await;
    }
}
