//! Who makes tokens, for whom, and how often a secret is shown.

use chancery::model::Revision;
use chancery::proto::v1 as pb;
use tonic::Code;

use super::*;
use crate::support::{engines, refused};

#[tokio::test]
async fn a_token_is_made_for_oneself_and_shown_once() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &[]).await;
        let end = prost_types::Timestamp { seconds: 1_900_000_000, nanos: 0 };
        let request = pb::CreateApiTokenRequest {
            display_name: "ci".to_owned(),
            scopes: vec!["user.read".to_owned(), "user.read".to_owned()],
            expire_time: Some(end),
            request_id: REQUEST.to_owned(),
            ..Default::default()
        };
        let mut tokens = service.tokens(&ann);
        let first = tokens.create_api_token(request.clone()).await.unwrap().into_inner();
        let token = first.api_token.unwrap();
        assert!(first.secret.starts_with("chy_pat_") && first.secret.len() == 50);
        assert!(!first.consistency_token.is_empty() && first.preview.is_none());
        assert_eq!((&token.user_id, &token.account_id), (&ann.user_id, &tenant));
        assert_eq!((&*token.display_name, &token.created_by), ("ci", &ann.user_id));
        assert_eq!((token.scopes.len(), token.expire_time), (2, Some(end)));
        assert!(token.create_time.is_some() && token.last_used_time.is_none());

        let again = tokens.create_api_token(request.clone()).await.unwrap().into_inner();
        assert_eq!(again.api_token, Some(token.clone()));
        assert_eq!(
            (again.secret, again.consistency_token),
            (String::new(), first.consistency_token)
        );
        let other = pb::CreateApiTokenRequest { display_name: "cd".to_owned(), ..request };
        refused(tokens.create_api_token(other).await, Code::AlreadyExists, "REQUEST_ID_REUSED");
        assert_eq!(tokens_of(&service, &ann.user_id).await.len(), 2);
        // What is kept shows the secret nowhere, neither in the rows' objects nor in the ledger.
        let ledger =
            service.store.entries(tenant.parse().unwrap(), Revision::default(), 1_000).await;
        assert!(!format!("{:?}", ledger.unwrap()).contains(&first.secret[8..44]));
        service.verify(&tenant).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_rehearsal_shows_what_would_be_and_leaves_nothing() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &[]).await;
        let request = pb::CreateApiTokenRequest { validate_only: true, ..named("ci") };
        let reply = service.tokens(&ann).create_api_token(request).await.unwrap().into_inner();
        let token = reply.api_token.unwrap();
        assert_eq!((&*token.token_id, &*token.etag, token.create_time), ("", "", None));
        assert_eq!((&*token.display_name, &token.user_id), ("ci", &ann.user_id));
        assert_eq!((&*reply.secret, &*reply.consistency_token), ("", ""));
        assert!(reply.preview.unwrap().revision > 0);
        assert_eq!(tokens_of(&service, &ann.user_id).await.len(), 1);
        service.stop().await;
    }
}

#[tokio::test]
async fn a_service_user_gets_a_secret_of_another_kind() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let robot = service.machine(&tenant, "robot", &[]).await;
        assert!(robot.token.starts_with("chy_svc_"));
        let (_, again) = made(&service, &robot, own(&["*"])).await;
        assert!(again.token.starts_with("chy_svc_") && is_valid(&service, &again.token).await);
        service.stop().await;
    }
}

#[tokio::test]
async fn only_scopes_that_name_it_make_tokens() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &["AUDITOR"]).await;
        // An empty list names nothing; neither does a role. And what lacks the permission fails by the rule.
        for scopes in [&[][..], &["role:AUDITOR"], &["user.read"]] {
            let (_, caller) = made(&service, &ann, own(scopes)).await;
            let result = service.tokens(&caller).create_api_token(own(&["user.read"])).await;
            let status = refused(result, Code::PermissionDenied, "ACCESS_DENIED");
            assert!(status.message().contains("api_token.create"), "{}", status.message());
            let request = pb::RotateApiTokenRequest {
                token_id: caller.token_id.clone(),
                ..Default::default()
            };
            let result = service.tokens(&caller).rotate_api_token(request).await;
            // A token that may not read tokens does not see itself.
            let blind = scopes.contains(&"user.read");
            let (code, reason) = if blind {
                (Code::NotFound, "TOKEN_NOT_FOUND")
            } else {
                (Code::PermissionDenied, "ACCESS_DENIED")
            };
            refused(result, code, reason);
        }
        for scopes in [&["*"][..], &["api_token.create"], &["api_token.*"], &["*.*"]] {
            let (_, caller) = made(&service, &ann, own(scopes)).await;
            made(&service, &caller, own(&["api_token.create"])).await;
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn a_token_makes_none_that_does_more_than_itself() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &["AUDITOR", "MANAGE_USERS"]).await;
        let (_, maker) = made(&service, &ann, own(&["api_token.create", "user.read"])).await;
        for scopes in [&["*"][..], &["*.*"], &["user.*"], &["role:AUDITOR"], &["user.read", "*"]] {
            let result = service.tokens(&maker).create_api_token(own(scopes)).await;
            refused(result, Code::PermissionDenied, "ESCALATION");
        }
        made(&service, &maker, own(&["user.read"])).await;
        made(&service, &maker, own(&["user.read", "role:AUDITOR"])).await;
        // Left empty, they are those of the credential.
        let (token, heir) = made(&service, &maker, own(&[])).await;
        assert_eq!(token.scopes, ["api_token.create", "user.read"]);
        let listed = decides(&service, &heir.token, "user.list", "account", &tenant).await;
        assert_eq!(listed, (false, pb::Reason::TokenScope));

        let (_, auditor) = made(&service, &ann, own(&["*", "role:AUDITOR"])).await;
        let result = service.tokens(&auditor).create_api_token(own(&["*"])).await;
        let status = refused(result, Code::PermissionDenied, "ESCALATION");
        assert!(status.message().contains("role:"), "{}", status.message());
        let (token, heir) = made(&service, &auditor, own(&[])).await;
        assert_eq!(token.scopes, ["role:AUDITOR"]);
        let result = service.tokens(&heir).create_api_token(own(&[])).await;
        refused(result, Code::PermissionDenied, "ACCESS_DENIED");
        // A lone `*` limits nothing, so nothing is handed on.
        let (token, _) = made(&service, &ann, own(&[])).await;
        assert_eq!(token.scopes, [""; 0]);
        service.stop().await;
    }
}

