//! `CreateRightsDocument`.

use prost::Message as _;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::raw::call;
use crate::support::{engines, refused};

/// R30.
#[tokio::test]
async fn who_holds_a_right_writes_it_down() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let clerk = acme.below(&acme.boss, "clerk", &["MANAGE_RIGHTS"]).await;
        let own = acme.made(document("Read", &["READ"])).await;
        acme.give(&acme.boss, &own, &[&clerk]).await.unwrap();
        let wanted = pb::RightsDocument {
            cascade: Some(false),
            is_master: Some(false),
            ..document("Reporting audit access", &["READ"])
        };
        let reply =
            acme.service.rights(&clerk).create_rights_document(create(wanted.clone())).await;
        let reply = reply.unwrap().into_inner();
        let made = reply.rights_document.unwrap();
        assert!(!reply.consistency_token.is_empty() && reply.preview.is_none());
        assert!(made.rights_doc_id.starts_with("doc_") && !made.etag.is_empty());
        assert!(made.create_time.is_some() && made.create_time == made.update_time);
        assert_eq!((&made.owner_id, &made.account_id), (&clerk.user_id, &acme.account));
        assert!(made.role_code.is_empty() && !made.is_system_role);
        let said = pb::RightsDocument {
            rights_doc_name: made.rights_doc_name.clone(),
            cascade: made.cascade,
            is_master: made.is_master,
            account_permissions: made.account_permissions.clone(),
            product_permissions: made.product_permissions.clone(),
            resource_permissions: made.resource_permissions.clone(),
            ..Default::default()
        };
        assert_eq!(said, wanted);
        assert_eq!(acme.read(&clerk, &made.rights_doc_id).await.unwrap(), made);
        assert_eq!(acme.owns(&clerk).await, std::slice::from_ref(&made.rights_doc_id));
        // Being written, it gives nobody anything.
        assert!(acme.assignees(&clerk, &made.rights_doc_id).await.unwrap().is_empty());
        let more = acme.write(&clerk, document("More", &["READ", "UPDATE"])).await;
        let status = refused(more, Code::PermissionDenied, "ESCALATION");
        assert!(status.message().contains(".update"), "{}", status.message());
        acme.service.verify(&acme.account).await;
    }
}

/// R31: the message has no such fields; what is sent in their place is not kept, and no mask names them.
#[tokio::test]
async fn a_document_has_no_description_and_no_active() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let mut inner = document("D", &["READ"]).encode_to_vec();
        // Fields that are not declared: 100 as a text, 101 as a number.
        inner.extend([0xa2, 0x06, 3, b'a', b'b', b'c', 0xa8, 0x06, 1]);
        let mut message = vec![0x12, u8::try_from(inner.len()).unwrap()];
        message.extend(inner);
        let path = "/chancery.v1.RightsDocumentService/CreateRightsDocument";
        let by = acme.service.by(&acme.boss.token);
        let answer = call(by, path, message).await.unwrap();
        let made = pb::CreateRightsDocumentResponse::decode(answer).unwrap();
        let id = made.rights_document.unwrap().rights_doc_id;
        for field in ["description", "active"] {
            let status = acme.change(&acme.boss, of(&id), &[field]).await;
            let status = refused(status, Code::InvalidArgument, "FIELD_READ_ONLY");
            assert!(status.message().contains("account_permissions"), "{}", status.message());
        }
    }
}

