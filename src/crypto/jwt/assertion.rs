//! Assertions of service users: JSON Web Tokens that they sign themselves, to get an access token for (`model.md` §9).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::public::{BEFORE_ED25519, BEFORE_P256, bare};
use super::{BadJwt, KeySecret, LONGEST, NoKey, install};
use crate::model::{KeyAlgorithm, KeyId, PublicKey, SigningAlgorithm, UserId};

/// So far may the clocks of others be off, in seconds.
const SKEW: i64 = 60;
/// The longest that an assertion says it lives, in seconds.
const HOUR: i64 = 3600;
/// What an assertion may call its type.
const TYPES: [&str; 2] = ["JWT", "jwt"];
/// The most characters that an assertion may call itself by.
const LONGEST_NAME: usize = 256;

/// What an assertion says, once it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AssertionClaims {
    /// Who says it: the user.
    pub iss: UserId,
    /// Of whom: the same.
    pub sub: UserId,
    /// To whom: this issuer.
    pub aud: String,
    /// When it was signed.
    pub iat: i64,
    /// From when on it is worth nothing.
    pub exp: i64,
    /// Its own name, which the key uses once.
    pub jti: String,
}

/// Reads by which key a text says that it was signed; nothing is verified yet.
pub fn key_of(text: &str) -> Result<KeyId, BadJwt> {
    if text.len() > LONGEST {
        return Err(BadJwt::Invalid);
    }
    let header = decode_header(text).map_err(|_| BadJwt::Invalid)?;
    let typed = header.typ.as_deref().is_none_or(|typ| TYPES.contains(&typ));
    if !typed || header.crit.is_some() {
        return Err(BadJwt::Invalid);
    }
    header.kid.and_then(|kid| kid.parse().ok()).ok_or(BadJwt::Invalid)
}

/// Verifies an assertion by the key that it names; that it was used before is not known here.
pub fn verify_assertion(
    text: &str,
    key: &PublicKey,
    audience: &str,
    now: DateTime<Utc>,
) -> Result<AssertionClaims, BadJwt> {
    install();
    let invalid = |_| BadJwt::Invalid;
    let (algorithm, decoding) = decoding(key).map_err(|NoKey| BadJwt::Invalid)?;
    let mut validation = Validation::new(algorithm);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_audience(&[audience]);
    // The library asks the machine for the time.
    validation.validate_exp = false;
    let claims = decode::<AssertionClaims>(text, &decoding, &validation).map_err(invalid)?.claims;
    let now = now.timestamp();
    let life = claims.exp.checked_sub(claims.iat).unwrap_or(i64::MAX);
    let sane = (1..=HOUR).contains(&life)
        && claims.iat <= now + SKEW
        && claims.iss == claims.sub
        && !claims.jti.is_empty()
        && claims.jti.chars().count() <= LONGEST_NAME;
    if !sane {
        return Err(BadJwt::Invalid);
    }
    if now >= claims.exp.saturating_add(SKEW) { Err(BadJwt::Expired) } else { Ok(claims) }
}

/// How long after an assertion has expired it may still be taken, so that its name must be remembered; in seconds.
pub const REMEMBERED: i64 = SKEW;

fn decoding(key: &PublicKey) -> Result<(Algorithm, DecodingKey), NoKey> {
    let (algorithm, bare) = bare(&key.pem).ok_or(NoKey)?;
    if algorithm != key.algorithm {
        return Err(NoKey);
    }
    Ok(match algorithm {
        KeyAlgorithm::Es256 => (Algorithm::ES256, DecodingKey::from_ec_der(&bare)),
        KeyAlgorithm::EdDsa => (Algorithm::EdDSA, DecodingKey::from_ed_der(&bare)),
        KeyAlgorithm::Rs256 => (Algorithm::RS256, DecodingKey::from_rsa_der(&bare)),
    })
}

/// Makes a pair for a service user: what it keeps, in PEM, and what is kept of it.
pub fn make_key(
    algorithm: SigningAlgorithm,
) -> Result<(zeroize::Zeroizing<String>, PublicKey), NoKey> {
    let (secret, public) = KeySecret::generate(algorithm)?.halves(algorithm)?;
    let (before, algorithm): (&[u8], _) = match algorithm {
        SigningAlgorithm::Es256 => (&BEFORE_P256, KeyAlgorithm::Es256),
        SigningAlgorithm::EdDsa => (&BEFORE_ED25519, KeyAlgorithm::EdDsa),
    };
    let der = [before, public.as_slice()].concat();
    let pem = pem("PUBLIC KEY", &der);
    Ok((zeroize::Zeroizing::new(self::pem("PRIVATE KEY", &secret)), PublicKey { algorithm, pem }))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = zeroize::Zeroizing::new(STANDARD.encode(der));
    let mut pem = String::with_capacity(text.len() * 2 + 64);
    pem.push_str("-----BEGIN ");
    pem.push_str(label);
    pem.push_str("-----\n");
    let mut rest = text.as_str();
    while let Some((line, more)) = rest.split_at_checked(64) {
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    if !rest.is_empty() {
        pem.push_str(rest);
        pem.push('\n');
    }
    pem.push_str("-----END ");
    pem.push_str(label);
    pem.push_str("-----\n");
    pem
}
