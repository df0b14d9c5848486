//! Roles that accounts make: what they can be.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{create, delete, held, made, role, texts, update};
use crate::support::{Service, engines, refused};

#[tokio::test]
async fn a_custom_role_is_usable_where_it_belongs_and_below() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let request = create("", role("night_shift", &["recording.*", "*.list"]));
        let answer = service.roles(&boss).create_role(request).await.unwrap().into_inner();
        assert!(!answer.consistency_token.is_empty() && answer.preview.is_none());
        let made = answer.role.unwrap();
        assert_eq!((made.account_id.as_str(), made.name()), (acme.as_str(), "night_shift"));
        assert_eq!(made.permits, ["recording.*", "*.list"]);
        assert_eq!((made.reach(), made.on, made.active()), (pb::Reach::Account, None, true));
        assert_eq!(made.assignable_to, [pb::Holder::Admin as i32, pb::Holder::Service as i32]);
        assert!(made.expanded.contains(&"recording.delete".to_owned()));

        let there = service.person(&below, "there", &["night_shift"]).await;
        assert_eq!(held(&service, &there.user_id).await, ["night_shift"]);
        let path = format!("account/{below}/recording/7");
        assert!(service.decides(&there.user_id, "delete", "recording", &path).await.decision);
        // Its reach is the holder's own account.
        let path = format!("account/{acme}/recording/7");
        assert!(!service.decides(&there.user_id, "delete", "recording", &path).await.decision);
        service.verify(&acme).await;
        service.stop().await;
    }
}

/// Roles that cannot be, each with the reason and the field that is named.
fn impossible() -> Vec<(pb::Role, &'static str, &'static str)> {
    let fine = || role("fine", &["recording.*"]);
    let except = |pattern: &str| pb::Role { except: texts(&[pattern]), ..fine() };
    let includes = |names: &[&str]| pb::Role { includes: texts(names), ..fine() };
    let typo = role("fine", &["recording.read", "recording.raed"]);
    let account = pb::Role { assignable_to: vec![pb::Holder::Account.into()], ..fine() };
    vec![
        (pb::Role { name: None, ..fine() }, "INVALID_FIELD", "role.name"),
        (role("Not_Lower", &[]), "INVALID_FIELD", "role.name"),
        (typo, "UNKNOWN_PERMISSION", "role.permits[1]"),
        (role("fine", &["*"]), "INVALID_FIELD", "role.permits[0]"),
        (except("*"), "INVALID_FIELD", "role.except[0]"),
        (except("gate.read"), "INVALID_FIELD", "role.except[0]"),
        (except("nothing.at_all"), "UNKNOWN_PERMISSION", "role.except[0]"),
        (includes(&["USER", "NO_SUCH"]), "UNKNOWN_ROLE", "role.includes[1]"),
        (includes(&["Developer"]), "UNKNOWN_ROLE", "role.includes[0]"),
        (includes(&["NO_ACCESS"]), "INVALID_FIELD", "role.includes[0]"),
        (includes(&["core/(none)"]), "INVALID_FIELD", "role.includes[0]"),
        (
            pb::Role { when: Some("hour < 20".to_owned()), ..fine() },
            "INVALID_CONDITION",
            "role.when",
        ),
        (account, "INVALID_FIELD", "role.assignable_to[0]"),
    ]
}

#[tokio::test]
async fn what_a_custom_role_cannot_be_is_refused_with_the_field() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        for (bad, reason, field) in impossible() {
            let result = service.roles(&boss).create_role(create("", bad)).await;
            let status = refused(result, Code::InvalidArgument, reason);
            assert!(status.message().starts_with(field), "{}", status.message());
        }
        let near = role("fine", &["recording.raed"]);
        let error = service.roles(&boss).create_role(create("", near)).await.unwrap_err();
        assert!(error.message().contains("recording.read"), "{}", error.message());
        service.stop().await;
    }
}

#[tokio::test]
async fn a_name_is_one_role_s_from_the_account_up_and_down() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, other) = (service.tenant("Acme").await, service.tenant("Other").await);
        let (left, right) =
            (service.account(&acme, "Left").await, service.account(&acme, "Right").await);
        let root = service.root.clone();
        let taken = async |account: &str, name: &str| {
            let request = create(account, role(name, &["recording.read"]));
            let result = service.roles(&root).create_role(request).await;
            refused(result, Code::AlreadyExists, "ROLE_NAME_TAKEN");
        };
        made(&service, &left, role("clerk", &["recording.read"])).await;
        taken(&left, "clerk").await;
        taken(&acme, "clerk").await;
        // Neither of these two accounts uses the other's.
        made(&service, &right, role("clerk", &["recording.read"])).await;
        made(&service, &other, role("clerk", &["recording.read"])).await;
        let main = made(&service, &acme, role("main_clerk", &["recording.read"])).await;
        taken(&right, "main_clerk").await;
        // Names of catalogues, however written there.
        for name in ["manage_users", "administrator", "user"] {
            taken(&acme, name).await;
        }
        let rename = |name: &str| {
            update(
                pb::Role {
                    name: Some(name.to_owned()),
                    role: main.role.clone(),
                    ..Default::default()
                },
                &["name"],
            )
        };
        let result = service.roles(&root).update_role(rename("clerk")).await;
        refused(result, Code::AlreadyExists, "ROLE_NAME_TAKEN");
        service.roles(&root).update_role(rename("main_clerk")).await.unwrap();
        service.stop().await;
    }
}

