//! What becomes of documents, owned and assigned, when users go and come back.

use tonic::Code;

use super::*;
use crate::support::{engines, refused};

/// Writes a document as the boss for an owner, and returns its id.
async fn owned(acme: &Acme, owner: &Person) -> String {
    let request = pb::CreateRightsDocumentRequest {
        user_id: owner.user_id.clone(),
        ..create(document("Owned", &["READ"]))
    };
    let made = acme.service.rights(&acme.boss).create_rights_document(request).await.unwrap();
    made.into_inner().rights_document.unwrap().rights_doc_id
}

fn go(who: &Person) -> pb::DeleteUserRequest {
    pb::DeleteUserRequest { user_id: who.user_id.clone(), ..Default::default() }
}

async fn back(acme: &Acme, by: &Person, who: &Person) -> Result<(), Status> {
    let request = pb::UndeleteUserRequest { user_id: who.user_id.clone(), ..Default::default() };
    acme.service.users(by).undelete_user(request).await.map(drop)
}

#[tokio::test]
async fn documents_of_who_goes_pass_to_the_heir_or_to_whoever_is_left_above_or_to_the_actor() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let (service, root) = (&acme.service, acme.service.root.clone());
        let top = acme.below(&acme.manager, "top", &[]).await;
        let child = acme.below(&top, "child", &[]).await;
        let heir = acme.below(&acme.manager, "heir", &[]).await;
        // With all below: to the nearest who is left.
        let (one, two) = (owned(&acme, &top).await, owned(&acme, &child).await);
        let before = acme.read(&acme.boss, &one).await.unwrap();
        service.advance(60);
        let dry = pb::DeleteUserRequest { validate_only: true, ..go(&top) };
        let told = service.users(&acme.boss).delete_user(dry).await.unwrap().into_inner();
        let warnings = told.preview.unwrap().warnings;
        assert_eq!(warnings[0].reason, "DOCUMENTS_HANDED_ON");
        assert_eq!(warnings[0].entity_ids, [one.clone(), two.clone()]);
        service.users(&acme.boss).delete_user(go(&top)).await.unwrap();
        for id in [&one, &two] {
            let now = acme.read(&acme.boss, id).await.unwrap();
            assert_eq!(now.owner_id, acme.manager.user_id);
            assert_ne!((&now.etag, &now.update_time), (&before.etag, &before.update_time));
            assert_eq!(now.create_time, before.create_time);
        }
        assert_eq!(acme.owns(&acme.manager).await, [one.clone(), two.clone()]);
        // To him who is named, with the children.
        let leaver = acme.below(&acme.manager, "leaver", &[]).await;
        let kept = acme.below(&leaver, "kept", &[]).await;
        let (three, theirs) = (owned(&acme, &leaver).await, owned(&acme, &kept).await);
        let leave = pb::DeleteUserRequest { reassign_user_id: heir.user_id.clone(), ..go(&leaver) };
        service.users(&acme.boss).delete_user(leave).await.unwrap();
        assert_eq!(acme.owns(&heir).await, [three]);
        assert_eq!(acme.owns(&kept).await, [theirs]);
        // Above a root user is nobody: to the actor, be he of another tenant.
        let lone = service.person(&acme.account, "lone", &[]).await;
        let four = owned(&acme, &lone).await;
        acme.give(&acme.boss, &four, &[&kept]).await.unwrap();
        service.users(&root).delete_user(go(&lone)).await.unwrap();
        let now = acme.read(&acme.boss, &four).await.unwrap();
        // Whom the boss does not see is not named to her.
        assert_eq!((now.owner_id.as_str(), &now.account_id), ("", &acme.account));
        assert!(acme.may(&kept, "account.read", "").await);
        // Who may read documents in the account still reads it, and may still delete it.
        assert_eq!(
            acme.assignees(&acme.boss, &four).await.unwrap(),
            std::slice::from_ref(&kept.user_id)
        );
        let owned = pb::RightsDocument { owner_id: root.user_id.clone(), ..now };
        assert_eq!(acme.read(&root, &four).await.unwrap(), owned);
        acme.take(&acme.boss, &four, &kept).await.unwrap();
        acme.delete(&acme.boss, &four).await.unwrap();
        // They do not come back with their owner.
        back(&acme, &acme.boss, &top).await.unwrap();
        assert!(acme.owns(&top).await.is_empty());
        service.verify(&acme.account).await;
        service.verify(&root.account_id).await;
    }
}

