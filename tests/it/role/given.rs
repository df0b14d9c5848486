//! Giving roles to users.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{SEED, at, force, give, grants, held, made, role};
use crate::support::{Service, engines, refused};

/// R21, R22, R23.
#[tokio::test]
async fn a_role_is_given_once_and_only_if_there_is_one() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let user = service.person(&acme, "user", &["USER"]).await;
        let answer = service
            .roles(&boss)
            .add_user_role(force(&user.user_id, "MANAGE_RIGHTS"))
            .await
            .unwrap()
            .into_inner();
        let grant = answer.role_grant.unwrap();
        assert!(!answer.consistency_token.is_empty());
        assert_eq!(
            (grant.role_type.as_str(), &grant.user_id, &grant.created_by),
            ("MANAGE_RIGHTS", &user.user_id, &boss.user_id)
        );
        assert!(
            grant.known
                && grant.scope.is_empty()
                && grant.expire_time.is_none()
                && grant.created_on.is_some()
        );
        let mut held = held(&service, &user.user_id).await;
        held.sort_unstable();
        assert_eq!(held, ["MANAGE_RIGHTS", "USER"]);

        for again in ["MANAGE_RIGHTS", "ringcx/MANAGE_RIGHTS"] {
            let result = service.roles(&boss).add_user_role(force(&user.user_id, again)).await;
            refused(result, Code::AlreadyExists, "ROLE_ALREADY_HELD");
        }
        let unknown = service.roles(&boss).add_user_role(give(&user.user_id, "ADMIN_OF_ALL")).await;
        refused(unknown, Code::InvalidArgument, "UNKNOWN_ROLE");
        let near = service
            .roles(&boss)
            .add_user_role(give(&user.user_id, "MANAGE_USER"))
            .await
            .unwrap_err();
        assert!(near.message().contains("MANAGE_USERS"), "{}", near.message());
        let none = service.roles(&boss).add_user_role(give(&user.user_id, "core/(none)")).await;
        refused(none, Code::InvalidArgument, "UNKNOWN_ROLE");
        let client =
            service.roles(&boss).add_user_role(give(&user.user_id, "DECISION_CLIENT")).await;
        refused(client, Code::InvalidArgument, "ROLE_NOT_ASSIGNABLE");
        service.verify(&acme).await;
        service.stop().await;
    }
}

/// R26.
#[tokio::test]
async fn each_of_the_thirteen_names_is_taken() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let user = service.person(&acme, "user", &[]).await;
        for name in SEED {
            let given = service.roles(&service.root).add_user_role(give(&user.user_id, name)).await;
            assert_eq!(given.unwrap().into_inner().role_grant.unwrap().role_type, name);
        }
        let listed = grants(&service, &user.user_id).await;
        assert_eq!(listed.len(), 13);
        let mut paged = Vec::new();
        let mut request = pb::ListUserRolesRequest {
            user_id: user.user_id.clone(),
            page_size: 5,
            ..Default::default()
        };
        loop {
            let page = service
                .roles(&service.root)
                .list_user_roles(request.clone())
                .await
                .unwrap()
                .into_inner();
            paged.extend(page.role_grants);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(paged, listed);
        service.stop().await;
    }
}

