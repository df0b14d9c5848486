//! What an assertion proves to `ExchangeToken`, and who learns nothing by one that proves nothing (`model.md` §9).

use std::collections::BTreeSet;

use pb::expiring::What;
use serde_json::json;
use tonic::Code;

use super::keyed::{create, exchanged, made};
use super::*;
use crate::support::{beginning, engines, refused};

/// Here and at another replica, in one instant.
#[tokio::test]
async fn of_many_who_send_one_assertion_at_once_one_is_answered() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let robot = service.machine(&acme, "robot", &[]).await;
        let key = made(&service, &service.root, create(&robot)).await;
        let other = service.replica().await;
        let assertion = key.sign(&key.claims(beginning().timestamp()));
        let places = [&service, &other].into_iter().cycle().take(12);
        let all = futures::future::join_all(places.map(|at| exchanged(at, &assertion))).await;
        let (good, bad): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
        assert_eq!(good.len(), 1);
        for told in bad {
            refused(told, Code::Unauthenticated, "TOKEN_INVALID");
        }
        other.stop().await;
        service.stop().await;
    }
}

/// What is made with a token that ends does not outlive it, and is listed before it ends.
#[tokio::test]
async fn a_key_ends_with_the_token_that_it_was_made_with() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let robot = service.machine(&acme, "robot", &[]).await;
        let at = beginning().timestamp();
        let hour = prost_types::Timestamp { seconds: at + 3600, nanos: 0 };
        let short = pb::CreateApiTokenRequest {
            user_id: boss.user_id.clone(),
            scopes: vec!["*".to_owned()],
            expire_time: Some(hour),
            ..Default::default()
        };
        let short = service.tokens(&service.root).create_api_token(short).await.unwrap();
        let short = Person { token: short.into_inner().secret, ..boss.clone() };
        let key = made(&service, &short, create(&robot)).await;
        assert_eq!(key.key.expire_time, Some(hour));
        let soon = pb::ListExpiringRequest::default();
        let soon = service.tokens(&boss).list_expiring(soon).await.unwrap().into_inner();
        let listed = soon.expiring.iter().any(|one| {
            one.expire_time == Some(hour)
                && matches!(&one.what, Some(What::ServiceKey(it)) if it.key_id == key.key.key_id)
        });
        assert!(listed, "{soon:?}");
        service.advance(3599);
        exchanged(&service, &key.sign(&key.claims(at))).await.unwrap();
        service.advance(1);
        let late = exchanged(&service, &key.sign(&key.claims(at + 60))).await;
        refused(late, Code::Unauthenticated, "TOKEN_EXPIRED");
        service.stop().await;
    }
}

/// Without a signature nobody learns by ids which keys there are or were, nor asks without end.
#[tokio::test]
async fn a_key_that_was_and_one_that_never_was_are_the_same_to_who_cannot_sign() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let robot = service.machine(&acme, "robot", &[]).await;
        let made = async || made(&service, &service.root, create(&robot)).await;
        let (live, ended, other) = (made().await, made().await, made().await);
        let gone =
            pb::DeleteServiceKeyRequest { key_id: ended.key.key_id.clone(), ..Default::default() };
        service.tokens(&service.root).delete_service_key(gone).await.unwrap();
        let at = beginning().timestamp();
        let named = |kid: &str| {
            let head = json!({ "alg": "ES256", "typ": "JWT", "kid": kid });
            other.sign_as(&head, &live.claims(at))
        };
        let of_token = robot.token_id.replace("tok_", "key_");
        let unknown = "key_01h455vb4pex5vsknk084sn02q";
        let kids = [&live.key.key_id, &ended.key.key_id, &of_token, unknown];
        let mut told = BTreeSet::new();
        for n in 0..600 {
            let bad = exchanged(&service, &named(kids[n % kids.len()])).await;
            let bad = refused(bad, Code::Unauthenticated, "TOKEN_INVALID");
            told.insert((bad.message().to_owned(), bad.details().to_vec()));
        }
        assert_eq!(told.len(), 1);
        let more = exchanged(&service, &named(kids[0])).await;
        refused(more, Code::ResourceExhausted, "RATE_LIMITED");
        service.stop().await;
    }
}
