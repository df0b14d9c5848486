use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::crypto::jwt::{BadJwks, KeySecret, Pair};
use crate::model::{HeldClock, KeyAlgorithm, SigningAlgorithm, SigningKey, SigningKeyId};

const ALL: [KeyAlgorithm; 3] = [KeyAlgorithm::Es256, KeyAlgorithm::EdDsa, KeyAlgorithm::Rs256];

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn pair() -> Pair {
    let key = SigningKey {
        id: SigningKeyId::new(&HeldClock::at(now())),
        algorithm: SigningAlgorithm::EdDsa,
        create_time: now(),
        activate_time: now(),
        retire_time: None,
    };
    KeySecret::generate(key.algorithm).unwrap().pair(key).unwrap()
}

fn claims() -> Value {
    let at = now().timestamp();
    json!({
        "iss": "https://id.example", "sub": "a", "aud": "us", "azp": "us", "iat": at, "nbf": at,
        "exp": at + 60, "email": "ann@example.com", "email_verified": true,
    })
}

fn signed(pair: &Pair, claims: &Value) -> String {
    let mut header = jsonwebtoken::Header::new(pair.algorithm);
    header.kid = Some(pair.key.id.to_string());
    install();
    jsonwebtoken::encode(&header, claims, &pair.encoding).unwrap()
}

fn keys(pair: &Pair) -> Jwks {
    Jwks::read(json!({ "keys": [pair.jwk()] }).to_string().as_bytes(), &ALL).unwrap()
}

fn check(text: &str, keys: &Jwks) -> Result<IdClaims, BadJwt> {
    let audiences = ["us".to_owned(), "we".to_owned()];
    let wanted = Wanted { audiences: &audiences, claim: "email" };
    IdToken::read(text)?.verify(keys, wanted, now())
}

#[test]
fn what_it_says_is_told_and_every_claim_is_of_its_own_type() {
    let pair = pair();
    let keys = keys(&pair);
    let at = now().timestamp();
    let told = check(&signed(&pair, &claims()), &keys).unwrap();
    let address = Some("ann@example.com".to_owned());
    let (issuer, subject) = ("https://id.example".to_owned(), "a".to_owned());
    assert_eq!(told, IdClaims { issuer, subject, address, auth_time: at, end: at + 120 });
    let others = [
        json!(null),
        json!("1800000000"),
        json!(1.5),
        json!(1_800_000_000.0),
        json!(-1),
        json!(u64::MAX),
        json!([]),
        json!({}),
        json!(true),
    ];
    for name in ["iss", "sub", "aud", "iat", "exp"] {
        let mut without = claims();
        without.as_object_mut().unwrap().remove(name);
        assert_eq!(check(&signed(&pair, &without), &keys), Err(BadJwt::Invalid), "{name}");
    }
    for name in ["iss", "sub", "aud", "iat", "exp", "nbf", "azp"] {
        for other in &others {
            let text = |name: &&str| ["iss", "sub"].contains(name) && other.is_string();
            let absent = ["nbf", "azp"].contains(&name) && other.is_null();
            if text(&name) || absent {
                continue;
            }
            let mut changed = claims();
            changed[name] = other.clone();
            let said = check(&signed(&pair, &changed), &keys);
            assert_eq!(said, Err(BadJwt::Invalid), "{name} = {other}");
        }
    }
    let mut far = claims();
    far["exp"] = json!(i64::MAX);
    assert_eq!(check(&signed(&pair, &far), &keys).unwrap().end, at + 660, "it is not for ever");
}

#[test]
fn a_text_that_is_not_the_token_to_the_letter_is_none() {
    let pair = pair();
    let keys = keys(&pair);
    let text = signed(&pair, &claims());
    for end in 0..text.len() {
        assert_eq!(check(&text[..end], &keys), Err(BadJwt::Invalid), "{end}");
    }
    let (head, rest) = text.split_once('.').unwrap();
    for other in [
        format!("{text}="),
        format!(" {text}"),
        format!("{text}\n"),
        format!("{text}."),
        format!("{text}A"),
        format!("{head}.{text}"),
        format!("{head}=.{rest}"),
        text.replace('.', ".."),
        "x".repeat(LONGEST + 1),
    ] {
        assert_eq!(check(&other, &keys), Err(BadJwt::Invalid), "{other}");
    }
    let large = json!({ "iss": "https://id.example", "groups": "x".repeat(LONGEST) });
    assert!(IdToken::read(&signed(&pair, &large)).is_err());
}

#[test]
fn a_set_is_read_for_what_is_of_use_and_of_ones_own_nothing_is_secret() {
    let jwk = pair().jwk();
    let with = |name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        json!({ "keys": [jwk] }).to_string()
    };
    let read = |text: &str| Jwks::read(text.as_bytes(), &ALL).map(drop);
    for good in [
        with("extra", json!({ "any": [1] })),
        with("alg", json!("Ed25519")),
        with("alg", Value::Null),
        with("key_ops", json!(["verify"])),
        with("kid", Value::Null),
    ] {
        assert_eq!(read(&good), Ok(()), "{good}");
    }
    for none in [
        with("use", json!("enc")),
        with("alg", json!("ES256")),
        with("alg", json!("HS256")),
        with("key_ops", json!(["encrypt"])),
        with("crv", json!("Ed448")),
        with("kty", json!("oct")),
        with("kid", json!(7)),
        with("x", json!("AAAA")),
        with("x", json!("not base64!")),
        with("d", json!("AAAA")),
        json!({ "keys": [] }).to_string(),
    ] {
        assert_eq!(read(&none), Err(BadJwks::None), "{none}");
    }
    for text in ["", "[]", "{}", "{\"keys\":7}", "null"] {
        assert_eq!(read(text), Err(BadJwks::Form), "{text}");
    }
    let own = |text: &str| Jwks::read_own(text.as_bytes(), &ALL).map(drop);
    assert_eq!(own(&with("d", json!("AAAA"))), Err(BadJwks::Private));
    assert_eq!(own(&with("k", json!("AAAA"))), Err(BadJwks::Private));
    assert_eq!(own(&with("kid", json!("x"))), Ok(()));
    let es256 = Jwks::read(with("kid", json!("x")).as_bytes(), &[KeyAlgorithm::Es256]);
    assert_eq!(es256.map(drop), Err(BadJwks::None));
}

#[test]
fn a_token_that_names_no_key_is_by_the_only_one() {
    let (one, two) = (pair(), pair());
    let both = json!({ "keys": [one.jwk(), two.jwk()] }).to_string();
    let both = Jwks::read(both.as_bytes(), &ALL).unwrap();
    install();
    let header = jsonwebtoken::Header::new(one.algorithm);
    let text = jsonwebtoken::encode(&header, &claims(), &one.encoding).unwrap();
    assert!(check(&text, &keys(&one)).is_ok());
    assert_eq!(check(&text, &keys(&two)), Err(BadJwt::Invalid));
    assert_eq!(check(&text, &both), Err(BadJwt::Invalid));
    assert!(check(&signed(&one, &claims()), &both).is_ok());
}

proptest! {
    #[test]
    fn no_text_panics_or_passes(text in prop_oneof![".*", "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}"]) {
        prop_assert_eq!(check(&text, &keys(&pair())), Err(BadJwt::Invalid));
        let _ = Jwks::read(text.as_bytes(), &ALL);
    }
}
