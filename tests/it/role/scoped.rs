//! Grants limited to a resource path.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{give, grants, made, role};
use crate::support::{Service, engines, refused};

fn scoped(user_id: &str, role: &str, scope: &str) -> pb::AddUserRoleRequest {
    pb::AddUserRoleRequest { scope: scope.to_owned(), ..give(user_id, role) }
}

#[tokio::test]
async fn a_scope_covers_the_paths_that_begin_with_it() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let root = service.root.clone();
        made(&service, &acme, role("gates", &["gate.*", "gate_group.*"])).await;
        let user = service.person(&acme, "user", &[]).await;
        let group = |id: &str| format!("account/{acme}/gate_group/{id}");
        let given = service
            .roles(&root)
            .add_user_role(scoped(&user.user_id, "gates", &format!("account/{acme}/GATE_GROUP/5")))
            .await;
        assert_eq!(given.unwrap().into_inner().role_grant.unwrap().scope, group("5"));
        for (path, permitted) in [
            (format!("{}/gate/17", group("5")), true),
            (format!("{}/gate/-", group("5")), true),
            (format!("{}/gate/17", group("50")), false),
            (format!("{}/gate/17", group("-")), false),
        ] {
            let answer = service.decides(&user.user_id, "read", "gate", &path).await;
            assert_eq!(answer.decision, permitted, "{path}");
        }
        // Another scope is another grant.
        refused(
            service.roles(&root).add_user_role(scoped(&user.user_id, "gates", &group("5"))).await,
            Code::AlreadyExists,
            "ROLE_ALREADY_HELD",
        );
        service
            .roles(&root)
            .add_user_role(scoped(&user.user_id, "gates", &group("6")))
            .await
            .unwrap();
        service.roles(&root).add_user_role(give(&user.user_id, "gates")).await.unwrap();
        let listed = grants(&service, &user.user_id).await;
        let scopes: Vec<&str> = listed.iter().map(|grant| grant.scope.as_str()).collect();
        assert_eq!(scopes, ["", group("5").as_str(), group("6").as_str()]);
        assert!(listed.iter().all(|grant| grant.role_type == "gates"));

        let one =
            pb::RemoveUserRoleRequest { scope: group("6"), ..super::take(&user.user_id, "gates") };
        let taken = service.roles(&root).remove_user_role(one.clone()).await.unwrap().into_inner();
        assert_eq!(taken.role_grants, listed[2..]);
        refused(service.roles(&root).remove_user_role(one).await, Code::NotFound, "ROLE_NOT_HELD");
        // Without a scope: every grant of the role.
        let taken = service
            .roles(&root)
            .remove_user_role(super::take(&user.user_id, "gates"))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(taken.role_grants, listed[..2]);
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_scope_is_a_path_to_what_is_there_seen_and_in_reach() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, other) = (service.tenant("Acme").await, service.tenant("Other").await);
        let (below, beside) =
            (service.account(&acme, "Below").await, service.account(&acme, "Beside").await);
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let sub = service.person(&below, "sub", &["SUPER_USER"]).await;
        let user = service.person(&acme, "user", &[]).await;
        let there = service.person(&below, "there", &[]).await;
        let forced = |to: &str, role: &str, scope: &str| pb::AddUserRoleRequest {
            force: true,
            ..scoped(to, role, scope)
        };
        for (scope, code, reason) in [
            ("recording/7".to_owned(), Code::InvalidArgument, "INVALID_PATH"),
            ("account/nowhere".to_owned(), Code::InvalidArgument, "INVALID_PATH"),
            (format!("account/{acme}/gate/17"), Code::InvalidArgument, "INVALID_PATH"),
            (format!("account/{acme}/nothing/17"), Code::InvalidArgument, "INVALID_PATH"),
            (format!("account/{acme}/gate_group/%2"), Code::InvalidArgument, "INVALID_PATH"),
            (format!("account/{below}"), Code::InvalidArgument, "INVALID_PATH"),
            (format!("account/{other}"), Code::NotFound, "ACCOUNT_NOT_FOUND"),
            (
                "account/acc_01h455vb4pex5vsknk084sn02q".to_owned(),
                Code::NotFound,
                "ACCOUNT_NOT_FOUND",
            ),
            (
                format!("account/{acme}/user/usr_01h455vb4pex5vsknk084sn02q"),
                Code::NotFound,
                "USER_NOT_FOUND",
            ),
            (format!("account/{acme}/user/{}", there.user_id), Code::NotFound, "USER_NOT_FOUND"),
        ] {
            let result = service
                .roles(&boss)
                .add_user_role(forced(&user.user_id, "WFO_ACCESS", &scope))
                .await;
            refused(result, code, reason);
        }
        let result = service
            .roles(&sub)
            .add_user_role(forced(&there.user_id, "WFO_ACCESS", &format!("account/{beside}")))
            .await;
        refused(result, Code::NotFound, "ACCOUNT_NOT_FOUND");
        // A role that reaches below can be limited to an account there, and to a user.
        service
            .roles(&boss)
            .add_user_role(forced(&user.user_id, "AUDITOR", &format!("account/{below}")))
            .await
            .unwrap();
        let path = format!("account/{below}/user/{}", there.user_id);
        service.roles(&boss).add_user_role(forced(&user.user_id, "AUDITOR", &path)).await.unwrap();
        assert!(service.decides(&user.user_id, "user.read", "user", &path).await.decision);
        let own = format!("account/{acme}/user/{}", boss.user_id);
        assert!(!service.decides(&user.user_id, "user.read", "user", &own).await.decision);
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_held_in_a_scope_is_given_within_it_only() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let granter = pb::Role {
            on: Some(pb::Relation::Account.into()),
            ..role("granter", &["role.assign", "user.read", "account.read"])
        };
        made(&service, &acme, granter).await;
        made(&service, &acme, role("gates", &["gate.*"])).await;
        let granter = service.person(&acme, "granter", &["granter"]).await;
        let group = |id: &str| format!("account/{acme}/gate_group/{id}");
        service
            .roles(&service.root)
            .add_user_role(scoped(&granter.user_id, "gates", &group("5")))
            .await
            .unwrap();
        let user = service.person(&acme, "user", &[]).await;
        for (scope, fine) in [
            (group("5"), true),
            (format!("{}/gate/17", group("5")), true),
            (group("6"), false),
            (group("-"), false),
            (format!("account/{acme}"), false),
            (String::new(), false),
        ] {
            let request =
                pb::AddUserRoleRequest { force: true, ..scoped(&user.user_id, "gates", &scope) };
            let result = service.roles(&granter).add_user_role(request).await;
            if fine {
                result.unwrap();
            } else {
                refused(result, Code::PermissionDenied, "ESCALATION");
            }
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn an_operator_can_be_limited_to_one_tenant() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, other) = (service.tenant("Acme").await, service.tenant("Other").await);
        let root = service.root.clone();
        let operator = service.person(&root.account_id, "operator", &[]).await;
        service
            .roles(&root)
            .add_user_role(scoped(&operator.user_id, "OPERATOR", &format!("account/{acme}")))
            .await
            .unwrap();
        let nowhere =
            scoped(&operator.user_id, "OPERATOR", "account/acc_01h455vb4pex5vsknk084sn02q");
        refused(
            service.roles(&root).add_user_role(nowhere).await,
            Code::NotFound,
            "ACCOUNT_NOT_FOUND",
        );
        let short = scoped(&operator.user_id, "WFO_ACCESS", &format!("account/{acme}"));
        refused(
            service.roles(&root).add_user_role(short).await,
            Code::InvalidArgument,
            "INVALID_PATH",
        );
        let get = |id: &str| pb::GetAccountRequest { account_id: id.to_owned() };
        service.accounts(&operator).get_account(get(&acme)).await.unwrap();
        refused(
            service.accounts(&operator).get_account(get(&other)).await,
            Code::NotFound,
            "ACCOUNT_NOT_FOUND",
        );
        service.verify(&root.account_id).await;
        service.stop().await;
    }
}
