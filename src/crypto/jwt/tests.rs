use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::crypto::KeyRing;
use crate::model::{HeldClock, SigningAlgorithm, SigningKey};

const BOTH: [SigningAlgorithm; 2] = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa];

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn pair(algorithm: SigningAlgorithm) -> Pair {
    let key = SigningKey {
        id: SigningKeyId::new(&HeldClock::at(now())),
        algorithm,
        create_time: now(),
        activate_time: now(),
        retire_time: None,
    };
    KeySecret::generate(algorithm).unwrap().pair(key).unwrap()
}

fn parties() -> Parties {
    Parties { issuer: "https://id.example".to_owned(), audience: "chancery".to_owned() }
}

fn claims() -> AccessClaims {
    let clock = HeldClock::at(now());
    let Parties { issuer: iss, audience: aud } = parties();
    let at = now().timestamp();
    AccessClaims {
        iss,
        aud,
        sub: UserId::new(&clock),
        acc: AccountId::new(&clock),
        ten: AccountId::new(&clock),
        iat: at,
        nbf: at,
        exp: at + 300,
        jti: "one".to_owned(),
        sid: Some(SessionId::new(&clock)),
        key: None,
        auth_time: at,
        act: None,
        scope: None,
    }
}

fn header(pair: &Pair) -> Header {
    let mut header = Header::new(pair.algorithm);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(pair.key.id.to_string());
    header
}

/// Signs with the right key whatever is said.
fn forged(pair: &Pair, header: &Header, claims: &Value) -> String {
    install();
    encode(header, claims, &pair.encoding).unwrap()
}

fn check(text: &str, pair: &Pair) -> Result<AccessClaims, BadJwt> {
    let (_, claims) = verify(text, std::iter::once(pair), &parties())?;
    in_time(&claims, now())?;
    Ok(claims)
}

#[test]
fn what_is_signed_is_read_until_it_expires() {
    for algorithm in BOTH {
        let (pair, claims) = (pair(algorithm), claims());
        let text = pair.sign(&claims).unwrap();
        assert!(is_jwt(&text));
        let (kid, read) = verify(&text, std::iter::once(&pair), &parties()).unwrap();
        assert_eq!((kid, &read), (pair.key.id, &claims));
        let at = |seconds| in_time(&read, now() + TimeDelta::seconds(seconds));
        assert_eq!((at(299), at(300)), (Ok(()), Err(BadJwt::Expired)));
        assert_eq!(at(-6), Err(BadJwt::Invalid), "from a future that no clock explains");
        assert_eq!(at(-5), Ok(()));
    }
}

#[test]
fn a_key_that_is_not_ours_a_curve_that_is_not_its_own_and_none_at_all_are_refused() {
    let [one, other] = BOTH.map(pair);
    let text = one.sign(&claims()).unwrap();
    assert_eq!(check(&text, &other), Err(BadJwt::Invalid));
    // Another key that calls itself by our name.
    let mut impostor = pair(SigningAlgorithm::Es256);
    impostor.key = one.key.clone();
    assert_eq!(check(&impostor.sign(&claims()).unwrap(), &one), Err(BadJwt::Invalid));
    let claims = serde_json::to_value(claims()).unwrap();
    // The header says another way of signing than the key's.
    let mut wrong = header(&other);
    wrong.kid = Some(one.key.id.to_string());
    assert_eq!(check(&forged(&other, &wrong, &claims), &one), Err(BadJwt::Invalid));
    // None, in every spelling; and a shared secret that is our public key, which everybody has.
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    for alg in ["none", "None", "NONE", "nOnE", "", "HS256", "RS256", "ES384"] {
        let header = json!({ "alg": alg, "typ": TYPE, "kid": one.key.id.to_string() });
        let head = URL_SAFE_NO_PAD.encode(header.to_string());
        for signature in ["", "AA", text.rsplit('.').next().unwrap()] {
            let text = format!("{head}.{payload}.{signature}");
            assert_eq!(check(&text, &one), Err(BadJwt::Invalid), "{alg}");
        }
    }
    let public = one.jwk().to_string();
    assert!(!public.contains("\"d\""), "no private half is shown");
    assert!(DecodingKey::from_secret(public.as_bytes()).family() != Algorithm::ES256.family());
    let _ = EncodingKey::from_secret(public.as_bytes());
}

