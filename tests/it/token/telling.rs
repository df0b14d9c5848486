//! What is told of a string: whether it is a credential that works, and whose.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::*;
use crate::support::{engines, refused};

async fn introspected(service: &Service, by: &Person, token: &str) -> pb::IntrospectTokenResponse {
    let request = pb::IntrospectTokenRequest { token: token.to_owned() };
    service.tokens(by).introspect_token(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn r56_anybody_asks_about_any_string_and_hears_whether_it_works() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &[]).await;
        let token = &ann.token;
        let (head, tail) = token.split_at(49);
        let other = if tail == "0" { "1" } else { "0" };
        for garbage in [
            String::new(),
            "garbage".to_owned(),
            "\u{0}\u{1}\u{1b}[2J\r\n\u{7f}\u{85}\u{202e}\u{feff}\u{10ffff}".to_owned(),
            "ä".repeat(4096),
            "x".repeat(8192),
            "x".repeat(100_000),
            stranger(),
            format!("{head}{other}"),
            format!("{token} "),
            format!(" {token}"),
            format!("Bearer {token}"),
            format!("{token}\0"),
            token.to_uppercase(),
            token.replacen("pat", "svc", 1),
            ann.token_id.clone(),
        ] {
            assert!(!is_valid(&service, &garbage).await, "{garbage:?}");
            assert_eq!(
                introspected(&service, &service.root, &garbage).await,
                pb::IntrospectTokenResponse::default(),
                "{garbage:?}"
            );
        }
        assert!(is_valid(&service, token).await);
        // A bad credential that is sent along is not looked at.
        let bad = Person { token: "garbage".to_owned(), ..ann.clone() };
        let request = pb::ValidateTokenRequest { token: token.clone() };
        assert!(service.tokens(&bad).validate_token(request).await.unwrap().into_inner().valid);
        service.stop().await;
    }
}

#[tokio::test]
async fn a_live_token_is_told_to_its_user_and_to_who_may_introspect() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let below = service.account(&tenant, "below").await;
        let client = service.machine(&tenant, "client", &["DECISION_CLIENT"]).await;
        let ann = service.person(&below, "ann", &[]).await;
        let end = prost_types::Timestamp { seconds: 1_900_000_000, nanos: 0 };
        let request = pb::CreateApiTokenRequest {
            expire_time: Some(end),
            ..own(&["decision.*", "user.read"])
        };
        let (token, bearer) = made(&service, &ann, request).await;
        for by in [&bearer, &client, &service.root] {
            let told = introspected(&service, by, &bearer.token).await;
            assert!(told.active);
            assert_eq!((&told.user_id, &told.account_id), (&ann.user_id, &below));
            assert_eq!((told.kind(), told.expire_time), (pb::CredentialKind::Pat, Some(end)));
            assert_eq!((told.scopes, &*told.actor_user_id), (token.scopes.clone(), ""));
            let id = pb::introspect_token_response::Credential::TokenId(token.token_id.clone());
            assert_eq!(told.credential, Some(id));
        }
        let told = introspected(&service, &client, &client.token).await;
        assert_eq!((told.active, told.kind()), (true, pb::CredentialKind::Svc));
        let nobody = Person { token: String::new(), ..ann };
        let request = pb::IntrospectTokenRequest { token: bearer.token };
        let result = service.tokens(&nobody).introspect_token(request).await;
        refused(result, Code::Unauthenticated, "TOKEN_MISSING");
        service.stop().await;
    }
}

