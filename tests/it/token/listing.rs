//! Lists of tokens, and when they were last used.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::*;
use crate::support::{engines, refused};

fn list(user_id: &str, page_size: i32, page_token: &str) -> pb::ListApiTokensRequest {
    pb::ListApiTokensRequest {
        user_id: user_id.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
    }
}

#[tokio::test]
async fn live_tokens_are_listed_page_by_page_without_their_secrets() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &[]).await;
        let aud = service.person(&tenant, "aud", &["AUDITOR"]).await;
        let mut ids = vec![ann.token_id.clone()];
        for _ in 0..4 {
            ids.push(made(&service, &ann, own(&[])).await.0.token_id);
        }
        let soon = prost_types::Timestamp { seconds: 1_800_000_010, nanos: 0 };
        let ends = pb::CreateApiTokenRequest { expire_time: Some(soon), ..own(&[]) };
        made(&service, &ann, ends).await;
        service.advance(10);
        let gone = ids.remove(2);
        service.tokens(&ann).delete_api_token(by_id(&gone)).await.unwrap();

        let mut tokens = service.tokens(&aud);
        let (mut seen, mut page) = (Vec::new(), String::new());
        loop {
            let reply = tokens.list_api_tokens(list(&ann.user_id, 3, &page)).await.unwrap();
            assert!(reply.metadata().contains_key("chancery-revision"));
            let reply = reply.into_inner();
            assert!(reply.api_tokens.len() <= 3);
            seen.extend(reply.api_tokens.into_iter().map(|token| token.token_id));
            page = reply.next_page_token;
            if page.is_empty() {
                break;
            }
            // It is nobody else's, and of no other list.
            let result = service.tokens(&ann).list_api_tokens(list(&ann.user_id, 3, &page)).await;
            refused(result, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
            let result = tokens.list_api_tokens(list(&aud.user_id, 3, &page)).await;
            refused(result, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
        }
        assert_eq!(seen, ids);
        let result = tokens.list_api_tokens(list(&ann.user_id, 3, "garbage")).await;
        refused(result, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
        // Nobody named is oneself.
        let reply =
            service.tokens(&ann).list_api_tokens(list("", 0, "")).await.unwrap().into_inner();
        assert_eq!((reply.api_tokens.len(), &*reply.next_page_token), (4, ""));
        service.stop().await;
    }
}

#[tokio::test]
async fn whose_tokens_may_not_be_read_is_told_as_far_as_that_user_is_seen() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (tenant, other) = (service.tenant("acme").await, service.tenant("other").await);
        let ann = service.person(&tenant, "ann", &[]).await;
        let bob = service.person(&tenant, "bob", &["ONBOARDING"]).await;
        let eve = service.person(&other, "eve", &["SUPER_USER"]).await;
        for by in [&ann, &eve] {
            let result = service.tokens(by).list_api_tokens(list(&bob.user_id, 0, "")).await;
            refused(result, Code::NotFound, "USER_NOT_FOUND");
        }
        let result = service.tokens(&bob).list_api_tokens(list(&ann.user_id, 0, "")).await;
        refused(result, Code::PermissionDenied, "ACCESS_DENIED");
        let nobody = Person { token: String::new(), ..ann };
        let result = service.tokens(&nobody).list_api_tokens(list("", 0, "")).await;
        refused(result, Code::Unauthenticated, "TOKEN_MISSING");
        service.stop().await;
    }
}

#[tokio::test]
async fn the_last_use_is_told_before_and_after_it_is_written_down() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let tenant = service.tenant("acme").await;
        let ann = service.person(&tenant, "ann", &[]).await;
        let (token, bearer) = made(&service, &ann, own(&[])).await;
        assert_eq!(token.last_used_time, None);
        service.advance(3);
        service.tokens(&bearer).list_api_tokens(list("", 0, "")).await.unwrap();
        service.advance(3);
        let used = async |service: &Service| {
            let listed = tokens_of(service, &ann.user_id).await;
            let found = listed.into_iter().find(|one| one.token_id == token.token_id).unwrap();
            (found.last_used_time.map(|at| at.seconds), found.etag)
        };
        let (at, etag) = used(&service).await;
        assert_eq!(at, Some(1_800_000_003));
        assert_eq!(etag, token.etag, "its last use is no part of a token's etag");
        // Another process knows it once it is written down, at the latest when the server stops.
        let replica = service.replica().await;
        service.stop().await;
        assert_eq!(used(&replica).await, (Some(1_800_000_003), token.etag.clone()));
        replica.stop().await;
    }
}
