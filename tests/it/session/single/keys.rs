//! The keys of an issuer: fetched when they are needed, seldom otherwise, and kept while it is away.

use std::sync::Arc;

use chancery::config::{Config, Sources};
use chancery::crypto::jwt::IdToken;
use chancery::issuers::{BadIdToken, Issuers};
use chancery::model::{Clock, HeldClock};
use chrono::TimeDelta;

use super::*;
use crate::support::beginning;

fn claims(house: &House) -> Value {
    house.issuer.claims("a", "ann@example.com")
}

#[tokio::test]
async fn a_new_key_is_fetched_and_a_flood_of_unknown_ones_is_not() {
    for engine in engines() {
        let house = House::start(&engine).await;
        house.sso("ann", "ann@example.com").await;
        house.opened(&claims(&house)).await.unwrap();
        assert_eq!(house.issuer.asked(), 1);
        let next = Key::ed_dsa("two");
        house.issuer.show(&[&next, &house.key]);
        house.service.advance(10);
        let floods = (0..50).map(|n| {
            let unknown = Key::es256(&format!("unknown {n}")).sign(&claims(&house));
            let service = &house.service;
            async move { exchanged(service, &unknown).await }
        });
        for answer in futures::future::join_all(floods).await {
            refused(answer, Code::Unauthenticated, "TOKEN_INVALID");
        }
        assert_eq!(house.issuer.asked(), 2, "they are asked for once in a while, whoever asks");
        exchanged(&house.service, &next.sign(&claims(&house))).await.unwrap();
        let third = Key::rs256("three");
        house.issuer.show(&[&third]);
        let early = exchanged(&house.service, &third.sign(&claims(&house))).await;
        refused(early, Code::Unauthenticated, "TOKEN_INVALID");
        house.service.advance(10);
        exchanged(&house.service, &third.sign(&claims(&house))).await.unwrap();
        assert_eq!(house.issuer.asked(), 3);
        // What the issuer shows no longer does not count any more.
        let old = exchanged(&house.service, &next.sign(&claims(&house))).await;
        refused(old, Code::Unauthenticated, "TOKEN_INVALID");
        house.end().await;
    }
}

#[tokio::test]
async fn while_the_issuer_is_away_its_known_keys_count_and_no_others() {
    for engine in engines() {
        let house = House::start(&engine).await;
        house.sso("ann", "ann@example.com").await;
        house.opened(&claims(&house)).await.unwrap();
        let other = Key::es256("two");
        let set = json!({ "keys": [other.jwk()] }).to_string();
        let long = format!("{set}{}", " ".repeat(300 << 10));
        let secret =
            json!({ "keys": [{ "kty": "oct", "kid": "two", "k": "c2VjcmV0" }] }).to_string();
        for (status, text) in [
            (500, set.as_str()),
            (302, &set),
            (204, ""),
            (200, ""),
            (200, "{}"),
            (200, "{\"keys\":[]}"),
            (200, &secret),
            (200, &long),
        ] {
            house.issuer.answer("jwks", status, text);
            house.service.advance(10);
            let unknown = exchanged(&house.service, &other.sign(&claims(&house))).await;
            let status = refused(unknown, Code::Unavailable, "ISSUER_UNAVAILABLE");
            assert!(tonic_types::StatusExt::get_error_details(&status).retry_info().is_some());
            house.opened(&claims(&house)).await.unwrap();
        }
        house.issuer.show(&[&other]);
        house.service.advance(10);
        exchanged(&house.service, &other.sign(&claims(&house))).await.unwrap();
        house.end().await;
    }
}

