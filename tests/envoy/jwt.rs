//! Access tokens that Envoy verifies by itself, by our keys, through the shipped configuration.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::HeaderMap;
use bytes::Bytes;
use chancery::proto::v1 as pb;
use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::http::{Reply, send};
use crate::shipped;
use crate::support::{Service, engines};

/// How long Envoy may take to ask for the keys anew.
const PATIENCE: Duration = Duration::from_secs(30);

/// An application that answers with the headers that reach it.
async fn application() -> SocketAddr {
    let app = Router::new().fallback(|headers: HeaderMap| async move {
        let seen =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()));
        Value::Object(seen.collect()).to_string()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    at
}

async fn call(at: SocketAddr, token: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("x-chancery-user", "usr_spoofed")];
    if !token.is_empty() {
        headers.push(("authorization", bearer.as_str()));
    }
    send(at, Method::GET, "/things/1", &headers, Bytes::new()).await
}

/// The shipped listener without the question to us, which has tests of its own.
fn without_a_question(config: &mut Value) {
    for listener in config["static_resources"]["listeners"].as_array_mut().unwrap() {
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        let filters = manager["http_filters"].as_array_mut().unwrap();
        filters.retain(|filter| filter["name"] != "envoy.filters.http.ext_authz");
        for filter in filters {
            if filter["name"] == "envoy.filters.http.jwt_authn" {
                let provider = &mut filter["typed_config"]["providers"]["chancery"];
                provider["remote_jwks"]["cache_duration"] = json!("1s");
                // The service's clock is the test's own, and Envoy's is not.
                provider["clock_skew_seconds"] = json!(u32::MAX / 2);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_verifies_access_tokens_and_follows_the_keys() {
    for engine in engines() {
        for algorithm in ["ES256", "EdDSA"] {
            let settings = [("tokens.algorithm", algorithm), ("limits.changes_per_minute", "0")];
            let service = Service::start_with(&engine, &settings).await;
            let acme = service.tenant("Acme").await;
            let ann = service.person(&acme, "ann", &[]).await;
            let envoy =
                shipped::before_with(&service, application().await, without_a_question).await;
            let at = envoy.at("application");

            let first = service.session_that(&ann, true).await;
            let passed = call(at, &first.access_token).await;
            assert_eq!(passed.status, 200, "{passed:?}\n{}", envoy.log());
            assert_eq!(passed.json()["x-chancery-user"], Value::Null, "{passed:?}");
            assert_eq!(call(at, "").await.status, 401);
            let (said, signature) = first.access_token.rsplit_once('.').unwrap();
            let other = if signature.starts_with('A') { "B" } else { "A" };
            let forged = format!("{said}.{other}{}", &signature[1..]);
            assert_eq!(call(at, &forged).await.status, 401, "{forged}");

            // What a new key signs is known at once, since the key was shown before; and what the old one has signed counts
            // until that is gone.
            let rotate = pb::RotateSigningKeyRequest::default();
            service.tokens(&service.root).rotate_signing_key(rotate).await.unwrap();
            service.advance(15 * 60);
            let second = service.refresh(&first.refresh_token).await.unwrap();
            until(at, &second.access_token, 200).await;
            assert_eq!(call(at, &first.access_token).await.status, 200);
            service.advance(70 * 60);
            until(at, &first.access_token, 401).await;
            assert_eq!(call(at, &second.access_token).await.status, 200);
            drop(envoy);
            service.stop().await;
        }
    }
}

/// Calls until the answer is as it should be: Envoy asks for the keys once a second here.
async fn until(at: SocketAddr, token: &str, status: u16) {
    let began = Instant::now();
    loop {
        let told = call(at, token).await;
        if told.status == status {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{told:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
