//! What a session makes for good (`edges.md` §2, Minting): a stolen five-minute token does not make itself permanent.

use tonic::Code;

use super::*;
use crate::support::{engines, refused};

#[tokio::test]
async fn a_session_makes_a_token_of_its_user_for_ten_minutes_after_the_sign_in() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["USER"]).await;
        let mut session = service.session(&ann).await;
        let own = pb::CreateApiTokenRequest::default;
        service.advance(299);
        let by = ann.with(&session);
        let made = service.tokens(&by).create_api_token(own()).await.unwrap().into_inner();
        let mine = Person { token: made.secret, ..ann.clone() };
        called(&service, &mine).await.unwrap();
        let token_id = made.api_token.unwrap().token_id;
        service.advance(301);
        session = service.refresh(&session.refresh_token).await.unwrap();
        let rotate = pb::RotateApiTokenRequest { token_id, ..Default::default() };
        let by = ann.with(&session);
        let rotated = service.tokens(&by).rotate_api_token(rotate.clone()).await.unwrap();
        let token_id = rotated.into_inner().api_token.unwrap().token_id;
        service.advance(1);
        let late = service.tokens(&by).create_api_token(own()).await;
        refused(late, Code::PermissionDenied, "ACCESS_DENIED");
        let rotate = pb::RotateApiTokenRequest { token_id, ..rotate };
        let late = service.tokens(&by).rotate_api_token(rotate).await;
        refused(late, Code::PermissionDenied, "ACCESS_DENIED");
        service.stop().await;
    }
}

#[tokio::test]
async fn a_session_makes_tokens_of_others_at_any_time_within_what_it_may() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let robot = service.machine(&acme, "robot", &["USER"]).await;
        let session = service.session(&boss).await;
        service.advance(3600);
        let session = service.refresh(&session.refresh_token).await.unwrap();
        let of = |person: &Person| pb::CreateApiTokenRequest {
            user_id: person.user_id.clone(),
            ..Default::default()
        };
        let by = boss.with(&session);
        let made = service.tokens(&by).create_api_token(of(&robot)).await.unwrap().into_inner();
        assert!(made.secret.starts_with("chy_svc_"));
        let late = service.tokens(&by).create_api_token(of(&boss)).await;
        refused(late, Code::PermissionDenied, "ACCESS_DENIED");
        service.stop().await;
    }
}