#[tokio::test]
async fn an_issuer_that_says_it_is_another_has_no_keys() {
    for engine in engines() {
        let house = House::start(&engine).await;
        house.sso("ann", "ann@example.com").await;
        let document = |issuer: &str, jwks: &str| {
            let document = json!({ "issuer": issuer, "jwks_uri": jwks }).to_string();
            house.issuer.answer(".well-known/openid-configuration", 200, &document);
        };
        let (url, keys) = (house.issuer.url.clone(), format!("{}/jwks", house.issuer.url));
        let fresh = || house.service.replica();
        for (issuer, jwks) in [
            (format!("{url}/"), keys.clone()),
            ("https://accounts.example.com".to_owned(), keys.clone()),
            (url.clone(), "http://issuer.example.com/jwks".to_owned()),
            (url.clone(), "file:///etc/passwd".to_owned()),
            (url.clone(), "/jwks".to_owned()),
        ] {
            document(&issuer, &jwks);
            let service = fresh().await;
            let unknown = exchanged(&service, &house.key.sign(&claims(&house))).await;
            refused(unknown, Code::Unavailable, "ISSUER_UNAVAILABLE");
            service.stop().await;
        }
        document(&url, &keys);
        let service = fresh().await;
        exchanged(&service, &house.key.sign(&claims(&house))).await.unwrap();
        service.stop().await;
        house.end().await;
    }
}

#[tokio::test]
async fn keys_that_are_given_are_not_fetched() {
    for engine in engines() {
        let house = House::start(&engine).await;
        house.sso("ann", "ann@example.com").await;
        let key = Key::ed_dsa("given");
        let set = json!({ "keys": [key.jwk()] }).to_string();
        let file = house.service.folder.path().join("jwks.json");
        std::fs::write(&file, &set).unwrap();
        house.issuer.answer("elsewhere", 200, &set);
        for more in [
            format!(", jwks = '{set}'"),
            format!(", jwks_file = '{}'", file.display()),
            format!(", jwks_uri = '{}/elsewhere'", house.issuer.url),
        ] {
            let issuers = house.issuer.that("acme", &more);
            let service = house.service.replica_with(&[("sso.issuers", &issuers)]).await;
            exchanged(&service, &key.sign(&claims(&house))).await.unwrap();
            refused(
                exchanged(&service, &house.key.sign(&claims(&house))).await,
                Code::Unauthenticated,
                "TOKEN_INVALID",
            );
            service.stop().await;
        }
        house.end().await;
    }
}

/// One that was withdrawn, since it was stolen, is trusted for an hour at most, though nobody comes with another.
#[tokio::test]
async fn keys_are_fetched_anew_every_hour() {
    let (old, new) = (Key::es256("old"), Key::es256("new"));
    let issuer = Issuer::start(&[&old]).await;
    let clock = Arc::new(HeldClock::at(beginning()));
    let flags = vec![("sso.issuers", issuer.of("acme"))];
    let config = Config::load(Sources { flags, ..Sources::default() }).unwrap().server();
    let shared: Arc<dyn Clock> = clock.clone();
    let issuers = Issuers::start(&config.issuers, &shared).unwrap();
    let verified = async |key: &Key| {
        let mut claims = issuer.claims("a", "ann@example.com");
        claims["iat"] = json!(clock.now().timestamp());
        claims["exp"] = json!(clock.now().timestamp() + 60);
        let text = key.sign(&claims);
        let token = IdToken::read(&text).unwrap();
        issuers.find(token.issuer()).unwrap().verify(&token, clock.now()).await
    };
    issuers.keep().await;
    issuers.keep().await;
    verified(&old).await.unwrap();
    assert_eq!(issuer.asked(), 1);
    issuer.show(&[&new]);
    clock.advance(TimeDelta::minutes(59));
    issuers.keep().await;
    verified(&old).await.unwrap();
    clock.advance(TimeDelta::minutes(1));
    issuer.answer("jwks", 503, "");
    issuers.keep().await;
    verified(&old).await.unwrap();
    issuer.show(&[&new]);
    issuers.keep().await;
    assert_eq!(issuer.asked(), 2, "one that is away is left alone for a while");
    clock.advance(TimeDelta::seconds(10));
    issuers.keep().await;
    verified(&new).await.unwrap();
    assert_eq!(verified(&old).await, Err(BadIdToken::Invalid));
    assert_eq!(issuer.asked(), 3);
}