#[tokio::test]
async fn who_may_not_and_who_is_not_seen() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, other) = (service.tenant("Acme").await, service.tenant("Other").await);
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let manager = service.person(&acme, "manager", &["MANAGE_USERS"]).await;
        let child = service.person_under(&acme, Some(&manager), "child", &[]).await;
        let sibling = service.person(&acme, "sibling", &[]).await;
        let stranger = service.person(&other, "stranger", &[]).await;
        let plain = service.person(&acme, "plain", &["USER"]).await;
        for (by, to, code, reason) in [
            // Nobody gives a role to himself, whatever he holds.
            (&boss, &boss, Code::PermissionDenied, "ACCESS_DENIED"),
            (&manager, &manager, Code::PermissionDenied, "ACCESS_DENIED"),
            (&manager, &sibling, Code::NotFound, "USER_NOT_FOUND"),
            (&boss, &stranger, Code::NotFound, "USER_NOT_FOUND"),
            (&plain, &plain, Code::PermissionDenied, "ACCESS_DENIED"),
        ] {
            refused(service.roles(by).add_user_role(give(&to.user_id, "USER")).await, code, reason);
            refused(
                service.roles(by).remove_user_role(super::take(&to.user_id, "USER")).await,
                code,
                reason,
            );
        }
        let list = |user: &str| pb::ListUserRolesRequest {
            user_id: user.to_owned(),
            ..Default::default()
        };
        refused(
            service.roles(&manager).list_user_roles(list(&sibling.user_id)).await,
            Code::NotFound,
            "USER_NOT_FOUND",
        );
        refused(
            service.roles(&plain).list_user_roles(list(&plain.user_id)).await,
            Code::PermissionDenied,
            "ACCESS_DENIED",
        );
        assert!(
            service
                .roles(&manager)
                .list_user_roles(list(&child.user_id))
                .await
                .unwrap()
                .into_inner()
                .role_grants
                .is_empty()
        );
        service.stop().await;
    }
}

#[tokio::test]
async fn nobody_gives_what_he_does_not_hold() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let manager = service.person(&acme, "manager", &["MANAGE_USERS"]).await;
        let child = service.person_under(&acme, Some(&manager), "child", &[]).await;
        service.roles(&manager).add_user_role(force(&child.user_id, "MANAGE_USERS")).await.unwrap();
        let more = service.roles(&manager).add_user_role(give(&child.user_id, "WFO_ACCESS")).await;
        let status = refused(more, Code::PermissionDenied, "ESCALATION");
        assert!(status.message().contains("integration."), "{}", status.message());
        let all = service.roles(&manager).add_user_role(give(&child.user_id, "SUPER_USER")).await;
        refused(all, Code::PermissionDenied, "ESCALATION");
        // Nor for longer than he has it himself.
        let clerk = service.person(&acme, "clerk", &[]).await;
        let granter = role("granter", &["role.assign", "user.read"]);
        made(&service, &acme, pb::Role { on: Some(pb::Relation::Account.into()), ..granter }).await;
        let until = |to: &str, role: &str, seconds| pb::AddUserRoleRequest {
            expire_time: Some(at(seconds)),
            ..force(to, role)
        };
        let short = service.person(&acme, "short", &["granter"]).await;
        service
            .roles(&service.root)
            .add_user_role(until(&short.user_id, "WFO_ACCESS", 100))
            .await
            .unwrap();
        for (seconds, fine) in [(101, false), (100, true)] {
            let given = service
                .roles(&short)
                .add_user_role(until(&clerk.user_id, "WFO_ACCESS", seconds))
                .await;
            assert_eq!(given.is_ok(), fine, "{seconds}");
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn a_grant_ends_at_the_instant_it_says_and_can_then_be_given_again() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let root = service.root.clone();
        let user = service.person(&acme, "user", &[]).await;
        let until = |seconds| pb::AddUserRoleRequest {
            expire_time: Some(at(seconds)),
            ..give(&user.user_id, "WFO_ACCESS")
        };
        refused(
            service.roles(&root).add_user_role(until(0)).await,
            Code::InvalidArgument,
            "INVALID_FIELD",
        );
        service.roles(&root).add_user_role(until(60)).await.unwrap();
        let asks = async || {
            let path = format!("account/{acme}");
            service.decides(&user.user_id, "integration.list_users", "account", &path).await
        };
        assert!(asks().await.decision);
        service.advance(59);
        assert!(asks().await.decision);
        refused(
            service.roles(&root).add_user_role(give(&user.user_id, "WFO_ACCESS")).await,
            Code::AlreadyExists,
            "ROLE_ALREADY_HELD",
        );
        service.advance(1);
        assert_eq!(asks().await.missing(), pb::Missing::GrantExpired);
        assert_eq!(held(&service, &user.user_id).await, ["WFO_ACCESS"]);
        service.roles(&root).add_user_role(give(&user.user_id, "WFO_ACCESS")).await.unwrap();
        assert!(asks().await.decision);
        assert_eq!(grants(&service, &user.user_id).await.len(), 1);
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_credential_made_by_somebody_else_stops_a_grant_until_it_is_forced() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        // The root made the token of `user`; the boss did not.
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let user = service.person(&acme, "user", &[]).await;
        let plain = give(&user.user_id, "WFO_ACCESS");
        let status = service.roles(&boss).add_user_role(plain.clone()).await;
        let status = refused(status, Code::FailedPrecondition, "CREDENTIALS_BY_OTHERS");
        assert!(status.message().contains(&user.token_id), "{}", status.message());
        let dry = pb::AddUserRoleRequest { validate_only: true, ..plain.clone() };
        let shown = service.roles(&boss).add_user_role(dry).await.unwrap().into_inner();
        let warnings = shown.preview.unwrap().warnings;
        assert_eq!(warnings[0].reason, "CREDENTIALS_BY_OTHERS");
        assert_eq!(warnings[0].entity_ids, std::slice::from_ref(&user.token_id));
        assert!(shown.role_grant.unwrap().created_on.is_none());
        assert!(held(&service, &user.user_id).await.is_empty());
        // Who made it himself may; and by force whoever may give the role.
        service.roles(&service.root).add_user_role(plain).await.unwrap();
        let forced = pb::AddUserRoleRequest { force: true, ..give(&user.user_id, "USER") };
        service.roles(&boss).add_user_role(forced).await.unwrap();
        // A dead one is nobody's.
        let delete =
            pb::DeleteApiTokenRequest { token_id: user.token_id.clone(), ..Default::default() };
        service.tokens(&service.root).delete_api_token(delete).await.unwrap();
        service.roles(&boss).add_user_role(give(&user.user_id, "MANAGE_RIGHTS")).await.unwrap();
        service.stop().await;
    }
}