fn copy(from: &str, role: pb::Role) -> pb::CreateRoleRequest {
    pb::CreateRoleRequest { copy_from: from.to_owned(), ..create("", role) }
}

#[tokio::test]
async fn a_copy_gives_what_the_original_gives() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let get = async |role: &str| {
            let get = pb::GetRoleRequest { role: role.to_owned() };
            service.roles(&boss).get_role(get).await.unwrap().into_inner().role.unwrap()
        };
        let made = async |request: pb::CreateRoleRequest| {
            service.roles(&boss).create_role(request).await.unwrap().into_inner().role.unwrap()
        };
        let originals = ["MANAGE_RIGHTS", "restcomm/Developer", "voximplant/Owner", "copy_0"];
        for (place, from) in originals.iter().enumerate() {
            let name = Some(format!("copy_{place}"));
            let copied = made(copy(from, pb::Role { name, ..Default::default() })).await;
            let original = get(from).await;
            assert_eq!(copied.expanded, original.expanded, "{from}");
            assert_eq!((copied.reach, copied.on), (original.reach, original.on));
            assert_eq!(copied.description, original.description);
            assert_eq!(get(&copied.role).await, copied);
        }
        // What is set is not copied.
        let narrower = role("narrower", &["rights_document.read", "rights_document.write_master"]);
        let narrower = made(copy("MANAGE_RIGHTS", narrower)).await;
        assert_eq!(narrower.expanded, ["rights_document.read"]);
        service.stop().await;
    }
}

#[tokio::test]
async fn what_only_a_catalogue_s_role_can_be_is_not_copied() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        for (from, reason) in [
            ("NO_SUCH", "UNKNOWN_ROLE"),
            ("Developer", "UNKNOWN_ROLE"),
            ("SUPER_USER", "INVALID_FIELD"),
            ("NO_ACCESS", "INVALID_FIELD"),
            ("ACCESS_SIBLINGS", "INVALID_FIELD"),
            ("core/(none)", "INVALID_FIELD"),
        ] {
            let result = service.roles(&boss).create_role(copy(from, role("copied", &[]))).await;
            let status = refused(result, Code::InvalidArgument, reason);
            assert!(status.message().starts_with("copy_from"), "{}", status.message());
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn creating_needs_the_right_to_on_an_account_that_is_seen_and_not_closed() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, other) = (service.tenant("Acme").await, service.tenant("Other").await);
        let below = service.account(&acme, "Below").await;
        let user = service.person(&acme, "user", &["MANAGE_USERS"]).await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let fine = || role("fine", &["recording.read"]);
        refused(
            service.roles(&user).create_role(create("", fine())).await,
            Code::PermissionDenied,
            "ACCESS_DENIED",
        );
        refused(
            service.roles(&boss).create_role(create(&other, fine())).await,
            Code::NotFound,
            "ACCOUNT_NOT_FOUND",
        );
        let kept = made(&service, &below, fine()).await;
        let close = pb::CloseAccountRequest { account_id: below.clone(), ..Default::default() };
        service.accounts(&boss).close_account(close).await.unwrap();
        let late = create(&below, role("late", &["recording.read"]));
        refused(
            service.roles(&boss).create_role(late).await,
            Code::FailedPrecondition,
            "ACCOUNT_CLOSED",
        );
        refused(
            service.roles(&boss).delete_role(delete(&kept.role)).await,
            Code::FailedPrecondition,
            "ACCOUNT_CLOSED",
        );
        let change = update(
            pb::Role {
                role: kept.role.clone(),
                description: Some("x".to_owned()),
                ..Default::default()
            },
            &[],
        );
        refused(
            service.roles(&boss).update_role(change).await,
            Code::FailedPrecondition,
            "ACCOUNT_CLOSED",
        );
        service.stop().await;
    }
}

#[tokio::test]
async fn a_dry_run_shows_the_role_and_a_repeat_makes_no_second() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let dry = pb::CreateRoleRequest {
            validate_only: true,
            ..create("", role("fine", &["recording.*"]))
        };
        let answer = service.roles(&boss).create_role(dry).await.unwrap().into_inner();
        let shown = answer.role.unwrap();
        assert!(answer.preview.is_some() && answer.consistency_token.is_empty());
        assert!(shown.role.is_empty() && shown.etag.is_empty() && shown.create_time.is_none());
        assert!(shown.expanded.contains(&"recording.delete".to_owned()));

        let request_id = "4b6c4b1e-6f0c-4f9a-9a1d-0a4f4f3d2c11".to_owned();
        let request =
            pb::CreateRoleRequest { request_id, ..create("", role("fine", &["recording.*"])) };
        let first = service.roles(&boss).create_role(request.clone()).await.unwrap().into_inner();
        let again = service.roles(&boss).create_role(request.clone()).await.unwrap().into_inner();
        assert_eq!(
            (&first.role, &first.consistency_token),
            (&again.role, &again.consistency_token)
        );
        let other = pb::CreateRoleRequest { role: Some(role("other", &[])), ..request };
        refused(
            service.roles(&boss).create_role(other).await,
            Code::AlreadyExists,
            "REQUEST_ID_REUSED",
        );
        service.stop().await;
    }
}
