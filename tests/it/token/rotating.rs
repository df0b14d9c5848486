//! Rotating, and the end that a token may have from the beginning.

use chancery::proto::v1 as pb;
use prost_types::{Duration, Timestamp};
use tonic::Code;

use super::*;
use crate::support::{engines, refused};

fn rotate(token_id: &str, overlap: i64) -> pb::RotateApiTokenRequest {
    pb::RotateApiTokenRequest {
        token_id: token_id.to_owned(),
        overlap: Some(Duration { seconds: overlap, nanos: 0 }),
        ..Default::default()
    }
}

fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp { seconds: 1_800_000_000 + seconds, nanos: 0 }
}

#[tokio::test]
async fn a_token_ends_exactly_when_it_says_or_never() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &[]).await;
        for past in [0, -1] {
            let request = pb::CreateApiTokenRequest {
                expire_time: Some(in_seconds(past)),
                ..Default::default()
            };
            let result = service.tokens(&ann).create_api_token(request).await;
            let status = refused(result, Code::InvalidArgument, "INVALID_FIELD");
            assert!(status.message().starts_with("expire_time: "), "{}", status.message());
        }
        let request =
            pb::CreateApiTokenRequest { expire_time: Some(in_seconds(60)), ..own(&["*"]) };
        let (token, caller) = made(&service, &ann, request).await;
        service.advance(59);
        assert!(is_valid(&service, &caller.token).await);
        service.advance(1);
        assert!(!is_valid(&service, &caller.token).await);
        let result = called(&service, &caller).await;
        let status = refused(result, Code::Unauthenticated, "TOKEN_EXPIRED");
        assert!(status.message().contains("expired"));
        let decided = decides(&service, &caller.token, "account.read", "account", &tenant).await;
        assert_eq!(decided, (false, pb::Reason::TokenExpired));
        // It is no longer live, so there is nothing to rotate or end.
        let result = service.tokens(&ann).rotate_api_token(rotate(&token.token_id, 0)).await;
        refused(result, Code::NotFound, "TOKEN_NOT_FOUND");
        let result = service.tokens(&ann).delete_api_token(by_id(&token.token_id)).await;
        refused(result, Code::NotFound, "TOKEN_NOT_FOUND");
        // R54: one without an end goes on.
        service.advance(14 * 24 * 3600);
        assert!(is_valid(&service, &ann.token).await);
        service.stop().await;
    }
}

