//! Envoy verifies access tokens by itself, by the keys that the service publishes.

use std::time::{Duration, Instant};

use chancery::proto::v1 as pb;
use http::Method;
use serde_json::{Value, json};

use crate::http::send;
use crate::proxy::{Envoy, filter, http_cluster, listener};
use crate::support::{Service, engines};
use crate::upstream::Upstream;

/// How long Envoy may take to fetch keys anew.
const PATIENCE: Duration = Duration::from_secs(20);
/// The tests' clock is held: Envoy, whose clock is not, is not to mind in which year.
const ANY_TIME: u32 = 400_000_000;

fn jwt_authn() -> Value {
    let uri = json!({
        "uri": "http://chancery.example/.well-known/jwks.json",
        "cluster": "keys",
        "timeout": "5s",
    });
    let provider = json!({
        "issuer": "http://localhost",
        "audiences": ["chancery"],
        "clock_skew_seconds": ANY_TIME,
        "remote_jwks": { "http_uri": uri, "cache_duration": "1s" },
    });
    filter(
        "jwt_authn",
        "jwt_authn.v3.JwtAuthentication",
        json!({
            "providers": { "chancery": provider },
            "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "chancery" } }],
        }),
    )
}

async fn status(envoy: &Envoy, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    send(envoy.at("front"), Method::GET, "/", &headers, "").await.status.as_u16()
}

async fn becomes(envoy: &Envoy, token: &str, wanted: u16) {
    let began = Instant::now();
    loop {
        let found = status(envoy, token).await;
        if found == wanted {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "it stays {found}, and was to be {wanted}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn access_tokens_are_good_as_long_as_their_key_is_published() {
    for engine in engines() {
        for algorithm in ["ES256", "EdDSA"] {
            let settings = [("limits.changes_per_minute", "0"), ("tokens.algorithm", algorithm)];
            let service = Service::start_with(&engine, &settings).await;
            let elsewhere = Service::start_with(&engine, &settings).await;
            let upstream = Upstream::start().await;
            let envoy = Envoy::start(json!({
                "listeners": [listener("front", &[jwt_authn()], "upstream")],
                "clusters": [
                    http_cluster("keys", service.admin()),
                    http_cluster("upstream", upstream.at),
                ],
            }))
            .await;
            let acme = service.tenant("Acme").await;
            let ann = service.person(&acme, "ann", &[]).await;
            let first = service.session_that(&ann, true).await;
            assert_eq!(status(&envoy, &first.access_token).await, 200, "{}", envoy.log());
            assert_eq!(status(&envoy, "x").await, 401);
            let foreign = elsewhere.session(&elsewhere.root).await.access_token;
            assert_eq!(status(&envoy, &foreign).await, 401);

            let rotate = pb::RotateSigningKeyRequest::default();
            service.tokens(&service.root).rotate_signing_key(rotate).await.unwrap();
            // The new key is published before it signs.
            let still = service.refresh(&first.refresh_token).await.unwrap();
            becomes(&envoy, &still.access_token, 200).await;
            service.advance(15 * 60);
            let second = service.refresh(&still.refresh_token).await.unwrap();
            becomes(&envoy, &second.access_token, 200).await;
            // And the old one until nothing that it signed can be live.
            assert_eq!(status(&envoy, &first.access_token).await, 200);
            service.advance(70 * 60);
            becomes(&envoy, &first.access_token, 401).await;
            assert_eq!(status(&envoy, &second.access_token).await, 200);
            drop(envoy);
            service.stop().await;
            elsewhere.stop().await;
        }
    }
}