#[tokio::test]
async fn to_make_a_token_of_somebody_is_to_be_given_all_that_they_hold() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let boss = service.person(&tenant, "boss", &["SUPER_USER"]).await;
        let ann = service.person(&tenant, "ann", &["AUDITOR"]).await;
        let bob = service.person(&tenant, "bob", &[]).await;
        let (token, _) = made(&service, &boss, of(&ann, &["user.read"])).await;
        assert_eq!((&token.user_id, &token.created_by), (&ann.user_id, &boss.user_id));

        let (_, narrow) = made(&service, &boss, own(&["api_token.*", "user.*"])).await;
        made(&service, &narrow, of(&bob, &[])).await;
        let result = service.tokens(&narrow).create_api_token(of(&ann, &["user.read"])).await;
        refused(result, Code::PermissionDenied, "ESCALATION");
        let request = pb::RotateApiTokenRequest { token_id: token.token_id, ..Default::default() };
        let result = service.tokens(&narrow).rotate_api_token(request).await;
        refused(result, Code::PermissionDenied, "ESCALATION");
        service.stop().await;
    }
}

#[tokio::test]
async fn who_is_not_seen_gets_no_token_in_the_words_for_who_is_not_there() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (tenant, other) = (service.tenant("acme").await, service.tenant("other").await);
        let ann = service.person(&tenant, "ann", &[]).await;
        let bob = service.person(&tenant, "bob", &["AUDITOR"]).await;
        let eve = service.person(&other, "eve", &["SUPER_USER"]).await;
        let absent = Person { user_id: "usr_01h00000000000000000000000".to_owned(), ..ann.clone() };
        for (by, user) in
            [(&ann, &bob), (&eve, &bob), (&bob, &eve), (&ann, &absent), (&eve, &absent)]
        {
            let result = service.tokens(by).create_api_token(of(user, &[])).await;
            let status = refused(result, Code::NotFound, "USER_NOT_FOUND");
            assert_eq!(status.message(), format!("user `{}` was not found", user.user_id));
        }
        let result = service.tokens(&bob).create_api_token(of(&ann, &[])).await;
        refused(result, Code::PermissionDenied, "ACCESS_DENIED");
        let nobody = Person { token: String::new(), ..ann };
        let result = service.tokens(&nobody).create_api_token(own(&[])).await;
        refused(result, Code::Unauthenticated, "TOKEN_MISSING");
        service.stop().await;
    }
}

#[tokio::test]
async fn two_live_tokens_share_a_name_and_no_third() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &[]).await;
        let bob = service.person(&tenant, "bob", &[]).await;
        let soon = prost_types::Timestamp { seconds: 1_800_000_100, nanos: 0 };
        let ends = pb::CreateApiTokenRequest { expire_time: Some(soon), ..named("ci") };
        made(&service, &ann, named("ci")).await;
        made(&service, &ann, ends).await;
        let third = service.tokens(&ann).create_api_token(named("ci")).await;
        refused(third, Code::FailedPrecondition, "TOKEN_LIMIT");
        made(&service, &ann, named("CI")).await;
        made(&service, &bob, named("ci")).await;
        for _ in 0..3 {
            made(&service, &ann, named("")).await;
        }
        // What has expired is not live.
        service.advance(100);
        let (token, _) = made(&service, &ann, named("ci")).await;
        let third = service.tokens(&ann).create_api_token(named("ci")).await;
        refused(third, Code::FailedPrecondition, "TOKEN_LIMIT");
        service.tokens(&ann).delete_api_token(by_id(&token.token_id)).await.unwrap();
        made(&service, &ann, named("ci")).await;
        service.verify(&tenant).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_closed_account_gets_no_tokens_and_still_loses_them() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &[]).await;
        let request = pb::CloseAccountRequest { account_id: tenant.clone(), ..Default::default() };
        service.accounts(&service.root).close_account(request).await.unwrap();
        let mut tokens = service.tokens(&service.root);
        let result = tokens.create_api_token(of(&ann, &[])).await;
        refused(result, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        let request =
            pb::RotateApiTokenRequest { token_id: ann.token_id.clone(), ..Default::default() };
        let result = tokens.rotate_api_token(request).await;
        refused(result, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        tokens.delete_api_token(by_id(&ann.token_id)).await.unwrap();
        service.stop().await;
    }
}