/// What an operator owns in other tenants is not touched where he himself goes.
#[tokio::test]
async fn an_operator_hands_on_what_he_owns_at_home() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let (service, root) = (&acme.service, acme.service.root.clone());
        let operator = service.person(&root.account_id, "operator", &["SUPER_USER"]).await;
        let lone = service.person(&acme.account, "lone", &[]).await;
        let theirs = owned(&acme, &lone).await;
        let home = acme.write(&operator, document("Home", &[])).await.unwrap().rights_doc_id;
        service.users(&operator).delete_user(go(&lone)).await.unwrap();
        let offboard =
            pb::OffboardUserRequest { user_id: operator.user_id.clone(), ..Default::default() };
        service.users(&root).offboard_user(offboard).await.unwrap();
        assert_eq!(acme.read(&root, &home).await.unwrap().owner_id, root.user_id);
        assert_eq!(acme.read(&root, &theirs).await.unwrap().owner_id, operator.user_id);
        service.users(&root).delete_user(go(&operator)).await.unwrap();
        let name = pb::RightsDocument { rights_doc_name: Some("N".to_owned()), ..of(&theirs) };
        acme.change(&acme.boss, name, &[]).await.unwrap();
        service.verify(&acme.account).await;
        service.verify(&root.account_id).await;
    }
}

#[tokio::test]
async fn who_comes_back_has_his_documents_again() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let who = acme.below(&acme.manager, "who", &[]).await;
        let kept = acme.made(document("Kept", &["READ"])).await;
        let lost = acme.made(document("Lost", &["UPDATE"])).await;
        for id in [&kept, &lost] {
            acme.give(&acme.boss, id, &[&who]).await.unwrap();
        }
        acme.service.users(&acme.boss).delete_user(go(&who)).await.unwrap();
        assert!(acme.assignees(&acme.boss, &kept).await.unwrap().is_empty());
        let listed = pb::ListAssignedRightsDocumentsRequest {
            user_id: who.user_id.clone(),
            ..Default::default()
        };
        let listed = acme.service.rights(&acme.boss).list_assigned_rights_documents(listed).await;
        refused(listed, Code::NotFound, "USER_NOT_FOUND");
        // A document goes from who is deleted as well.
        acme.delete(&acme.boss, &lost).await.unwrap();
        // To bring him back is to give him all that he has.
        let status = back(&acme, &acme.manager, &who).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        back(&acme, &acme.boss, &who).await.unwrap();
        assert_eq!(acme.has(&who).await, std::slice::from_ref(&kept));
        assert_eq!(
            acme.assignees(&acme.boss, &kept).await.unwrap(),
            std::slice::from_ref(&who.user_id)
        );
        assert!(acme.may(&who, "account.read", "").await);
        assert!(!acme.may(&who, "account.update", "").await);
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn who_is_offboarded_loses_what_he_has_and_hands_on_what_he_owns() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let who = acme.below(&acme.manager, "who", &["USER"]).await;
        let below = acme.below(&who, "below", &[]).await;
        let own = owned(&acme, &who).await;
        acme.give(&acme.boss, &own, &[&below]).await.unwrap();
        let plain = acme.made(document("D", &["READ"])).await;
        let system = chancery::model::DocId::of_system("ringcx", "REPORTS").to_string();
        let wide =
            acme.made(pb::RightsDocument { is_master: Some(true), ..document("M", &["READ"]) });
        let wide = wide.await;
        for id in [&plain, &system, &wide] {
            acme.give(&acme.boss, id, &[&who]).await.unwrap();
        }
        let offboard =
            || pb::OffboardUserRequest { user_id: who.user_id.clone(), ..Default::default() };
        let dry = pb::OffboardUserRequest { validate_only: true, ..offboard() };
        acme.service.users(&acme.boss).offboard_user(dry).await.unwrap();
        assert_eq!(acme.owns(&who).await, std::slice::from_ref(&own));
        acme.service.users(&acme.boss).offboard_user(offboard()).await.unwrap();
        assert!(acme.has(&who).await.is_empty() && acme.has_masters(&who).await.is_empty());
        assert!(acme.aggregated(&acme.boss, &who).await.unwrap().is_empty());
        assert!(acme.owns(&who).await.is_empty());
        assert_eq!(acme.owns(&acme.manager).await, std::slice::from_ref(&own));
        // Those who have what he owned keep it.
        assert!(acme.may(&below, "account.read", "").await);
        // Enabled again, he has nothing.
        let active = pb::SetUserActiveRequest {
            user_id: who.user_id.clone(),
            is_active: true,
            ..Default::default()
        };
        acme.service.users(&acme.boss).set_user_active(active).await.unwrap();
        assert!(!acme.may(&who, "account.read", "").await);
        acme.service.verify(&acme.account).await;
    }
}

fn offboard(who: &Person) -> pb::OffboardUserRequest {
    pb::OffboardUserRequest { user_id: who.user_id.clone(), ..Default::default() }
}

