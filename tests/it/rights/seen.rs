//! Who knows of which documents (`model.md` §10).

use tonic::Code;

use super::*;
use crate::support::{engines, refused};

/// Asserts what each method says of a document to one who may do nothing with it.
async fn each_says(acme: &Acme, by: &Person, id: &str, to: &Person, code: Code, reason: &str) {
    let name = pb::RightsDocument { rights_doc_name: Some("N".to_owned()), ..of(id) };
    for refusal in [
        acme.read(by, id).await.map(drop),
        acme.change(by, name, &[]).await.map(drop),
        acme.delete(by, id).await.map(drop),
        acme.assignees(by, id).await.map(drop),
        acme.give(by, id, &[to]).await.map(drop),
    ] {
        refused(refusal, code, reason);
    }
}

#[tokio::test]
async fn what_is_not_seen_is_not_there() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let (one, two) = (
            acme.below(&acme.boss, "one", &["MANAGE_RIGHTS", "MANAGE_USERS"]).await,
            acme.below(&acme.boss, "two", &["MANAGE_RIGHTS", "MANAGE_USERS"]).await,
        );
        let child = acme.below(&one, "child", &[]).await;
        let unseen = (Code::NotFound, "RIGHTS_DOCUMENT_NOT_FOUND");
        let theirs = acme.write(&two, document("Theirs", &[])).await.unwrap().rights_doc_id;
        let above = acme.made(document("Above", &[])).await;
        let other = acme.service.tenant("Other").await;
        let stranger = acme.service.person(&other, "stranger", &["SUPER_USER"]).await;
        let foreign = acme.write(&stranger, document("F", &[])).await.unwrap().rights_doc_id;
        for id in [&theirs, &above, &foreign, &nothing()] {
            each_says(&acme, &one, id, &child, unseen.0, unseen.1).await;
            refused(acme.take(&one, id, &child).await, unseen.0, unseen.1);
        }
        each_says(&acme, &acme.boss, &foreign, &child, unseen.0, unseen.1).await;
        // Whoever has a user whom he does not see: neither.
        let status = acme.take(&one, &theirs, &two).await;
        refused(status, unseen.0, unseen.1);
        // Siblings count with ACCESS_SIBLINGS, and so does what they own.
        let role = pb::AddUserRoleRequest {
            user_id: one.user_id.clone(),
            role_type: "ACCESS_SIBLINGS".to_owned(),
            force: true,
            ..Default::default()
        };
        acme.service.roles(&acme.boss).add_user_role(role).await.unwrap();
        acme.read(&one, &theirs).await.unwrap();
        acme.give(&one, &theirs, &[&child, &two]).await.unwrap();
        let name = pb::RightsDocument { rights_doc_name: Some("N".to_owned()), ..of(&theirs) };
        acme.change(&one, name, &[]).await.unwrap();
        acme.delete(&one, &theirs).await.unwrap();
        acme.service.verify(&acme.account).await;
    }
}

/// Who sees a thing does not for that see who made it or owns it.
#[tokio::test]
async fn who_made_or_owns_a_thing_is_named_to_those_alone_who_see_them() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let child = acme.below(&acme.manager, "child", &["USER"]).await;
        let id = acme.made(document("D", &["READ"])).await;
        acme.give(&acme.boss, &id, &[&child]).await.unwrap();
        assert_eq!(acme.read(&acme.boss, &id).await.unwrap().owner_id, acme.boss.user_id);
        let list = pb::ListAssignedRightsDocumentsRequest {
            user_id: child.user_id.clone(),
            ..Default::default()
        };
        let list = acme.service.rights(&acme.manager).list_assigned_rights_documents(list).await;
        assert_eq!(list.unwrap().into_inner().rights_documents[0].owner_id, "");

        // The child's role and token were made by the platform's administrator.
        let root = acme.service.root.clone();
        for (by, maker) in [(&root, root.user_id.as_str()), (&child, "")] {
            let user_id = child.user_id.clone();
            let roles = pb::ListUserRolesRequest { user_id, ..Default::default() };
            let roles = acme.service.roles(by).list_user_roles(roles).await;
            if let Ok(roles) = roles {
                assert_eq!(roles.into_inner().role_grants[0].created_by, maker);
            }
            let user_id = child.user_id.clone();
            let tokens = pb::ListApiTokensRequest { user_id, ..Default::default() };
            let tokens = acme.service.tokens(by).list_api_tokens(tokens).await.unwrap();
            assert_eq!(tokens.into_inner().api_tokens[0].created_by, maker);
        }
        acme.service.stop().await;
    }
}