#[tokio::test]
async fn unknown_dead_and_unseen_tokens_are_introspected_alike() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (tenant, other) = (service.tenant("acme").await, service.tenant("other").await);
        let ann = service.person(&tenant, "ann", &[]).await;
        let bob = service.person(&tenant, "bob", &["AUDITOR"]).await;
        let eve = service.machine(&other, "eve", &["DECISION_CLIENT"]).await;
        let (_, narrow) = made(&service, &ann, own(&["user.read"])).await;
        let (_, dead) = made(&service, &ann, own(&[])).await;
        service.tokens(&ann).delete_api_token(by_secret(&dead.token)).await.unwrap();
        let mut heard = Vec::new();
        for (by, token) in [
            (&ann, stranger()),
            (&ann, dead.token.clone()),
            (&ann, bob.token.clone()),
            (&ann, eve.token.clone()),
            (&bob, ann.token.clone()),
            (&eve, ann.token.clone()),
            (&narrow, ann.token.clone()),
        ] {
            let request = pb::IntrospectTokenRequest { token };
            let reply = service.tokens(by).introspect_token(request).await.unwrap();
            let names = reply.metadata().keys().map(|key| format!("{key:?}")).collect::<Vec<_>>();
            heard.push((names, reply.into_inner()));
        }
        heard.dedup();
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert_eq!(heard[0].1, pb::IntrospectTokenResponse::default());
        service.stop().await;
    }
}

/// Asks every door about a token. All but the engine's reason are the same whatever the cause.
async fn every_door(service: &Service, person: &Person) -> (Code, String, pb::Reason) {
    assert!(!is_valid(service, &person.token).await);
    let told = introspected(service, &service.root, &person.token).await;
    assert_eq!(told, pb::IntrospectTokenResponse::default());
    let at = &person.account_id;
    let (decision, reason) = decides(service, &person.token, "account.read", "account", at).await;
    assert!(!decision);
    let request = pb::GetAccountRequest { account_id: at.clone() };
    let status = service.accounts(person).get_account(request).await.unwrap_err();
    let (code, said) = crate::support::said(&status);
    (code, said, reason)
}

#[tokio::test]
async fn tokens_of_who_is_disabled_or_gone_are_refused_at_every_door() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let below = service.account(&tenant, "below").await;
        let ann = service.person(&tenant, "ann", &["SUPER_USER"]).await;
        let bob = service.person(&tenant, "bob", &["SUPER_USER"]).await;
        let cat = service.person(&below, "cat", &["SUPER_USER"]).await;
        for person in [&ann, &bob, &cat] {
            assert!(is_valid(&service, &person.token).await);
        }
        let active = async |is_active| {
            let request = pb::SetUserActiveRequest {
                user_id: ann.user_id.clone(),
                is_active,
                ..Default::default()
            };
            service.users(&service.root).set_user_active(request).await.unwrap();
        };
        let revoked = (Code::Unauthenticated, "TOKEN_REVOKED".to_owned(), pb::Reason::TokenRevoked);
        active(false).await;
        assert_eq!(every_door(&service, &ann).await, revoked);
        active(true).await;
        assert!(is_valid(&service, &ann.token).await);

        let request = pb::DeleteUserRequest { user_id: bob.user_id.clone(), ..Default::default() };
        service.users(&service.root).delete_user(request).await.unwrap();
        let (code, said, reason) = every_door(&service, &bob).await;
        assert_eq!((code, said), (revoked.0, revoked.1));
        assert!(
            matches!(reason, pb::Reason::TokenRevoked | pb::Reason::SubjectUnknown),
            "{reason:?}"
        );

        // Suspended from above: who it is can be told, and that it does not help.
        let request =
            pb::SuspendAccountRequest { account_id: tenant.clone(), ..Default::default() };
        service.accounts(&service.root).suspend_account(request).await.unwrap();
        let inactive =
            (Code::PermissionDenied, "ACCOUNT_NOT_ACTIVE".to_owned(), pb::Reason::AccountNotActive);
        assert_eq!(every_door(&service, &cat).await, inactive);
        assert_eq!(every_door(&service, &ann).await, inactive);
        let request = pb::ResumeAccountRequest { account_id: tenant.clone(), ..Default::default() };
        service.accounts(&service.root).resume_account(request).await.unwrap();
        assert!(is_valid(&service, &cat.token).await);
        service.stop().await;
    }
}