#[tokio::test]
async fn a_rotated_token_keeps_what_it_was_and_the_old_one_goes_on_for_the_overlap() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &["AUDITOR"]).await;
        let request = pb::CreateApiTokenRequest {
            display_name: "ci".to_owned(),
            expire_time: Some(in_seconds(1000)),
            ..own(&["user.*", "role:AUDITOR"])
        };
        let (old, bearer) = made(&service, &ann, request).await;
        let mut tokens = service.tokens(&ann);
        let reply = tokens.rotate_api_token(rotate(&old.token_id, 60)).await.unwrap().into_inner();
        let new = reply.api_token.unwrap();
        assert_ne!(new.token_id, old.token_id);
        assert_eq!(
            (&new.display_name, &new.scopes, new.expire_time),
            (&old.display_name, &old.scopes, old.expire_time)
        );
        let kept = tokens_of(&service, &ann.user_id).await;
        let kept = kept.iter().find(|token| token.token_id == old.token_id).unwrap();
        assert_eq!(kept.expire_time, Some(in_seconds(60)));
        assert_ne!(kept.etag, old.etag);
        assert!(is_valid(&service, &bearer.token).await && is_valid(&service, &reply.secret).await);
        service.advance(60);
        assert!(
            !is_valid(&service, &bearer.token).await && is_valid(&service, &reply.secret).await
        );
        // Its own end comes first.
        let reply = tokens.rotate_api_token(rotate(&new.token_id, 604_800)).await.unwrap();
        assert!(!reply.into_inner().secret.is_empty());
        let kept = tokens_of(&service, &ann.user_id).await;
        let kept = kept.iter().find(|token| token.token_id == new.token_id).unwrap();
        assert_eq!(kept.expire_time, Some(in_seconds(1000)));
        service.verify(&tenant).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn without_overlap_the_old_one_ends_at_once() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &[]).await;
        let (old, bearer) = made(&service, &ann, named("ci")).await;
        made(&service, &ann, named("ci")).await;
        let mut tokens = service.tokens(&ann);
        // With an overlap there would be three of the name; without one there are two.
        let result = tokens.rotate_api_token(rotate(&old.token_id, 1)).await;
        let told = refused(result, Code::FailedPrecondition, "TOKEN_LIMIT");
        assert!(told.message().contains("rotate with an `overlap` of 0"), "{}", told.message());
        let request = pb::RotateApiTokenRequest {
            request_id: REQUEST.to_owned(),
            overlap: None,
            ..rotate(&old.token_id, 0)
        };
        let first = tokens.rotate_api_token(request.clone()).await.unwrap().into_inner();
        assert!(is_valid(&service, &first.secret).await);
        let result = called(&service, &bearer).await;
        refused(result, Code::Unauthenticated, "TOKEN_REVOKED");
        let again = tokens.rotate_api_token(request).await.unwrap().into_inner();
        assert_eq!((again.api_token, &*again.secret), (first.api_token, ""));
        let result = tokens.rotate_api_token(rotate(&old.token_id, 0)).await;
        refused(result, Code::NotFound, "TOKEN_NOT_FOUND");
        service.verify(&tenant).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_be_rotated_is_refused_and_a_rehearsal_leaves_nothing() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (tenant, other) = (service.tenant("acme").await, service.tenant("other").await);
        let ann = service.person(&tenant, "ann", &[]).await;
        let bob = service.person(&tenant, "bob", &["AUDITOR"]).await;
        let eve = service.person(&other, "eve", &["SUPER_USER"]).await;
        let (old, _) = made(&service, &ann, named("ci")).await;
        let mut tokens = service.tokens(&ann);
        for (seconds, nanos) in [(-1, 0), (0, -1), (604_801, 0), (604_800, 1), (i64::MAX, 999)] {
            let request = pb::RotateApiTokenRequest {
                overlap: Some(Duration { seconds, nanos }),
                ..rotate(&old.token_id, 0)
            };
            refused(tokens.rotate_api_token(request).await, Code::InvalidArgument, "INVALID_FIELD");
        }
        let stale = pb::RotateApiTokenRequest { etag: "x".to_owned(), ..rotate(&old.token_id, 0) };
        refused(tokens.rotate_api_token(stale).await, Code::Aborted, "ETAG_MISMATCH");
        for by in [&ann, &eve] {
            let result = service.tokens(by).rotate_api_token(rotate(NO_TOKEN, 0)).await;
            let status = refused(result, Code::NotFound, "TOKEN_NOT_FOUND");
            assert_eq!(status.message(), format!("token `{NO_TOKEN}` was not found"));
        }
        let result = service.tokens(&eve).rotate_api_token(rotate(&old.token_id, 0)).await;
        let status = refused(result, Code::NotFound, "TOKEN_NOT_FOUND");
        assert_eq!(status.message(), format!("token `{}` was not found", old.token_id));
        let result = service.tokens(&ann).rotate_api_token(rotate(&bob.token_id, 0)).await;
        refused(result, Code::NotFound, "TOKEN_NOT_FOUND");
        let result = service.tokens(&bob).rotate_api_token(rotate(&old.token_id, 0)).await;
        refused(result, Code::PermissionDenied, "ACCESS_DENIED");

        let before = tokens_of(&service, &ann.user_id).await;
        let request = pb::RotateApiTokenRequest {
            etag: old.etag.clone(),
            validate_only: true,
            ..rotate(&old.token_id, 60)
        };
        let reply = tokens.rotate_api_token(request).await.unwrap().into_inner();
        assert_eq!((&*reply.api_token.unwrap().token_id, &*reply.secret), ("", ""));
        assert!(reply.preview.is_some());
        assert_eq!(tokens_of(&service, &ann.user_id).await, before);
        service.stop().await;
    }
}

#[tokio::test]
async fn a_service_user_rotates_the_token_it_calls_with_whatever_its_scopes() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let robot = service.machine(&tenant, "robot", &["DECISION_CLIENT"]).await;
        for scopes in [&[][..], &["decision.evaluate"], &["role:DECISION_CLIENT"]] {
            let (token, caller) = made(&service, &robot, own(scopes)).await;
            let (sibling, _) = made(&service, &robot, own(scopes)).await;
            let result =
                service.tokens(&caller).rotate_api_token(rotate(&sibling.token_id, 0)).await;
            // A token that may not read tokens does not see the other one.
            let (code, reason) = if scopes == ["decision.evaluate"] {
                (Code::NotFound, "TOKEN_NOT_FOUND")
            } else {
                (Code::PermissionDenied, "ACCESS_DENIED")
            };
            refused(result, code, reason);
            let reply = service.tokens(&caller).rotate_api_token(rotate(&token.token_id, 0)).await;
            let reply = reply.unwrap().into_inner();
            assert!(reply.secret.starts_with("chy_svc_"));
            assert_eq!(reply.api_token.unwrap().scopes, token.scopes);
            assert!(is_valid(&service, &reply.secret).await);
            assert!(!is_valid(&service, &caller.token).await);
        }
        // What it calls with is not all that it has.
        let (_, narrow) = made(&service, &robot, own(&["api_token.rotate"])).await;
        let result = service.tokens(&narrow).rotate_api_token(rotate(&robot.token_id, 0)).await;
        refused(result, Code::PermissionDenied, "ESCALATION");
        service.stop().await;
    }
}