#[test]
fn a_header_of_another_type_or_that_asks_for_more_is_refused() {
    let pair = pair(SigningAlgorithm::EdDsa);
    let claims = serde_json::to_value(claims()).unwrap();
    assert!(check(&forged(&pair, &header(&pair), &claims), &pair).is_ok());
    for typ in [None, Some("JWT"), Some("at+JWT"), Some("application/at+jwt"), Some("rt+jwt")] {
        let header = Header { typ: typ.map(str::to_owned), ..header(&pair) };
        assert_eq!(check(&forged(&pair, &header, &claims), &pair), Err(BadJwt::Invalid), "{typ:?}");
    }
    for kid in [None, Some(String::new()), Some("../key".to_owned()), Some("' or 1=1".to_owned())] {
        let header = Header { kid, ..header(&pair) };
        assert_eq!(check(&forged(&pair, &header, &claims), &pair), Err(BadJwt::Invalid));
    }
    let header = Header { crit: Some(vec!["b64".to_owned()]), ..header(&pair) };
    assert_eq!(check(&forged(&pair, &header, &claims), &pair), Err(BadJwt::Invalid));
}

#[test]
fn every_claim_is_there_and_of_its_own_type() {
    let pair = pair(SigningAlgorithm::EdDsa);
    let good = serde_json::to_value(claims()).unwrap();
    let head = header(&pair);
    let names: Vec<String> = good.as_object().unwrap().keys().cloned().collect();
    let others = [
        json!(null),
        json!("x"),
        json!("1800000300"),
        json!(1.5),
        json!(1_800_000_300.0),
        json!(-1),
        json!(u64::MAX),
        json!([]),
        json!({}),
        json!(true),
    ];
    for name in names {
        let mut without = good.clone();
        without.as_object_mut().unwrap().remove(&name);
        let said = check(&forged(&pair, &head, &without), &pair);
        // That it has a session or a key is asked where these are known.
        if name != "sid" {
            assert_eq!(said, Err(BadJwt::Invalid), "without {name}");
        }
        for other in &others {
            // Any text names a token; that it is another's issuer or audience is seen below.
            if name == "sid" && other.is_null() || name == "jti" && other.is_string() {
                continue;
            }
            let mut changed = good.clone();
            changed[&name] = other.clone();
            let said = check(&forged(&pair, &head, &changed), &pair);
            assert!(said.is_err(), "{name} = {other}: {said:?}");
        }
    }
    let at = now().timestamp();
    for (name, value) in [
        ("iss", json!("https://id.example/")),
        ("iss", json!(["https://id.example"])),
        ("aud", json!("chancery2")),
        ("aud", json!(["chancery"])),
        ("nbf", json!(at + 60)),
        ("iat", json!(at + 60)),
        ("exp", json!(at - 1)),
    ] {
        let mut changed = good.clone();
        changed[name] = value.clone();
        assert!(check(&forged(&pair, &head, &changed), &pair).is_err(), "{name} = {value}");
    }
}

#[test]
fn a_text_that_is_not_the_token_to_the_letter_is_none() {
    let pair = pair(SigningAlgorithm::Es256);
    let text = pair.sign(&claims()).unwrap();
    for end in 0..text.len() {
        assert_eq!(check(&text[..end], &pair), Err(BadJwt::Invalid), "{end}");
    }
    for other in [
        format!("{text}="),
        format!(" {text}"),
        format!("{text}\n"),
        format!("{text}."),
        format!("{text}A"),
        text.replace('.', ".."),
        "x".repeat(LONGEST + 1),
    ] {
        assert_eq!(check(&other, &pair), Err(BadJwt::Invalid), "{other}");
    }
}

#[test]
fn a_sealed_key_opens_for_what_was_said_of_it_alone() {
    let ring = |seed: u8| KeyRing::from_master(&[seed; 32]);
    for algorithm in BOTH {
        let (secret, of) = (KeySecret::generate(algorithm).unwrap(), pair(algorithm).key);
        let sealed = secret.seal(&ring(1), &of).unwrap();
        let opened = KeySecret::open(&ring(1), &of, &sealed).unwrap();
        let text = opened.pair(of.clone()).unwrap().sign(&claims()).unwrap();
        assert!(check(&text, &secret.pair(of.clone()).unwrap()).is_ok());
        assert!(KeySecret::open(&ring(2), &of, &sealed).is_none());
        let later = now() + TimeDelta::microseconds(1);
        let others = [
            SigningKey { id: pair(algorithm).key.id, ..of.clone() },
            SigningKey { create_time: later, ..of.clone() },
            SigningKey { activate_time: later, ..of.clone() },
            SigningKey { retire_time: Some(later), ..of.clone() },
            SigningKey {
                algorithm: if algorithm == SigningAlgorithm::Es256 {
                    SigningAlgorithm::EdDsa
                } else {
                    SigningAlgorithm::Es256
                },
                ..of.clone()
            },
        ];
        for other in others {
            assert!(KeySecret::open(&ring(1), &other, &sealed).is_none(), "{other:?}");
        }
        assert!(!format!("{secret:?} {:?}", pair(algorithm)).contains("48, "), "no bytes");
    }
}

proptest! {
    #[test]
    fn no_text_panics_or_passes(text in prop_oneof![".*", "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}"]) {
        prop_assert_eq!(check(&text, &pair(SigningAlgorithm::EdDsa)), Err(BadJwt::Invalid));
    }
}
