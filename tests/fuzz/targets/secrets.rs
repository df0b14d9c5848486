//! What is signed, sealed or counted by a checksum.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chancery::crypto::jwt::{self, AccessClaims, AssertionClaims, KeySecret, Pair, Parties};
use chancery::crypto::{Certificate, ConsistencyToken, KeyRing, seal, token};
use chancery::model::{KeyAlgorithm, PublicKey, SigningAlgorithm, SigningKey, SigningKeyId};
use chrono::{DateTime, Utc};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::{halves, text};

/// Where we are reached, and when.
const ISSUER: &str = "https://id.example";
const NOW: i64 = 1_800_000_000;

static KEYS: LazyLock<KeyRing> = LazyLock::new(|| {
    KeyRing::from_base64("c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IDAwMDA=").expect("it has 32 bytes")
});

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).expect("it is a time")
}

/// Our own token, in which the first bytes of an input change others: one flipped at a place.
fn tampered(whole: &str, input: &[u8]) -> String {
    let mut bytes = whole.as_bytes().to_vec();
    for edit in input.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % bytes.len();
        bytes[at] = edit[2] & 0x7f;
    }
    String::from_utf8(bytes).expect("it is ASCII")
}

/// A token that is taken has the one length, and its checksum.
pub(super) fn api_tokens(input: &[u8]) {
    let text = text(input);
    let Ok(parsed) = token::parse(text) else { return };
    assert_eq!(text.len(), token::LENGTH);
    assert_eq!(text.get(4..7), Some(parsed.kind().name()));
    assert_eq!(parsed.digest(&KEYS), token::digest(&KEYS, text));
    for at in 0..text.len() {
        let mut other = text.as_bytes().to_vec();
        other[at] ^= 1;
        assert!(token::parse(std::str::from_utf8(&other).expect("it is ASCII")).is_err());
    }
}

/// Nothing opens that was not sealed, nor under another context.
pub(super) fn page_tokens(input: &[u8]) {
    let sealed = seal::seal_page(&KEYS, b"here", b"usr_00000000000000000000000001");
    let text = text(input);
    assert!(text == sealed || seal::open_page(&KEYS, b"here", text).is_none());
    let tampered = tampered(&sealed, input);
    assert!(tampered == sealed || seal::open_page(&KEYS, b"here", &tampered).is_none());
    let (context, cursor) = halves(input);
    let token = seal::seal_page(&KEYS, context, cursor);
    assert_eq!(seal::open_page(&KEYS, context, &token).as_deref(), Some(cursor));
    assert_eq!(seal::open_page(&KEYS, &[context, b"'"].concat(), &token), None);
}

/// A consistency token has one way to be written.
pub(super) fn consistency_tokens(input: &[u8]) {
    let text = text(input);
    if let Ok(read) = text.parse::<ConsistencyToken>() {
        assert_eq!(read.to_string(), text);
    }
}

/// A key is 32 bytes, however they are written.
pub(super) fn master_keys(input: &[u8]) {
    let text = text(input);
    if KeyRing::from_base64(text).is_ok() {
        assert_eq!(text.trim().trim_end_matches('=').len(), 43);
    }
}

static PAIR: LazyLock<Pair> = LazyLock::new(|| {
    let key = SigningKey {
        id: "sig_00000000000000000000000001".parse::<SigningKeyId>().expect("it is one"),
        algorithm: SigningAlgorithm::EdDsa,
        create_time: now(),
        activate_time: now(),
        retire_time: None,
    };
    let secret = KeySecret::generate(SigningAlgorithm::EdDsa).expect("there is chance");
    secret.pair(key).expect("it was made for it")
});

static PARTIES: LazyLock<Parties> =
    LazyLock::new(|| Parties { issuer: ISSUER.to_owned(), audience: "chancery".to_owned() });

/// Tells what an access token says, if it is one.
fn verified(text: &str) -> Option<AccessClaims> {
    let (key, claims) = jwt::verify(text, std::iter::once(&*PAIR), &PARTIES).ok()?;
    assert_eq!(key, PAIR.key().id);
    let _ = jwt::in_time(&claims, now());
    Some(claims)
}

/// Nothing that we have not signed is an access token, and what we have says what it said.
///
/// An input is a token; or claims, in JSON, that are signed.
pub(super) fn access_tokens(input: &[u8]) {
    assert_eq!(verified(text(input)), None);
    let Ok(claims) = serde_json::from_slice::<AccessClaims>(input) else {
        return;
    };
    let token = PAIR.sign(&claims).expect("there is chance");
    assert!(jwt::is_jwt(&token));
    let ours = claims.iss == PARTIES.issuer && claims.aud == PARTIES.audience;
    let read = verified(&token);
    assert!(read.is_none() || ours);
    assert!(read.is_none_or(|read| read == claims));
    let tampered = tampered(&token, input);
    let said = |text: &str| text.rsplit_once('.').map(|(said, _)| said.to_owned());
    assert!(verified(&tampered).is_none() || said(&tampered) == said(&token));
}

/// A service user's own key. It is no secret here.
static SERVICE: LazyLock<(Ed25519KeyPair, PublicKey)> = LazyLock::new(|| {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("it is a seed");
    let before = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let der = STANDARD.encode([before.as_slice(), pair.public_key().as_ref()].concat());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n");
    (pair, PublicKey { algorithm: KeyAlgorithm::EdDsa, pem })
});

fn asserted(text: &str) -> Option<AssertionClaims> {
    let _ = jwt::key_of(text);
    jwt::verify_assertion(text, &SERVICE.1, ISSUER, now()).ok()
}

/// Whoever has the key may sign what it likes; what is taken of that is of this user, to us, and for an hour at most.
///
/// An input is an assertion; or, with a NUL between them, its header and what it says, which are signed.
pub(super) fn assertions(input: &[u8]) {
    assert_eq!(asserted(text(input)), None);
    let (header, claims) = halves(input);
    let said = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let signature = URL_SAFE_NO_PAD.encode(SERVICE.0.sign(said.as_bytes()));
    let Some(claims) = asserted(&format!("{said}.{signature}")) else { return };
    assert_eq!((claims.iss, claims.aud.as_str()), (claims.sub, ISSUER));
    assert!((1..=3600).contains(&(claims.exp - claims.iat)) && !claims.jti.is_empty());
    assert_eq!(asserted(&format!("{said}x.{signature}")), None);
}

/// A certificate is all of its bytes and no more, and names nobody whose name is not in it.
pub(super) fn certificates(input: &[u8]) {
    let Some(read) = Certificate::read(input) else { return };
    assert_eq!(Certificate::read(&input[..input.len() - 1]), None);
    assert_eq!(Certificate::read(&[input, &[0]].concat()), None);
    if let Some(id) = read.spiffe_id {
        let id = id.as_str().as_bytes();
        assert!(input.windows(id.len()).any(|part| part == id));
    }
}

/// A key that is taken is taken again as it is kept, and has signed nothing of ours.
pub(super) fn public_keys(input: &[u8]) {
    let Ok(key) = jwt::read_public(text(input)) else { return };
    assert_eq!(jwt::read_public(&key.pem).as_ref().ok(), Some(&key));
    let none = "eyJhbGciOiJFZERTQSJ9.e30.AAAA";
    assert!(jwt::verify_assertion(none, &key, ISSUER, now()).is_err());
}