/// R32.
#[expect(clippy::too_many_lines, reason = "a table of what is wrong")]
#[tokio::test]
async fn what_no_catalogue_declares_for_documents_is_refused_with_what_is() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let products =
            |list| pb::RightsDocument { product_permissions: list, ..document("D", &[]) };
        let resources =
            |list| pb::RightsDocument { resource_permissions: list, ..document("D", &[]) };
        for (wrong, reason, field, hint) in [
            (document("D", &["EXECUTE"]), "UNKNOWN_PERMISSION", "account_permissions[0]", ""),
            // Not what roles alone give.
            (
                document("D", &["READ", "ASSUME"]),
                "UNKNOWN_PERMISSION",
                "account_permissions[1]",
                "",
            ),
            (
                products(vec![product("ACDC", &["READ"], false)]),
                "UNKNOWN_PRODUCT",
                "product_permissions[0].product",
                "ACD",
            ),
            (
                products(vec![product("ACD", &["READ"], false), product("ACD", &["RUN"], true)]),
                "UNKNOWN_PERMISSION",
                "product_permissions[1].permissions[0]",
                "REPORT",
            ),
            (
                resources(vec![resource("GATE_GROUPS", "5", &["READ"], false)]),
                "UNKNOWN_RESOURCE_TYPE",
                "resource_permissions[0].resource_type",
                "GATE_GROUP",
            ),
            // Nor a type that no document reaches.
            (
                resources(vec![resource("USER", "5", &["READ"], false)]),
                "UNKNOWN_RESOURCE_TYPE",
                "resource_permissions[0].resource_type",
                "",
            ),
            (
                resources(vec![resource("GATE_GROUP", "5", &["LISTEN"], false)]),
                "UNKNOWN_PERMISSION",
                "resource_permissions[0].permissions[0]",
                "DELETE",
            ),
            (
                resources(vec![resource("GATE_GROUP", "-", &["READ"], false)]),
                "INVALID_FIELD",
                "resource_permissions[0].resource_id",
                "",
            ),
        ] {
            let status = acme.write(&acme.boss, wrong.clone()).await;
            let status = refused(status, Code::InvalidArgument, reason);
            let details = status.get_error_details();
            let named = &details.bad_request().unwrap().field_violations[0].field;
            assert_eq!(*named, format!("rights_document.{field}"));
            assert!(status.message().contains(hint), "{}", status.message());
            let id = acme.made(document("E", &[])).await;
            let change = pb::RightsDocument { rights_doc_id: id, ..wrong };
            let lists = ["account_permissions", "product_permissions", "resource_permissions"];
            let status = acme.change(&acme.boss, change, &lists).await;
            refused(status, Code::InvalidArgument, reason);
        }
    }
}

/// R33: what is no message where a message stands.
#[tokio::test]
async fn entries_are_messages_and_not_texts() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        // `product_permissions: ["ACD"]`.
        let inner = [0x12, 1, b'D', 0x42, 3, b'A', b'C', b'D'];
        let mut message = vec![0x12, 8];
        message.extend(inner);
        let path = "/chancery.v1.RightsDocumentService/CreateRightsDocument";
        let by = acme.service.by(&acme.boss.token);
        let status = call(by, path, message).await;
        refused(status, Code::InvalidArgument, "INVALID_FIELD");
    }
}

/// R35.
#[tokio::test]
async fn who_manages_users_alone_has_no_business_with_documents() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let clerk = acme.below(&acme.boss, "clerk", &["MANAGE_USERS"]).await;
        let child = acme.below(&clerk, "child", &[]).await;
        let write = acme.write(&clerk, document("D", &[])).await;
        refused(write, Code::PermissionDenied, "ACCESS_DENIED");
        let id = acme.made(document("Read", &[])).await;
        acme.give(&acme.boss, &id, &[&clerk]).await.unwrap();
        let give = acme.give(&clerk, &id, &[&child]).await;
        refused(give, Code::PermissionDenied, "ACCESS_DENIED");
        let for_child = pb::CreateRightsDocumentRequest {
            user_id: child.user_id.clone(),
            ..create(document("D", &[]))
        };
        let write = acme.service.rights(&clerk).create_rights_document(for_child).await;
        refused(write, Code::PermissionDenied, "ACCESS_DENIED");
    }
}

#[tokio::test]
async fn names_are_taken_in_any_case_and_answered_in_upper_case() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let wanted = pb::RightsDocument {
            product_permissions: vec![product("acd", &["Read", "read"], true)],
            resource_permissions: vec![resource("gate_Group", "aBc", &["report"], false)],
            ..document("D", &["rEAD", "READ", "update"])
        };
        let made = acme.write(&acme.boss, wanted).await.unwrap();
        assert_eq!(made.account_permissions, ["READ", "UPDATE"]);
        assert_eq!(made.product_permissions, [product("ACD", &["READ"], true)]);
        // Ids are taken byte for byte.
        let group = resource("GATE_GROUP", "aBc", &["REPORT"], false);
        assert_eq!(made.resource_permissions, [group]);
    }
}