/// Somebody of whom there is something of everything, and what offboarding takes and leaves.
async fn leaver(acme: &Acme) -> (Person, pb::OffboardEffect) {
    let service = &acme.service;
    let who = acme.below(&acme.manager, "who", &["USER"]).await;
    let below = acme.below(&who, "below", &[]).await;
    let own = owned(acme, &who).await;
    let given = acme.made(document("D", &["READ"])).await;
    acme.give(&acme.boss, &given, &[&who]).await.unwrap();
    let scope = format!("account/{}", acme.account);
    let scoped = pb::AddUserRoleRequest {
        user_id: who.user_id.clone(),
        role_type: "MANAGE_USERS".to_owned(),
        scope: scope.clone(),
        force: true,
        ..Default::default()
    };
    service.roles(&service.root).add_user_role(scoped).await.unwrap();
    let (another, _) = service.mint(&who.user_id, &[]).await;
    let mut session_ids =
        vec![service.session(&who).await.session_id, service.session(&who).await.session_id];
    session_ids.sort_unstable();
    let taken = |role: &str, scope: &str| pb::TakenRole {
        role_type: role.to_owned(),
        scope: scope.to_owned(),
    };
    let mut api_token_ids = vec![who.token_id.clone(), another];
    api_token_ids.sort_unstable();
    let owner_id = acme.manager.user_id.clone();
    let effect = pb::OffboardEffect {
        disabled: true,
        role_count: 2,
        roles: vec![taken("MANAGE_USERS", &scope), taken("USER", "")],
        rights_document_count: 1,
        rights_doc_ids: vec![given],
        api_token_count: 2,
        api_token_ids,
        session_count: 2,
        session_ids,
        handed_on_count: 1,
        handed_on: vec![pb::HandedOnDocument { rights_doc_id: own, owner_id }],
        child_count: 1,
        child_user_ids: vec![below.user_id],
        ..Default::default()
    };
    (who, effect)
}

async fn told(acme: &Acme, by: &Person, request: pb::OffboardUserRequest) -> pb::OffboardEffect {
    let reply = acme.service.users(by).offboard_user(request).await.unwrap();
    let mut effect = reply.into_inner().effect.unwrap();
    effect.roles.sort_by(|one, other| one.role_type.cmp(&other.role_type));
    effect.api_token_ids.sort_unstable();
    effect.session_ids.sort_unstable();
    effect
}

#[tokio::test]
async fn what_offboarding_takes_and_leaves_is_told_before_and_after_and_again() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let (who, effect) = leaver(&acme).await;
        let dry = || pb::OffboardUserRequest { validate_only: true, ..offboard(&who) };
        assert_eq!(told(&acme, &acme.boss, dry()).await, effect);
        // Whoever may read the user and nothing of it is told of those who stay, of a document of its own, and that there is more.
        let scopes = ["user.*"];
        let (token_id, token) = acme.service.mint(&acme.boss.user_id, &scopes).await;
        let narrow = Person { token, token_id, ..acme.boss.clone() };
        let less = pb::OffboardEffect {
            disabled: true,
            rights_document_count: 1,
            rights_doc_ids: effect.rights_doc_ids.clone(),
            child_count: 1,
            child_user_ids: effect.child_user_ids.clone(),
            others_affected: true,
            ..Default::default()
        };
        assert_eq!(told(&acme, &narrow, dry()).await, less);
        let request_id = uuid::Uuid::new_v4().to_string();
        let named = || pb::OffboardUserRequest { request_id: request_id.clone(), ..offboard(&who) };
        assert_eq!(told(&acme, &acme.boss, named()).await, effect);
        assert_eq!(told(&acme, &acme.boss, named()).await, effect, "the same request again");
        let nothing = pb::OffboardEffect {
            child_count: 1,
            child_user_ids: effect.child_user_ids.clone(),
            ..Default::default()
        };
        assert_eq!(told(&acme, &acme.boss, offboard(&who)).await, nothing, "nothing is left");
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn a_user_is_offboarded_on_the_command_line() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let (who, effect) = leaver(&acme).await;
        let (service, id) = (&acme.service, who.user_id.as_str());
        let by = async |arguments: &[&str]| {
            let (good, told, said) = crate::cli::asked(service, &acme.boss.token, arguments).await;
            assert!(good, "{said}");
            told
        };
        let dry = by(&["offboard", id, "--dry-run"]).await;
        assert!(
            dry.starts_with(&format!("{id} “who” would be disabled\n├─ 2 roles taken\n")),
            "{dry}"
        );
        let heir = &effect.handed_on[0];
        for line in [
            format!("MANAGE_USERS on account/{}\n", acme.account),
            "├─ 2 API tokens deleted\n".to_owned(),
            "├─ no service key deleted\n".to_owned(),
            "├─ 2 sessions ended\n".to_owned(),
            format!("└─ {} to {}\n", heir.rights_doc_id, heir.owner_id),
            "└─ 1 user left below it\n".to_owned(),
        ] {
            assert!(dry.contains(&line), "{line}: {dry}");
        }
        let json = by(&["offboard", id, "--json"]).await;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["disabled"], &json["enabled"]), (&true.into(), &false.into()));
        assert_eq!(json["handedOn"][0]["ownerId"], heir.owner_id.as_str());
        assert_eq!(json["sessionCount"], 2);
        let again = by(&["offboard", id]).await;
        assert!(
            again.starts_with(&format!("{id} “who” was disabled already\n├─ no role taken\n")),
            "{again}"
        );
        let (good, _, said) = crate::cli::asked(service, &who.token, &["offboard", id]).await;
        assert!(!good && said.contains("Unauthenticated"), "{said}");
    }
}
