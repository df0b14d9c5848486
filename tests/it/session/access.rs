//! Access tokens at every door: what is none, and what has ended, is told alike.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery::crypto::token::{Secret, TokenKind};
use chancery::crypto::{KeyRing, secret};
use sha2::{Digest as _, Sha256};
use tonic::Code;

use super::*;
use crate::meddle::Meddler;
use crate::support::{KEY, engines, refused};

#[tokio::test]
async fn what_is_signed_by_another_or_not_at_all_is_no_credential() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let session = service.session(&ann).await;
        let token = &session.access_token;
        let parts: Vec<&str> = token.split('.').collect();
        let head = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let other = Service::start(&engine).await;
        let their = other.tenant("Acme").await;
        let their = other.person(&their, "ann", &[]).await;
        let foreign = other.session(&their).await.access_token;
        let claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        let claims = String::from_utf8(claims).unwrap();
        let boss = claims.replace(&ann.user_id, &service.root.user_id);
        for forged in [
            foreign.clone(),
            format!("{}.{}.", head(r#"{"alg":"none","typ":"at+jwt"}"#), parts[1]),
            format!("{}.{}.{}", parts[0], head(&boss), parts[2]),
            format!("{}.{}.{}", parts[0], parts[1], foreign.split('.').next_back().unwrap()),
            format!("{token}x"),
            token[..token.len() - 1].to_owned(),
            "a.b.c".to_owned(),
            "..".to_owned(),
        ] {
            let by = Person { token: forged.clone(), ..ann.clone() };
            refused(called(&service, &by).await, Code::Unauthenticated, "TOKEN_INVALID");
            assert!(!is_valid(&service, &forged).await, "{forged}");
            assert!(!introspected(&service, &forged).await.active);
            let answer = decides(&service, &forged, "read", &ann).await;
            assert_eq!(answer.reason(), pb::Reason::TokenInvalid);
        }
        assert!(is_valid(&service, token).await);
        other.stop().await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_token_for_another_audience_or_of_another_issuer_is_none() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let session = service.session(&ann).await;
        for setting in [("tokens.audience", "another"), ("base_url", "https://another.example")] {
            let other = service.replica_with(&[setting]).await;
            let by = ann.with(&session);
            refused(called(&other, &by).await, Code::Unauthenticated, "TOKEN_INVALID");
            other.stop().await;
        }
        service.stop().await;
    }
}

/// A writer of the store plants no key of his own.
#[tokio::test]
async fn what_is_planted_in_the_store_is_worth_nothing() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let session = service.session(&ann).await;
        let root = service.store.world(service.root.account_id.parse().unwrap()).await.unwrap();
        let keys = root.signing_keys;
        assert_eq!(keys.len(), 1);
        let ring = KeyRing::from_base64(KEY).unwrap();
        assert_eq!(service.store.open_signing_keys(&keys, &ring).await.unwrap().len(), 1);
        // A key that was made to live on, or sealed under another master key, does not open.
        let mut later = keys.clone();
        later[0].activate_time += chrono::TimeDelta::seconds(1);
        assert_eq!(service.store.open_signing_keys(&later, &ring).await.unwrap().len(), 0);
        let theirs = KeyRing::from_base64("/////////////////////////////////////////v8=");
        let theirs = theirs.unwrap();
        assert_eq!(service.store.open_signing_keys(&keys, &theirs).await.unwrap().len(), 0);
        assert!(is_valid(&service, &session.access_token).await);
        service.stop().await;
    }
}

/// Nor a token, however he hashes one that he knows: without the key outside the store there is no hash that counts.
#[tokio::test]
async fn a_token_that_is_planted_in_the_store_is_worth_nothing() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let session = service.session(&ann).await;
        let meddler = Meddler::new(&service.url).await;
        let bytes = |hash: &[u8]| {
            let hex = hash.iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").unwrap();
                hex
            });
            if meddler.is_sqlite() { format!("x'{hex}'") } else { format!("'\\x{hex}'::bytea") }
        };
        let theirs = KeyRing::from_base64("/////////////////////////////////////////v8=").unwrap();
        for (kind, table) in [(TokenKind::Pat, "api_tokens"), (TokenKind::Ref, "refresh_tokens")] {
            let secret = Secret::mint(kind, secret::system).unwrap();
            let text = secret.expose();
            let plain: [u8; 32] = Sha256::digest(text).into();
            for hash in [plain, secret.digest(&theirs)] {
                let row = if table == "api_tokens" {
                    "id = (select id from api_tokens order by id desc limit 1)".to_owned()
                } else {
                    "digest = (select digest from refresh_tokens limit 1)".to_owned()
                };
                let hash = bytes(&hash);
                meddler.run(&format!("update {table} set digest = {hash} where {row}")).await;
                let by = Person { token: text.to_owned(), ..ann.clone() };
                let told = match kind {
                    TokenKind::Ref => service.refresh(text).await.map(drop),
                    _ => called(&service, &by).await.map(drop),
                };
                refused(told, Code::Unauthenticated, "TOKEN_INVALID");
            }
        }
        assert!(is_valid(&service, &session.access_token).await);
        service.stop().await;
    }
}
