//! Deleting tokens, and reporting those that leaked.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::*;
use crate::support::{engines, refused};

fn leaked(token: &str) -> pb::ReportLeakedTokenRequest {
    pb::ReportLeakedTokenRequest { token: token.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn r55_a_token_deletes_itself() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &[]).await;
        // Scopes do not matter here as long as they leave the deed.
        let (token, bearer) = made(&service, &ann, own(&["api_token.delete"])).await;
        // Alike in the other header.
        let mut request = tonic::Request::new(by_secret(&bearer.token));
        request.metadata_mut().insert("x-auth-token", bearer.token.parse().unwrap());
        let nobody = Person { token: String::new(), ..ann.clone() };
        let reply = service.tokens(&nobody).delete_api_token(request).await.unwrap().into_inner();
        assert_eq!(reply.api_token.unwrap().token_id, token.token_id);
        assert!(!is_valid(&service, &bearer.token).await);
        let result = called(&service, &bearer).await;
        refused(result, Code::Unauthenticated, "TOKEN_REVOKED");
        let decided = decides(&service, &bearer.token, "account.read", "account", &tenant).await;
        assert_eq!(decided, (false, pb::Reason::TokenRevoked));
        // It stays so where nothing is remembered from before.
        let replica = service.replica().await;
        let result = called(&replica, &bearer).await;
        refused(result, Code::Unauthenticated, "TOKEN_REVOKED");
        assert!(!is_valid(&replica, &bearer.token).await);
        service.verify(&tenant).await;
        replica.stop().await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_deletion_is_done_once_and_a_rehearsal_leaves_nothing() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &[]).await;
        let (token, bearer) = made(&service, &ann, named("ci")).await;
        let mut tokens = service.tokens(&ann);
        let rehearsal = pb::DeleteApiTokenRequest { validate_only: true, ..by_id(&token.token_id) };
        let reply = tokens.delete_api_token(rehearsal).await.unwrap().into_inner();
        assert_eq!(reply.api_token, Some(token.clone()));
        assert!(reply.preview.is_some() && reply.consistency_token.is_empty());
        assert!(is_valid(&service, &bearer.token).await);
        let stale = pb::DeleteApiTokenRequest { etag: "x".to_owned(), ..by_id(&token.token_id) };
        refused(tokens.delete_api_token(stale).await, Code::Aborted, "ETAG_MISMATCH");
        let request = pb::DeleteApiTokenRequest {
            etag: token.etag.clone(),
            request_id: REQUEST.to_owned(),
            ..by_id(&token.token_id)
        };
        let first = tokens.delete_api_token(request.clone()).await.unwrap().into_inner();
        assert_eq!(first.api_token, Some(token.clone()));
        let again = tokens.delete_api_token(request).await.unwrap().into_inner();
        assert_eq!(again, first);
        assert!(!is_valid(&service, &bearer.token).await);
        for request in [by_id(&token.token_id), by_secret(&bearer.token)] {
            let result = tokens.delete_api_token(request).await;
            refused(result, Code::NotFound, "TOKEN_NOT_FOUND");
        }
        assert_eq!(service.store.token(token.token_id.parse().unwrap()).await.unwrap(), None);
        service.verify(&tenant).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_token_is_named_by_its_id_or_its_secret_and_told_from_nothing_by_neither() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (tenant, other) = (service.tenant("acme").await, service.tenant("other").await);
        let ann = service.person(&tenant, "ann", &[]).await;
        let bob = service.person(&tenant, "bob", &[]).await;
        let aud = service.person(&tenant, "aud", &["AUDITOR"]).await;
        let eve = service.person(&other, "eve", &["SUPER_USER"]).await;
        let mut tokens = service.tokens(&ann);
        let both = pb::DeleteApiTokenRequest { token: ann.token.clone(), ..by_id(&ann.token_id) };
        for request in [both, pb::DeleteApiTokenRequest::default()] {
            let result = tokens.delete_api_token(request).await;
            refused(result, Code::InvalidArgument, "INVALID_FIELD");
        }
        let mut heard = Vec::new();
        let control = "\u{1}\u{7f}\u{202e}".to_owned();
        for (by, token) in [
            (&ann, stranger()),
            (&ann, "garbage".to_owned()),
            (&ann, control),
            (&ann, "x".repeat(8192)),
            (&ann, bob.token.clone()),
            (&ann, eve.token.clone()),
            (&eve, bob.token.clone()),
            (&bob, aud.token.clone()),
        ] {
            let result = service.tokens(by).delete_api_token(by_secret(&token)).await;
            let status = refused(result, Code::NotFound, "TOKEN_NOT_FOUND");
            heard.push((status.message().to_owned(), status.details().to_vec()));
        }
        heard.dedup();
        assert_eq!(heard.len(), 1, "{heard:?}");
        let result = tokens.delete_api_token(by_secret(&"x".repeat(8193))).await;
        refused(result, Code::InvalidArgument, "INVALID_FIELD");
        // Seen and refused.
        for request in [by_id(&ann.token_id), by_secret(&ann.token)] {
            let result = service.tokens(&aud).delete_api_token(request).await;
            refused(result, Code::PermissionDenied, "ACCESS_DENIED");
        }
        for token in [&ann, &bob, &aud, &eve] {
            assert!(is_valid(&service, &token.token).await);
        }
        // From above, by either name.
        let mut root = service.tokens(&service.root);
        root.delete_api_token(by_secret(&ann.token)).await.unwrap();
        root.delete_api_token(by_id(&eve.token_id)).await.unwrap();
        assert!(!is_valid(&service, &ann.token).await && !is_valid(&service, &eve.token).await);
        service.stop().await;
    }
}

