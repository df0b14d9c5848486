//! What scopes say, and how they narrow what is decided.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::*;
use crate::support::{engines, refused};

#[tokio::test]
async fn scopes_narrow_every_decision() {
    const PERMITTED: (bool, pb::Reason) = (true, pb::Reason::Permitted);
    const SCOPE: (bool, pb::Reason) = (false, pb::Reason::TokenScope);
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &["AUDITOR", "MANAGE_USERS"]).await;
        let bob = service.person(&tenant, "bob", &[]).await;
        let (bobs, anns) = (
            format!("account/{tenant}/user/{}", bob.user_id),
            format!("account/{tenant}/user/{}", ann.user_id),
        );
        let anyone = format!("account/{tenant}/user/-");
        // In this order: to read an account, another user, oneself; to create a user.
        for (scopes, expected) in [
            (&[][..], [PERMITTED, PERMITTED, PERMITTED, PERMITTED]),
            (&["*"], [PERMITTED, PERMITTED, PERMITTED, PERMITTED]),
            (&["user.read"], [SCOPE, PERMITTED, PERMITTED, SCOPE]),
            (&["USER.*"], [SCOPE, PERMITTED, PERMITTED, PERMITTED]),
            (&["*.read"], [PERMITTED, PERMITTED, PERMITTED, SCOPE]),
            (&["ReadAccounts"], [PERMITTED, SCOPE, SCOPE, SCOPE]),
            (&["role:AUDITOR"], [PERMITTED, PERMITTED, PERMITTED, SCOPE]),
            (&["role:core/AUDITOR"], [PERMITTED, PERMITTED, PERMITTED, SCOPE]),
            (&["role:MANAGE_USERS"], [PERMITTED, SCOPE, PERMITTED, PERMITTED]),
            (&["role:MANAGE_USERS", "user.*"], [SCOPE, SCOPE, PERMITTED, PERMITTED]),
            (&["role:AUDITOR", "user.read"], [SCOPE, PERMITTED, PERMITTED, SCOPE]),
            (&["role:AUDITOR", "role:MANAGE_USERS", "*"], [PERMITTED; 4]),
        ] {
            let (_, caller) = made(&service, &ann, own(scopes)).await;
            let token = &caller.token;
            let answers = [
                decides(&service, token, "account.read", "account", &tenant).await,
                decides(&service, token, "user.read", "user", &bobs).await,
                decides(&service, token, "user.read", "user", &anns).await,
                decides(&service, token, "user.create", "user", &anyone).await,
            ];
            assert_eq!(answers, expected, "{scopes:?}");
            // Our own API obeys the same answers.
            let request = pb::GetUserRequest { user_id: bob.user_id.clone() };
            let got = service.users(&caller).get_user(request).await;
            assert_eq!(got.is_ok(), expected[1].0, "{scopes:?}: {got:?}");
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn a_scope_that_says_nothing_is_refused_with_what_is_near() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &["AUDITOR"]).await;
        for (scope, reason) in [
            ("usr.read", "UNKNOWN_PERMISSION"),
            ("user.raed", "UNKNOWN_PERMISSION"),
            ("user", "UNKNOWN_PERMISSION"),
            ("**", "UNKNOWN_PERMISSION"),
            ("read accounts", "UNKNOWN_PERMISSION"),
            ("role:MANAGE_USERS", "UNKNOWN_ROLE"),
            ("role:", "UNKNOWN_ROLE"),
            ("role:auditor", "UNKNOWN_ROLE"),
            ("role:(none)", "UNKNOWN_ROLE"),
        ] {
            let result = service.tokens(&ann).create_api_token(own(&["user.list", scope])).await;
            let status = refused(result, Code::InvalidArgument, reason);
            assert!(status.message().starts_with("scopes[1]: "), "{}", status.message());
        }
        let result = service.tokens(&ann).create_api_token(own(&["user.raed"])).await;
        assert!(result.unwrap_err().message().contains("user.read"));
        assert_eq!(tokens_of(&service, &ann.user_id).await.len(), 1);
        service.stop().await;
    }
}

#[tokio::test]
async fn a_role_of_the_account_itself_is_named_by_its_name_or_its_id() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let role = pb::Role {
            name: Some("lister".to_owned()),
            permits: vec!["user.list".to_owned()],
            on: Some(pb::Relation::Account.into()),
            assignable_to: vec![pb::Holder::Admin.into()],
            ..Default::default()
        };
        let request = pb::CreateRoleRequest {
            account_id: tenant.clone(),
            role: Some(role),
            ..Default::default()
        };
        let role = service.roles(&service.root).create_role(request).await.unwrap().into_inner();
        let role = role.role.unwrap().role;
        let ann = service.person(&tenant, "ann", &["AUDITOR", &role]).await;
        let bob = service.person(&tenant, "bob", &[]).await;
        for name in ["lister", &role] {
            let scope = format!("role:{name}");
            let (token, caller) = made(&service, &ann, own(&[&scope])).await;
            assert_eq!(token.scopes, [scope.as_str()]);
            let of = |user: &Person| format!("account/{tenant}/user/{}", user.user_id);
            let anyone = format!("account/{tenant}/user/-");
            let lists = decides(&service, &caller.token, "user.list", "user", &anyone).await;
            assert_eq!(lists, (true, pb::Reason::Permitted));
            let reads = decides(&service, &caller.token, "user.read", "user", &of(&bob)).await;
            assert_eq!(reads, (false, pb::Reason::TokenScope));
            // One who does not hold it cannot name it.
            let result = service.tokens(&bob).create_api_token(own(&[&scope])).await;
            refused(result, Code::InvalidArgument, "UNKNOWN_ROLE");
        }
        service.stop().await;
    }
}
