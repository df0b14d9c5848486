//! Taking roles from users.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{give, given, held, take};
use crate::support::{Person, Service, engines, refused};

/// R24.
#[tokio::test]
async fn only_what_is_held_is_taken() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let user = service.person(&acme, "user", &["USER", "WFO_ACCESS"]).await;
        for absent in ["MANAGE_USERS", "restcomm/Administrator", "DECISION_CLIENT"] {
            let result = service.roles(&boss).remove_user_role(take(&user.user_id, absent)).await;
            refused(result, Code::NotFound, "ROLE_NOT_HELD");
        }
        for unknown in ["ADMIN_OF_ALL", "rol_01h455vb4pex5vsknk084sn02q"] {
            let result = service.roles(&boss).remove_user_role(take(&user.user_id, unknown)).await;
            refused(result, Code::InvalidArgument, "UNKNOWN_ROLE");
        }
        let bad =
            pb::RemoveUserRoleRequest { scope: "x".to_owned(), ..take(&user.user_id, "USER") };
        refused(
            service.roles(&boss).remove_user_role(bad).await,
            Code::InvalidArgument,
            "INVALID_PATH",
        );

        let dry = pb::RemoveUserRoleRequest { validate_only: true, ..take(&user.user_id, "USER") };
        let shown = service.roles(&boss).remove_user_role(dry).await.unwrap().into_inner();
        assert_eq!(shown.role_grants.len(), 1);
        assert!(shown.preview.is_some() && shown.consistency_token.is_empty());
        assert_eq!(held(&service, &user.user_id).await.len(), 2);

        let request_id = "4b6c4b1e-6f0c-4f9a-9a1d-0a4f4f3d2c14".to_owned();
        let request =
            pb::RemoveUserRoleRequest { request_id, ..take(&user.user_id, "ringcx/USER") };
        let first =
            service.roles(&boss).remove_user_role(request.clone()).await.unwrap().into_inner();
        assert_eq!(first.role_grants[0].role_type, "USER");
        let again = service.roles(&boss).remove_user_role(request).await.unwrap().into_inner();
        assert_eq!(first.consistency_token, again.consistency_token);
        assert_eq!(held(&service, &user.user_id).await, ["WFO_ACCESS"]);
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_role_that_tokens_name_is_taken_by_force_and_no_token_widens() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let user =
            service.person(&acme, "user", &["WFO_ACCESS", "ACCESS_AUDIT_LOG", "SUPER_USER"]).await;
        let (only, secret) = service.mint(&user.user_id, &["role:WFO_ACCESS"]).await;
        let (mixed, _) = service.mint(&user.user_id, &["role:WFO_ACCESS", "*"]).await;
        let (two, two_secret) =
            service.mint(&user.user_id, &["role:WFO_ACCESS", "role:ACCESS_AUDIT_LOG"]).await;

        let status = service.roles(&boss).remove_user_role(take(&user.user_id, "WFO_ACCESS")).await;
        let status = refused(status, Code::FailedPrecondition, "ROLE_IN_USE");
        assert!(status.message().contains(&only) && status.message().contains(&two));
        let dry =
            pb::RemoveUserRoleRequest { validate_only: true, ..take(&user.user_id, "WFO_ACCESS") };
        let preview =
            service.roles(&boss).remove_user_role(dry).await.unwrap().into_inner().preview.unwrap();
        assert_eq!(
            (preview.warnings[0].reason.as_str(), preview.warnings[0].entity_ids.len()),
            ("ROLE_IN_USE", 3)
        );

        let forced = pb::RemoveUserRoleRequest { force: true, ..take(&user.user_id, "WFO_ACCESS") };
        service.roles(&boss).remove_user_role(forced).await.unwrap();
        let list = pb::ListApiTokensRequest { user_id: user.user_id.clone(), ..Default::default() };
        let tokens =
            service.tokens(&boss).list_api_tokens(list).await.unwrap().into_inner().api_tokens;
        let left: Vec<&str> = tokens.iter().map(|token| token.token_id.as_str()).collect();
        assert!(!left.contains(&only.as_str()) && !left.contains(&mixed.as_str()));
        let kept = tokens.iter().find(|token| token.token_id == two).unwrap();
        assert_eq!(kept.scopes, ["role:ACCESS_AUDIT_LOG"]);
        let by = |token: &str| Person { token: token.to_owned(), ..user.clone() };
        let get = pb::GetAccountRequest { account_id: acme.clone() };
        refused(
            service.accounts(&by(&secret)).get_account(get.clone()).await,
            Code::Unauthenticated,
            "TOKEN_REVOKED",
        );
        // One's own account is seen by anybody; what the other role gives is not given by this token.
        let list = pb::ListUsersRequest { account_id: acme.clone(), ..Default::default() };
        refused(
            service.users(&by(&two_secret)).list_users(list).await,
            Code::PermissionDenied,
            "ACCESS_DENIED",
        );
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_token_keeps_a_role_that_another_grant_still_gives() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let root = service.root.clone();
        let user = service.person(&acme, "user", &["WFO_ACCESS"]).await;
        let scope = format!("account/{acme}/integration/7");
        let scoped =
            pb::AddUserRoleRequest { scope: scope.clone(), ..give(&user.user_id, "WFO_ACCESS") };
        service.roles(&root).add_user_role(scoped).await.unwrap();
        service.mint(&user.user_id, &["role:WFO_ACCESS"]).await;
        let one = pb::RemoveUserRoleRequest { scope, ..take(&user.user_id, "WFO_ACCESS") };
        service.roles(&root).remove_user_role(one).await.unwrap();
        let last = service.roles(&root).remove_user_role(take(&user.user_id, "WFO_ACCESS")).await;
        refused(last, Code::FailedPrecondition, "ROLE_IN_USE");
        service.stop().await;
    }
}

#[tokio::test]
async fn what_comes_back_to_a_user_is_given_to_whoever_made_its_credentials() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let user = service.person(&acme, "user", &["WFO_ACCESS"]).await;
        given(&service, &user, "NO_ACCESS").await;
        // The root made a token of the user, and not the boss.
        let lift = service.roles(&boss).remove_user_role(take(&user.user_id, "NO_ACCESS")).await;
        refused(lift, Code::FailedPrecondition, "CREDENTIALS_BY_OTHERS");
        let forced = pb::RemoveUserRoleRequest { force: true, ..take(&user.user_id, "NO_ACCESS") };
        service.roles(&boss).remove_user_role(forced).await.unwrap();
        service.stop().await;
    }
}

#[tokio::test]
async fn an_account_left_without_a_super_user_is_worth_a_warning() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let dry =
            pb::RemoveUserRoleRequest { validate_only: true, ..take(&boss.user_id, "SUPER_USER") };
        let shown = service.roles(&service.root).remove_user_role(dry).await.unwrap().into_inner();
        assert_eq!(shown.preview.unwrap().warnings[0].reason, "LAST_SUPER_USER");
        service.stop().await;
    }
}