#[tokio::test]
async fn a_stale_etag_of_the_user_stops_it_and_a_repeat_gives_nothing_twice() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let root = service.root.clone();
        let user = service.person(&acme, "user", &[]).await;
        let get = pb::GetUserRequest { user_id: user.user_id.clone() };
        let etag =
            service.users(&root).get_user(get).await.unwrap().into_inner().user.unwrap().etag;
        let request = pb::AddUserRoleRequest {
            etag: etag.clone(),
            request_id: "4b6c4b1e-6f0c-4f9a-9a1d-0a4f4f3d2c13".to_owned(),
            ..give(&user.user_id, "USER")
        };
        let first = service.roles(&root).add_user_role(request.clone()).await.unwrap().into_inner();
        let again = service.roles(&root).add_user_role(request).await.unwrap().into_inner();
        assert_eq!(first, again);
        let stale =
            pb::AddUserRoleRequest { etag: etag.clone(), ..give(&user.user_id, "WFO_ACCESS") };
        refused(service.roles(&root).add_user_role(stale).await, Code::Aborted, "ETAG_MISMATCH");
        let stale = pb::RemoveUserRoleRequest { etag, ..super::take(&user.user_id, "USER") };
        refused(service.roles(&root).remove_user_role(stale).await, Code::Aborted, "ETAG_MISMATCH");
        service.stop().await;
    }
}

#[tokio::test]
async fn roles_of_a_closed_account_stay_as_they_are() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let user = service.person(&acme, "user", &["USER"]).await;
        let close = pb::CloseAccountRequest { account_id: acme.clone(), ..Default::default() };
        service.accounts(&service.root).close_account(close).await.unwrap();
        let more =
            service.roles(&service.root).add_user_role(give(&user.user_id, "WFO_ACCESS")).await;
        refused(more, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        let less =
            service.roles(&service.root).remove_user_role(super::take(&user.user_id, "USER")).await;
        refused(less, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        service.stop().await;
    }
}