/// The paths of the source system carry the owner beside the document.
#[tokio::test]
async fn a_document_is_found_under_its_owner_and_under_nobody_else() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let id = acme.made(document("D", &["READ"])).await;
        let unseen = (Code::NotFound, "RIGHTS_DOCUMENT_NOT_FOUND");
        let rights = || acme.service.rights(&acme.boss);
        let (boss, manager) = (acme.boss.user_id.clone(), acme.manager.user_id.clone());
        for (owner, found) in [(&manager, false), (&nobody(), false), (&boss, true)] {
            let expected_owner_id = owner.clone();
            let get = pb::GetRightsDocumentRequest { rights_doc_id: id.clone(), expected_owner_id };
            let name = pb::RightsDocument { rights_doc_name: Some("N".to_owned()), ..of(&id) };
            let change = pb::UpdateRightsDocumentRequest {
                expected_owner_id: owner.clone(),
                ..update(name, &[])
            };
            let delete =
                pb::DeleteRightsDocumentRequest { expected_owner_id: owner.clone(), ..delete(&id) };
            for told in [
                rights().get_rights_document(get).await.map(drop),
                rights().update_rights_document(change).await.map(drop),
                rights().delete_rights_document(delete).await.map(drop),
            ] {
                if found {
                    told.unwrap();
                } else {
                    refused(told, unseen.0, unseen.1);
                }
            }
        }
        acme.service.verify(&acme.account).await;
        acme.service.stop().await;
    }
}

#[tokio::test]
async fn what_somebody_below_has_is_seen_and_no_more() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let child = acme.below(&acme.manager, "child", &[]).await;
        let second = acme.below(&acme.manager, "second", &[]).await;
        let far = acme.below(&acme.boss, "far", &[]).await;
        let id = acme.made(document("D", &[])).await;
        acme.give(&acme.boss, &id, &[&child, &far]).await.unwrap();
        each_says(&acme, &acme.manager, &id, &second, Code::PermissionDenied, "ACCESS_DENIED")
            .await;
        // A user whom he does not see has it, or has it not: it is all the same.
        for who in [&far, &Person { user_id: nobody(), ..far.clone() }] {
            let status = acme.take(&acme.manager, &id, who).await;
            refused(status, Code::NotFound, "USER_NOT_FOUND");
            let status = acme.give(&acme.manager, &id, &[who]).await;
            refused(status, Code::NotFound, "USER_NOT_FOUND");
        }
        // He lists it where it is assigned, and takes it away.
        let list = pb::ListAssignedRightsDocumentsRequest {
            user_id: child.user_id.clone(),
            ..Default::default()
        };
        let list = acme.service.rights(&acme.manager).list_assigned_rights_documents(list).await;
        assert_eq!(list.unwrap().into_inner().rights_documents[0].rights_doc_id, id);
        let gone = acme.take(&acme.manager, &id, &child).await.unwrap();
        assert_eq!(gone.created_by, "", "the boss is not seen from below");
        let status = acme.take(&acme.manager, &id, &child).await;
        refused(status, Code::NotFound, "RIGHTS_DOCUMENT_NOT_FOUND");
        // One who has it may assign it to those whom he manages, and sees of its holders those alone.
        acme.give(&acme.boss, &id, &[&acme.manager]).await.unwrap();
        acme.give(&acme.manager, &id, &[&child]).await.unwrap();
        let own = acme.write(&acme.manager, document("Own", &[])).await.unwrap().rights_doc_id;
        acme.give(&acme.boss, &own, &[&child, &far]).await.unwrap();
        assert_eq!(
            acme.assignees(&acme.manager, &own).await.unwrap(),
            std::slice::from_ref(&child.user_id)
        );
        acme.service.verify(&acme.account).await;
    }
}
