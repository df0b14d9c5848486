//! Roles that accounts make: who has them when they end, and what nobody here can end.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{delete, give, given, grants, held, made, role, texts, update};
use crate::support::{Service, engines, refused};

#[tokio::test]
async fn a_role_in_use_is_deleted_by_force_only_and_leaves_nothing_behind() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let base = made(&service, &acme, role("base", &["recording.*"])).await;
        let user = service.person(&acme, "user", &["base", "USER"]).await;
        let wider = pb::Role { includes: texts(&["base"]), ..role("wider", &["gate.read"]) };
        let wider = made(&service, &acme, wider).await;
        assert_eq!(wider.includes, std::slice::from_ref(&base.role));
        let (only, _) = service.mint(&user.user_id, &["role:base", "recording.read"]).await;
        let (both, both_secret) = service.mint(&user.user_id, &["role:base", "role:USER"]).await;

        let refusal = refused(
            service.roles(&boss).delete_role(delete("base")).await,
            Code::FailedPrecondition,
            "ROLE_IN_USE",
        );
        assert!(refusal.message().contains(&user.user_id), "{}", refusal.message());
        let dry = pb::DeleteRoleRequest { validate_only: true, ..delete("base") };
        let preview =
            service.roles(&boss).delete_role(dry).await.unwrap().into_inner().preview.unwrap();
        let warning = &preview.warnings[0];
        assert_eq!((warning.reason.as_str(), preview.others_affected), ("ROLE_IN_USE", false));
        assert!(
            warning.entity_ids.contains(&user.user_id) && warning.entity_ids.contains(&wider.role)
        );
        assert_eq!(held(&service, &user.user_id).await.len(), 2);

        let request_id = "4b6c4b1e-6f0c-4f9a-9a1d-0a4f4f3d2c12".to_owned();
        let forced = pb::DeleteRoleRequest { force: true, request_id, ..delete("base") };
        let gone = service.roles(&boss).delete_role(forced.clone()).await.unwrap().into_inner();
        assert_eq!(gone.role.as_ref().unwrap().permits, ["recording.*"]);
        let again = service.roles(&boss).delete_role(forced).await.unwrap().into_inner();
        assert_eq!(again.consistency_token, gone.consistency_token);
        assert_eq!(again.role.unwrap().role, base.role);

        assert_eq!(held(&service, &user.user_id).await, ["USER"]);
        let get = |role: &str| pb::GetRoleRequest { role: role.to_owned() };
        refused(service.roles(&boss).get_role(get("base")).await, Code::NotFound, "ROLE_NOT_FOUND");
        let left =
            service.roles(&boss).get_role(get("wider")).await.unwrap().into_inner().role.unwrap();
        assert_eq!((left.includes.len(), left.expanded), (0, texts(&["gate.read"])));
        // A token that named no other role would have no limit by role left: it is gone; the other one is narrower.
        let list = pb::ListApiTokensRequest { user_id: user.user_id.clone(), ..Default::default() };
        let tokens = service
            .tokens(&service.root)
            .list_api_tokens(list)
            .await
            .unwrap()
            .into_inner()
            .api_tokens;
        assert!(tokens.iter().all(|token| token.token_id != only));
        let kept = tokens.iter().find(|token| token.token_id == both).unwrap();
        assert_eq!(kept.scopes, ["role:USER"]);
        let me = crate::support::Person { token: both_secret, ..user.clone() };
        let own = pb::GetUserRequest { user_id: user.user_id.clone() };
        service.users(&me).get_user(own).await.unwrap();
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_role_of_a_catalogue_is_its_catalogue_s_to_change() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, other) = (service.tenant("Acme").await, service.tenant("Other").await);
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let user = service.person(&acme, "user", &["MANAGE_USERS"]).await;
        let own = made(&service, &acme, role("own", &["recording.read"])).await;
        let theirs = made(&service, &other, role("theirs", &["recording.read"])).await;
        let nobody = service.person(&acme, "nobody", &[]).await;
        let change = |role: &str| {
            update(
                pb::Role {
                    role: role.to_owned(),
                    description: Some("x".to_owned()),
                    ..Default::default()
                },
                &[],
            )
        };
        for (by, role, code, reason) in [
            (&boss, "USER", Code::PermissionDenied, "ACCESS_DENIED"),
            (&boss, "ringcx/USER", Code::PermissionDenied, "ACCESS_DENIED"),
            (&boss, "Developer", Code::PermissionDenied, "ACCESS_DENIED"),
            (&boss, "no_such_role", Code::NotFound, "ROLE_NOT_FOUND"),
            (&boss, theirs.role.as_str(), Code::NotFound, "ROLE_NOT_FOUND"),
            (&boss, "theirs", Code::NotFound, "ROLE_NOT_FOUND"),
            (&boss, "rol_01h455vb4pex5vsknk084sn02q", Code::NotFound, "ROLE_NOT_FOUND"),
            (&user, "own", Code::PermissionDenied, "ACCESS_DENIED"),
            (&user, own.role.as_str(), Code::PermissionDenied, "ACCESS_DENIED"),
            (&nobody, "own", Code::NotFound, "ROLE_NOT_FOUND"),
            (&nobody, "USER", Code::NotFound, "ROLE_NOT_FOUND"),
        ] {
            let status = refused(service.roles(by).update_role(change(role)).await, code, reason);
            let deleted = refused(service.roles(by).delete_role(delete(role)).await, code, reason);
            if code == Code::NotFound && !role.starts_with("own") {
                assert!(status.message().contains(role), "{}", status.message());
                assert!(deleted.message().contains(role), "{}", deleted.message());
            }
        }
        service.roles(&boss).delete_role(delete(&own.role)).await.unwrap();
        service.stop().await;
    }
}

#[tokio::test]
async fn an_inactive_role_gives_nothing_and_may_be_taken() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let own = made(&service, &acme, role("own", &["recording.*"])).await;
        let user = service.person(&acme, "user", &[]).await;
        given(&service, &user, "own").await;
        let path = format!("account/{acme}/recording/7");
        assert!(service.decides(&user.user_id, "read", "recording", &path).await.decision);
        let off = update(
            pb::Role { role: own.role.clone(), active: Some(false), ..Default::default() },
            &[],
        );
        let shown =
            service.roles(&service.root).update_role(off).await.unwrap().into_inner().role.unwrap();
        assert_eq!((shown.active(), shown.expanded.len()), (false, 0));
        assert!(!service.decides(&user.user_id, "read", "recording", &path).await.decision);
        assert!(!grants(&service, &user.user_id).await[0].known);
        service
            .roles(&service.root)
            .remove_user_role(super::take(&user.user_id, "own"))
            .await
            .unwrap();
        refused(
            service.roles(&service.root).add_user_role(give(&user.user_id, "nope")).await,
            Code::InvalidArgument,
            "UNKNOWN_ROLE",
        );
        service.stop().await;
    }
}
