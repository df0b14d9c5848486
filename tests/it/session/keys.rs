//! The keys that access tokens are signed with: shown before they are used, and for as long as what they signed lives.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

use super::*;
use crate::support::{engines, refused};

async fn jwks(service: &Service) -> (Value, String) {
    let nobody = Person { token: String::new(), ..service.root.clone() };
    let reply = service.tokens(&nobody).get_jwks(pb::GetJwksRequest {}).await.unwrap();
    let reply = reply.into_inner();
    (serde_json::from_str(&reply.jwks).unwrap(), reply.etag)
}

async fn kids(service: &Service) -> BTreeSet<String> {
    let (jwks, _) = jwks(service).await;
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(token: &str) -> String {
    use base64::Engine as _;
    let head = token.split('.').next().unwrap();
    let head = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(head).unwrap();
    let head: Value = serde_json::from_slice(&head).unwrap();
    assert_eq!(head["typ"], "at+jwt");
    head["kid"].as_str().unwrap().to_owned()
}

async fn rotated(service: &Service) -> pb::SigningKey {
    let request = pb::RotateSigningKeyRequest::default();
    let reply = service.tokens(&service.root).rotate_signing_key(request).await.unwrap();
    reply.into_inner().signing_key.unwrap()
}

/// Asks the administrators' port; returns status, headers and body.
async fn page(service: &Service, more: &str) -> (String, String, String) {
    let mut stream = TcpStream::connect(service.admin()).await.unwrap();
    let path = "/.well-known/jwks.json";
    let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\n{more}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let (status, headers) = head.split_once("\r\n").unwrap();
    (status.to_owned(), headers.to_ascii_lowercase(), body.to_owned())
}

#[tokio::test]
async fn a_new_key_is_shown_before_it_signs_and_the_old_one_until_nothing_is_left_of_it() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let long = service.session_that(&ann, true).await;
        let old = kid(&long.access_token);
        assert_eq!(kids(&service).await, BTreeSet::from([old.clone()]));
        let key = rotated(&service).await;
        assert_eq!(kids(&service).await, BTreeSet::from([old.clone(), key.key_id.clone()]));
        let still = service.refresh(&long.refresh_token).await.unwrap();
        assert_eq!(kid(&still.access_token), old);
        service.advance(15 * 60);
        let new = service.refresh(&still.refresh_token).await.unwrap();
        assert_eq!(kid(&new.access_token), key.key_id);
        called(&service, &ann.with(&new)).await.unwrap();
        assert_eq!(kids(&service).await.len(), 2);
        service.advance(70 * 60);
        assert_eq!(kids(&service).await, BTreeSet::from([key.key_id]));
        service.verify(&service.root.account_id).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn replicas_that_start_together_make_one_key_and_both_sign_with_it() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let (one, two) = tokio::join!(service.replica(), service.replica());
        assert_eq!(kids(&one).await, kids(&service).await);
        assert_eq!(kids(&one).await, kids(&two).await);
        let session = service.session(&ann).await;
        let there = one.refresh(&session.refresh_token).await.unwrap();
        called(&two, &ann.with(&there)).await.unwrap();
        // A key that is made at one of them is known to the others.
        let key = rotated(&one).await.key_id;
        let began = std::time::Instant::now();
        while !kids(&two).await.contains(&key) {
            assert!(began.elapsed().as_secs() < 5);
        }
        for service in [one, two, service] {
            service.stop().await;
        }
    }
}

#[tokio::test]
async fn the_keys_are_a_page_for_whoever_verifies_by_itself() {
    for engine in engines() {
        let settings = [("tokens.algorithm", "EdDSA"), ("limits.changes_per_minute", "0")];
        let service = Service::start_with(&engine, &settings).await;
        let (status, headers, body) = page(&service, "").await;
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert!(headers.contains("cache-control: public, max-age=300"), "{headers}");
        let keys: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(keys, jwks(&service).await.0);
        assert_eq!(
            (&keys["keys"][0]["kty"], &keys["keys"][0]["alg"]),
            (&"OKP".into(), &"EdDSA".into())
        );
        assert!(keys["keys"][0].get("d").is_none());
        let etag = headers.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
        let same = format!("if-none-match: \"other\", W/{etag}\r\n");
        let (status, headers, body) = page(&service, &same).await;
        assert_eq!((&*status, &*body), ("HTTP/1.1 304 Not Modified", ""));
        assert!(headers.contains("cache-control"), "{headers}");
        rotated(&service).await;
        assert_eq!(page(&service, &same).await.0, "HTTP/1.1 200 OK");
        service.stop().await;
    }
}

#[tokio::test]
async fn the_keys_are_shown_while_the_store_is_away() {
    for engine in engines() {
        let settings = [("staleness_ms", "100"), ("poll_ms", "50")];
        let service = Service::start_with(&engine, &settings).await;
        let known = kids(&service).await;
        service.store.close().await.unwrap();
        let began = std::time::Instant::now();
        while called(&service, &service.root).await.is_ok() {
            assert!(began.elapsed().as_secs() < 20, "it answers on and on");
        }
        assert_eq!(kids(&service).await, known);
        assert_eq!(page(&service, "").await.0, "HTTP/1.1 200 OK");
    }
}

#[tokio::test]
async fn a_signing_key_is_replaced_by_the_platforms_own_people_alone() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let root = service.root.account_id.clone();
        let plain = service.person(&root, "plain", &[]).await;
        let rotate = pb::RotateSigningKeyRequest::default;
        let unseen = service.tokens(&boss).rotate_signing_key(rotate()).await;
        refused(unseen, Code::NotFound, "ACCOUNT_NOT_FOUND");
        let may_not = service.tokens(&plain).rotate_signing_key(rotate()).await;
        refused(may_not, Code::PermissionDenied, "ACCESS_DENIED");
        let (_, etag) = jwks(&service).await;
        let request = || pb::RotateSigningKeyRequest { etag: etag.clone(), ..rotate() };
        let tokens = || service.tokens(&service.root);
        tokens().rotate_signing_key(request()).await.unwrap();
        let stale = tokens().rotate_signing_key(request()).await;
        refused(stale, Code::Aborted, "ETAG_MISMATCH");
        service.stop().await;
    }
}
