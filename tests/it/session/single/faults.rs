//! ID tokens that are none, or count no more: what others have taken for one.

use super::*;
use crate::support::{beginning, said};

/// What an ID token is not: each claim or header in turn, wrong, missing or of another type.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one list of what is refused, case by case")]
async fn a_token_that_is_not_exactly_ours_and_of_now_is_none() {
    for engine in engines() {
        let house = House::start(&engine).await;
        house.sso("ann", "ann@example.com").await;
        let at = beginning().timestamp();
        let good = || house.issuer.claims("a", "ann@example.com");
        let (url, key) = (&house.issuer.url, &house.key);
        for (name, value) in [
            ("iss", json!(format!("{url}/"))),
            ("iss", json!(url.to_uppercase())),
            ("iss", json!([url])),
            ("iss", json!("https://accounts.example.com")),
            ("aud", json!(CLIENT.to_uppercase())),
            ("aud", json!(format!("{CLIENT} "))),
            ("aud", json!("chancery")),
            ("aud", json!([])),
            ("aud", json!([CLIENT, "other"])),
            ("aud", json!([CLIENT, CLIENT])),
            ("aud", json!({ "0": CLIENT })),
            ("azp", json!("other")),
            ("azp", json!([CLIENT])),
            ("sub", json!("")),
            ("sub", json!(7)),
            ("sub", json!("x".repeat(256))),
            ("sub", json!("a\u{0}")),
            ("exp", json!(at.to_string())),
            ("exp", json!(1_800_003_600.0)),
            ("exp", json!(9_223_372_036_854_775_808_u64)),
            ("exp", json!(-1)),
            ("exp", json!(null)),
            ("iat", json!(at + 61)),
            ("iat", json!(at.to_string())),
            ("iat", json!(-1)),
            ("iat", json!(at + 7200)),
            ("nbf", json!(at + 61)),
            ("nbf", json!("0")),
            // A logout token, and what some issuers call their other tokens.
            ("events", json!({ "http://schemas.openid.net/event/backchannel-logout": {} })),
            ("typ", json!("Bearer")),
            ("typ", json!("Refresh")),
        ] {
            let mut claims = good();
            claims[name] = value.clone();
            let answer = house.opened(&claims).await;
            assert!(answer.is_err(), "{name} = {value}");
            refused(answer, Code::Unauthenticated, "TOKEN_INVALID");
        }
        for name in ["iss", "aud", "sub", "exp", "iat"] {
            let mut claims = good();
            claims.as_object_mut().unwrap().remove(name);
            refused(house.opened(&claims).await, Code::Unauthenticated, "TOKEN_INVALID");
        }
        let header = |name: &str, value: Value| {
            let mut header = json!({ "alg": "ES256", "typ": "JWT", "kid": key.kid });
            header[name] = value;
            header
        };
        let stranger = Key::es256("one");
        let forged = stranger.sign(&good());
        let own = stranger.sign_as(&header("jwk", stranger.jwk()), &good());
        let far = stranger.sign_as(&header("jku", json!(format!("{url}/jwks"))), &good());
        let mut texts = vec![forged, own, far, String::from("a.b.c"), "..".to_owned()];
        for (name, value) in [
            ("typ", json!("at+jwt")),
            ("typ", json!("logout+jwt")),
            ("typ", json!(7)),
            ("crit", json!(["exp"])),
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("alg", json!("RS256")),
            ("alg", json!("EdDSA")),
            ("alg", json!("ES384")),
            ("kid", json!("two")),
            ("kid", json!("../one")),
            ("kid", json!("' or 1=1 --")),
        ] {
            texts.push(key.sign_as(&header(name, value), &good()));
        }
        let token = key.sign(&good());
        let (signed, _) = token.rsplit_once('.').unwrap();
        texts.extend([
            format!("{signed}."),
            signed.to_owned(),
            format!("{token}="),
            format!(" {token}"),
        ]);
        for text in texts {
            refused(exchanged(&house.service, &text).await, Code::Unauthenticated, "TOKEN_INVALID");
        }
        // A public key is no shared secret, and a token of ours none of the issuer's.
        for secret in [key.jwk().to_string(), "secret".to_owned(), String::new()] {
            let hmac = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
            let unsigned = key.sign_as(&header("alg", json!("HS256")), &good());
            let (said, _) = unsigned.rsplit_once('.').unwrap();
            let tag = ring::hmac::sign(&hmac, said.as_bytes());
            let text = format!("{said}.{}", base64(tag.as_ref()));
            refused(exchanged(&house.service, &text).await, Code::Unauthenticated, "TOKEN_INVALID");
        }
        let session = house.service.session(&house.service.root).await;
        let ours = exchanged(&house.service, &session.access_token).await;
        refused(ours, Code::Unauthenticated, "TOKEN_INVALID");
        // And of what is no assertion, as which it is sent, nothing comes either.
        let other = pb::ExchangeTokenRequest { subject_token: token, ..Default::default() };
        let other = house.service.sessions(&house.service.root).exchange_token(other).await;
        refused(other, Code::Unauthenticated, "TOKEN_INVALID");
        assert_eq!(house.links().await, 0);
        house.opened(&good()).await.unwrap();
        house.end().await;
    }
}

fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn what_may_differ_from_one_issuer_to_the_next_does_no_harm() {
    for engine in engines() {
        // Two of our programs sign people in at the issuer.
        let house = House::start(&engine).await;
        let url = &house.issuer.url;
        let issuers =
            format!("[{{ issuer = '{url}', audiences = ['{CLIENT}', 'app'], account = 'acme' }}]");
        let service = house.service.replica_with(&[("sso.issuers", &issuers)]).await;
        house.sso("ann", "ann@example.com").await;
        let at = beginning().timestamp();
        for (name, value) in [
            ("aud", json!([CLIENT])),
            ("aud", json!("app")),
            ("azp", json!(CLIENT)),
            ("azp", json!("app")),
            ("typ", json!("ID")),
            ("nbf", json!(at + 60)),
            ("iat", json!(at + 60)),
            ("amr", json!(["pwd"])),
            ("email", json!("moved@example.org")),
        ] {
            let mut claims = house.issuer.claims("a", "ann@example.com");
            claims[name] = value;
            exchanged(&service, &house.key.sign(&claims)).await.unwrap();
        }
        let mut both = house.issuer.claims("a", "ann@example.com");
        both["aud"] = json!([CLIENT, "app"]);
        let none = exchanged(&service, &house.key.sign(&both)).await;
        refused(none, Code::Unauthenticated, "TOKEN_INVALID");
        both["azp"] = json!("app");
        exchanged(&service, &house.key.sign(&both)).await.unwrap();
        for header in
            [json!({ "alg": "ES256" }), json!({ "alg": "ES256", "typ": "jwt", "kid": "one" })]
        {
            let claims = house.issuer.claims("a", "ann@example.com");
            exchanged(&service, &house.key.sign_as(&header, &claims)).await.unwrap();
        }
        service.stop().await;
        house.end().await;
    }
}

#[tokio::test]
async fn a_token_counts_for_ten_minutes_and_no_longer_than_it_says() {
    for engine in engines() {
        let house = House::start(&engine).await;
        house.sso("ann", "ann@example.com").await;
        let at = beginning().timestamp();
        let ending = |end: i64| {
            let mut claims = house.issuer.claims("a", "ann@example.com");
            claims["exp"] = json!(end);
            claims
        };
        house.service.advance(119);
        house.opened(&ending(at + 60)).await.unwrap();
        house.service.advance(1);
        let late = house.opened(&ending(at + 60)).await;
        refused(late, Code::Unauthenticated, "TOKEN_EXPIRED");
        house.service.advance(539);
        house.opened(&ending(at + 3600)).await.unwrap();
        house.service.advance(1);
        let late = house.opened(&ending(at + 3600)).await;
        refused(late, Code::Unauthenticated, "TOKEN_EXPIRED");
        house.end().await;
    }
}

#[tokio::test]
async fn a_token_counts_once_wherever_and_however_it_is_sent() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let other = house.service.replica().await;
        house.sso("ann", "ann@example.com").await;
        let token = house.key.sign(&house.issuer.claims("a", "ann@example.com"));
        let tries =
            (0..12).map(|n| exchanged(if n % 2 == 0 { &house.service } else { &other }, &token));
        let answers = futures::future::join_all(tries).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        for answer in answers.into_iter().filter_map(Result::err) {
            assert_eq!(said(&answer), (Code::Unauthenticated, "TOKEN_INVALID".to_owned()));
        }
        // Of an ECDSA signature there is always another one, which is as good.
        refused(exchanged(&other, &twin(&token)).await, Code::Unauthenticated, "TOKEN_INVALID");
        let fresh = house.key.sign(&house.issuer.claims("a", "ann@example.com"));
        exchanged(&other, &twin(&fresh)).await.unwrap();
        refused(exchanged(&other, &fresh).await, Code::Unauthenticated, "TOKEN_INVALID");
        // It is remembered as long as it could count, also where it opened nothing.
        let unknown = house.key.sign(&house.issuer.claims("b", "unknown@example.com"));
        refused(exchanged(&other, &unknown).await, Code::Unauthenticated, "SIGN_IN_FAILED");
        house.service.advance(659);
        house.service.store.forget_assertions().await.unwrap();
        for spent in [&token, &fresh, &unknown] {
            let again = exchanged(&house.service, spent).await;
            refused(again, Code::Unauthenticated, "TOKEN_INVALID");
        }
        house.service.advance(2);
        assert!(house.service.store.forget_assertions().await.unwrap() >= 3);
        other.stop().await;
        house.end().await;
    }
}

/// The same token with the other signature: of (r, s) it is (r, n - s).
fn twin(token: &str) -> String {
    use ::base64::Engine as _;
    const N: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63,
        0x25, 0x51,
    ];
    let (said, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = ::base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut borrow = 0_i16;
    for place in (0..32).rev() {
        let left = i16::from(N[place]) - i16::from(bytes[32 + place]) - borrow;
        borrow = i16::from(left < 0);
        bytes[32 + place] = u8::try_from(left.rem_euclid(256)).unwrap();
    }
    format!("{said}.{}", base64(&bytes))
}
