//! Giving and lifting what takes everything away.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{at, give, made, role};
use crate::support::{Service, engines, refused};

#[tokio::test]
async fn a_suppressing_role_takes_the_right_to_stop_the_user_and_no_scope() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let granter = pb::Role {
            on: Some(pb::Relation::Account.into()),
            ..role("granter", &["role.assign", "role.revoke", "user.read"])
        };
        made(&service, &acme, granter).await;
        let granter = service.person(&acme, "granter", &["granter"]).await;
        let manager = service.person(&acme, "manager", &["MANAGE_USERS"]).await;
        let user = service.person_under(&acme, Some(&manager), "user", &["WFO_ACCESS"]).await;
        let stop = give(&user.user_id, "NO_ACCESS");
        refused(
            service.roles(&granter).add_user_role(stop.clone()).await,
            Code::PermissionDenied,
            "ACCESS_DENIED",
        );
        let scoped = pb::AddUserRoleRequest { scope: format!("account/{acme}"), ..stop.clone() };
        refused(
            service.roles(&manager).add_user_role(scoped).await,
            Code::InvalidArgument,
            "INVALID_FIELD",
        );
        service.roles(&manager).add_user_role(stop).await.unwrap();
        let path = format!("account/{acme}");
        let denied =
            service.decides(&user.user_id, "integration.list_users", "account", &path).await;
        assert_eq!(denied.reason(), pb::Reason::NoAccess);
        // What comes back is given: neither of them holds it.
        for by in [&granter, &manager] {
            let lift =
                service.roles(by).remove_user_role(super::take(&user.user_id, "NO_ACCESS")).await;
            refused(lift, Code::PermissionDenied, "ESCALATION");
        }
        service
            .roles(&service.root)
            .remove_user_role(super::take(&user.user_id, "NO_ACCESS"))
            .await
            .unwrap();
        assert!(
            service
                .decides(&user.user_id, "integration.list_users", "account", &path)
                .await
                .decision
        );
        service.stop().await;
    }
}

#[tokio::test]
async fn a_suppression_that_ends_hides_nothing_from_the_rule_against_escalation() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let manager = service.person(&acme, "manager", &["MANAGE_USERS"]).await;
        let user = service.person_under(&acme, Some(&manager), "user", &[]).await;
        let stop = pb::AddUserRoleRequest {
            expire_time: Some(at(60)),
            ..give(&user.user_id, "NO_ACCESS")
        };
        service.roles(&manager).add_user_role(stop).await.unwrap();
        let later = service.roles(&manager).add_user_role(give(&user.user_id, "SUPER_USER")).await;
        refused(later, Code::PermissionDenied, "ESCALATION");
        service.stop().await;
    }
}

#[tokio::test]
async fn the_platform_keeps_somebody_who_may_do_everything() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let root = service.root.clone();
        let second = service.person(&root.account_id, "second", &["SUPER_USER"]).await;
        for request in [give(&root.user_id, "NO_ACCESS"), give(&second.user_id, "NO_ACCESS")] {
            let by = if request.user_id == root.user_id { &second } else { &root };
            let dry = pb::AddUserRoleRequest { validate_only: true, ..request };
            service.roles(by).add_user_role(dry).await.unwrap();
        }
        let wide = role("wide", &["role.*", "user.*"]);
        let wide = pb::Role { on: Some(pb::Relation::Account.into()), ..wide };
        made(&service, &root.account_id, wide).await;
        let manager = service.person(&root.account_id, "manager", &["wide"]).await;
        let take = super::take(&root.user_id, "SUPER_USER");
        service.roles(&second).remove_user_role(take).await.unwrap();
        let last = service.roles(&manager).add_user_role(give(&second.user_id, "NO_ACCESS")).await;
        refused(last, Code::FailedPrecondition, "LAST_SUPER_USER");
        let last = service
            .roles(&manager)
            .remove_user_role(super::take(&second.user_id, "SUPER_USER"))
            .await;
        refused(last, Code::FailedPrecondition, "LAST_SUPER_USER");
        service.stop().await;
    }
}