#[tokio::test]
async fn a_leaked_token_ends_and_tells_whose_it_was_and_when_it_was_used() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &[]).await;
        let (token, bearer) = made(&service, &ann, own(&["account.read"])).await;
        service.advance(7);
        // Refused or not, it was used.
        let used = called(&service, &bearer).await;
        assert!(used.is_err());
        service.advance(7);
        // That somebody looks at it is no use of it.
        assert!(is_valid(&service, &bearer.token).await);
        let rehearsal =
            pb::ReportLeakedTokenRequest { validate_only: true, ..leaked(&bearer.token) };
        let would = service.tokens(&ann).report_leaked_token(rehearsal).await.unwrap().into_inner();
        assert!(would.preview.is_some() && is_valid(&service, &bearer.token).await);
        let request = pb::ReportLeakedTokenRequest {
            request_id: REQUEST.to_owned(),
            ..leaked(&bearer.token)
        };
        let mut tokens = service.tokens(&ann);
        let first = tokens.report_leaked_token(request.clone()).await.unwrap().into_inner();
        assert_eq!(
            (&first.user_id, &first.account_id, &first.token_id),
            (&ann.user_id, &tenant, &token.token_id)
        );
        let at = prost_types::Timestamp { seconds: 1_800_000_007, nanos: 0 };
        assert_eq!(first.last_used_time, Some(at));
        assert!(!is_valid(&service, &bearer.token).await);
        let again = tokens.report_leaked_token(request).await.unwrap().into_inner();
        assert_eq!(again, first);
        refused(
            tokens.report_leaked_token(leaked(&bearer.token)).await,
            Code::NotFound,
            "TOKEN_NOT_FOUND",
        );
        service.verify(&tenant).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn who_may_not_report_a_token_hears_what_is_said_of_none() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (tenant, other) = (service.tenant("acme").await, service.tenant("other").await);
        let ann = service.person(&tenant, "ann", &[]).await;
        let aud = service.person(&tenant, "aud", &["AUDITOR"]).await;
        let eve = service.person(&other, "eve", &["SUPER_USER"]).await;
        let (gone, bearer) = made(&service, &ann, own(&[])).await;
        service.tokens(&ann).delete_api_token(by_id(&gone.token_id)).await.unwrap();
        let mut heard = Vec::new();
        for (by, token) in [
            (&aud, stranger()),
            (&aud, "garbage".to_owned()),
            (&aud, ann.token.clone()),
            (&aud, eve.token.clone()),
            (&eve, ann.token.clone()),
            (&ann, aud.token.clone()),
            (&ann, bearer.token.clone()),
        ] {
            let result = service.tokens(by).report_leaked_token(leaked(&token)).await;
            let status = refused(result, Code::NotFound, "TOKEN_NOT_FOUND");
            heard.push((status.message().to_owned(), status.details().to_vec()));
        }
        heard.dedup();
        assert_eq!(heard.len(), 1, "{heard:?}");
        let stale = pb::ReportLeakedTokenRequest { etag: "x".to_owned(), ..leaked(&ann.token) };
        let result = service.tokens(&ann).report_leaked_token(stale).await;
        refused(result, Code::Aborted, "ETAG_MISMATCH");
        // The very token that is called with can be reported; and the root reports whatever it finds.
        service.tokens(&aud).report_leaked_token(leaked(&aud.token)).await.unwrap();
        service.tokens(&service.root).report_leaked_token(leaked(&eve.token)).await.unwrap();
        for token in [&aud.token, &eve.token] {
            assert!(!is_valid(&service, token).await);
        }
        service.stop().await;
    }
}