#[tokio::test]
async fn an_owner_is_seen_and_its_account_is_the_documents_or_above_it() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let (service, root) = (&acme.service, &acme.service.root);
        let below = service.account(&acme.account, "Below").await;
        let other = service.tenant("Other").await;
        let stranger = service.person(&other, "stranger", &[]).await;
        let lower = service.person(&below, "lower", &[]).await;
        let hidden = acme.below(&acme.boss, "hidden", &[]).await;
        let write = async |by: &Person, owner: &str, account: &str| {
            let document =
                pb::RightsDocument { account_id: account.to_owned(), ..document("D", &[]) };
            let request =
                pb::CreateRightsDocumentRequest { user_id: owner.to_owned(), ..create(document) };
            let reply = service.rights(by).create_rights_document(request).await?;
            Ok::<_, Status>(reply.into_inner().rights_document.unwrap())
        };
        for owner in [&nobody(), &stranger.user_id] {
            let status = write(&acme.boss, owner, "").await;
            refused(status, Code::NotFound, "USER_NOT_FOUND");
        }
        let status = write(&acme.manager, &hidden.user_id, "").await;
        refused(status, Code::NotFound, "USER_NOT_FOUND");
        let absent = "acc_01h455vb4pex5vsknk084sn02q";
        for (by, account) in [(&acme.boss, absent), (&acme.boss, &other), (&acme.manager, &below)] {
            let status = write(by, "", account).await;
            refused(status, Code::NotFound, "ACCOUNT_NOT_FOUND");
        }
        let made = write(&acme.boss, "", &below).await.unwrap();
        assert_eq!((&made.owner_id, &made.account_id), (&acme.boss.user_id, &below));
        let made = write(&acme.boss, &lower.user_id, "").await.unwrap();
        assert_eq!((&made.owner_id, &made.account_id), (&lower.user_id, &below));
        let status = write(&acme.boss, &lower.user_id, &acme.account).await;
        refused(status, Code::InvalidArgument, "INVALID_FIELD");
        let customer = acme.customer().await;
        let status = write(root, &customer, "").await;
        refused(status, Code::InvalidArgument, "WRONG_USER_KIND");
        // An account that an entry names is seen too, and the document's own.
        for (id, code, reason) in [
            (absent, Code::NotFound, "ACCOUNT_NOT_FOUND"),
            (other.as_str(), Code::NotFound, "ACCOUNT_NOT_FOUND"),
            (below.as_str(), Code::InvalidArgument, "INVALID_FIELD"),
            ("5", Code::InvalidArgument, "INVALID_FIELD"),
        ] {
            let entry = resource("ACCOUNT", id, &["READ"], false);
            let wrong =
                pb::RightsDocument { resource_permissions: vec![entry], ..document("D", &[]) };
            refused(acme.write(&acme.boss, wrong.clone()).await, code, reason);
            let id = acme.made(document("E", &[])).await;
            let change = pb::RightsDocument { rights_doc_id: id, ..wrong };
            let status = acme.change(&acme.boss, change, &["resource_permissions"]).await;
            refused(status, code, reason);
        }
        acme.close(&below).await;
        let status = write(root, &acme.boss.user_id, &below).await;
        refused(status, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn a_name_is_required_and_what_is_the_services_to_say_is_not_heard() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let unnamed = pb::RightsDocument { rights_doc_name: None, ..document("D", &[]) };
        let status = acme.write(&acme.boss, unnamed).await;
        refused(status, Code::InvalidArgument, "INVALID_FIELD");
        let claimed = pb::RightsDocument {
            rights_doc_id: nothing(),
            owner_id: acme.manager.user_id.clone(),
            role_code: "MINE".to_owned(),
            is_system_role: true,
            ..document("D", &[])
        };
        let made = acme.write(&acme.boss, claimed).await.unwrap();
        assert_ne!(made.rights_doc_id, nothing());
        assert_eq!(made.owner_id, acme.boss.user_id);
        assert!(made.role_code.is_empty() && !made.is_system_role);
    }
}