#[tokio::test]
async fn a_flood_of_unknown_tokens_is_stopped_and_known_ones_go_on() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let ask = async |token: String| {
            let nobody = Person { token: String::new(), ..service.root.clone() };
            service.tokens(&nobody).validate_token(pb::ValidateTokenRequest { token }).await
        };
        assert!(ask(service.root.token.clone()).await.unwrap().into_inner().valid);
        let known = stranger();
        for _ in 0..10 {
            // The same one again costs nothing.
            assert!(!ask(known.clone()).await.unwrap().into_inner().valid);
        }
        for _ in 1..600 {
            assert!(!ask(stranger()).await.unwrap().into_inner().valid);
        }
        let status = refused(ask(stranger()).await, Code::ResourceExhausted, "RATE_LIMITED");
        assert!(tonic_types::StatusExt::get_error_details(&status).retry_info().is_some());
        let bearer = Person { token: stranger(), ..service.root.clone() };
        let result = called(&service, &bearer).await;
        refused(result, Code::ResourceExhausted, "RATE_LIMITED");
        assert!(!ask("garbage".to_owned()).await.unwrap().into_inner().valid);
        assert!(!ask(known).await.unwrap().into_inner().valid);
        assert!(ask(service.root.token.clone()).await.unwrap().into_inner().valid);
        // What one address sends is not on the account of a caller who is known.
        let told = introspected(&service, &service.root, &stranger()).await;
        assert!(!told.active);
        service.stop().await;
    }
}

#[tokio::test]
async fn unknown_tokens_in_questions_are_counted_for_the_asker_and_known_ones_go_on() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("Acme").await;
        let mesh = service.machine(&tenant, "mesh", &["DECISION_CLIENT"]).await;
        let ann = service.person(&tenant, "ann", &["USER"]).await;
        let about = |token: String| pb::Subject { token, ..Default::default() };
        let asked = async |by: &Person, subjects: Vec<pb::Subject>| {
            let item =
                |subject| pb::EvaluationRequest { subject: Some(subject), ..Default::default() };
            let ask = crate::support::ask("", "read", "account", &format!("account/{tenant}"));
            let request = pb::BatchAuthorizeRequest {
                action: ask.action,
                resource: ask.resource,
                evaluations: subjects.into_iter().map(item).collect(),
                ..Default::default()
            };
            let answer = service.authorization(by).batch_authorize(request).await.unwrap();
            answer.into_inner().evaluations
        };
        let one = async |by: &Person, token: &str| {
            asked(by, vec![about(token.to_owned())]).await.remove(0)
        };
        for _ in 0..3 {
            let subjects = (0..1000).map(|_| about(stranger())).collect();
            let answers = asked(&mesh, subjects).await;
            assert!(answers.iter().all(|answer| answer.reason() == pb::Reason::TokenInvalid));
        }
        // A question in a batch fails by itself; a call that is about the token fails as a whole.
        let over = one(&mesh, &stranger()).await;
        assert!(
            !over.decision
                && over.context.is_some_and(|said| format!("{said:?}").contains("RATE_LIMITED"))
        );
        let request = pb::IntrospectTokenRequest { token: stranger() };
        let told = service.tokens(&mesh).introspect_token(request).await;
        refused(told, Code::ResourceExhausted, "RATE_LIMITED");
        let request = pb::ExplainTokenRequest { token: stranger() };
        let told = service.tokens(&mesh).explain_token(request).await;
        refused(told, Code::ResourceExhausted, "RATE_LIMITED");

        // Known ones go on, be they good or not, and so does everybody else.
        assert_ne!(one(&mesh, &ann.token).await.reason(), pb::Reason::TokenInvalid);
        assert_eq!(one(&mesh, "garbage").await.reason(), pb::Reason::TokenInvalid);
        assert_eq!(one(&service.root, &stranger()).await.reason(), pb::Reason::TokenInvalid);
        assert!(is_valid(&service, &ann.token).await);
        service.stop().await;
    }
}
