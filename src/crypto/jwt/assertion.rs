//! Assertions of service users: JSON Web Tokens that they sign themselves, to get an access token for (`model.md` §9).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use jsonwebtoken::errors::ErrorKind;
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

/// Why a text is no assertion that counts: for the log. Whoever sent it is told [`BadJwt`], which is less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAssertion {
    /// It is no JSON Web Token, or its header says what is not known here.
    #[error("form")]
    Form,
    /// Its header names no key that could be one.
    #[error("kid")]
    Kid,
    /// It says that it was signed in another way than its key signs.
    #[error("alg")]
    Algorithm,
    /// Its key has not signed it.
    #[error("signature")]
    Signature,
    /// A claim is missing, or is of another type.
    #[error("claims")]
    Claims,
    /// It is made for somebody else.
    #[error("aud")]
    Audience,
    /// Who says it is not of whom it speaks.
    #[error("iss_not_sub")]
    Issuer,
    /// It is to live for longer than an hour, or not at all.
    #[error("lifetime")]
    Lifetime,
    /// It was signed in a time to come.
    #[error("iat_ahead")]
    Ahead,
    /// Its own name is empty or too long.
    #[error("jti")]
    Name,
    /// Its time is over.
    #[error("expired")]
    Expired,
}

impl From<BadAssertion> for BadJwt {
    fn from(bad: BadAssertion) -> Self {
        match bad {
            BadAssertion::Expired => Self::Expired,
            BadAssertion::Form
            | BadAssertion::Kid
            | BadAssertion::Algorithm
            | BadAssertion::Signature
            | BadAssertion::Claims
            | BadAssertion::Audience
            | BadAssertion::Issuer
            | BadAssertion::Lifetime
            | BadAssertion::Ahead
            | BadAssertion::Name => Self::Invalid,
        }
    }
}

/// Reads by which key a text says that it was signed; nothing is verified yet.
pub fn key_of(text: &str) -> Result<KeyId, BadAssertion> {
    if text.len() > LONGEST {
        return Err(BadAssertion::Form);
    }
    let header = decode_header(text).map_err(|_| BadAssertion::Form)?;
    let typed = header.typ.as_deref().is_none_or(|typ| TYPES.contains(&typ));
    if !typed || header.crit.is_some() {
        return Err(BadAssertion::Form);
    }
    header.kid.and_then(|kid| kid.parse().ok()).ok_or(BadAssertion::Kid)
}

/// Verifies an assertion by the key that it names; that it was used before is not known here.
pub fn verify_assertion(
    text: &str,
    key: &PublicKey,
    audience: &str,
    now: DateTime<Utc>,
) -> Result<AssertionClaims, BadAssertion> {
    install();
    let (algorithm, decoding) = decoding(key).map_err(|NoKey| BadAssertion::Kid)?;
    let mut validation = Validation::new(algorithm);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_audience(&[audience]);
    // The library asks the machine for the time.
    validation.validate_exp = false;
    let decoded = decode::<AssertionClaims>(text, &decoding, &validation);
    let claims = decoded.map_err(|error| why(error.kind()))?.claims;
    claims.stands(now.timestamp())?;
    Ok(claims)
}

/// Says in our words what speaks against a text.
const fn why(error: &ErrorKind) -> BadAssertion {
    match error {
        ErrorKind::InvalidSignature => BadAssertion::Signature,
        ErrorKind::InvalidAlgorithm => BadAssertion::Algorithm,
        ErrorKind::InvalidAudience => BadAssertion::Audience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => BadAssertion::Claims,
        _ => BadAssertion::Form,
    }
}

impl AssertionClaims {
    /// Holds what it says against the clock, and against what one may say.
    fn stands(&self, now: i64) -> Result<(), BadAssertion> {
        let life = self.exp.checked_sub(self.iat).unwrap_or(i64::MAX);
        if !(1..=HOUR).contains(&life) {
            return Err(BadAssertion::Lifetime);
        }
        if self.iat > now + SKEW {
            return Err(BadAssertion::Ahead);
        }
        if self.iss != self.sub {
            return Err(BadAssertion::Issuer);
        }
        if self.jti.is_empty() || self.jti.chars().count() > LONGEST_NAME {
            return Err(BadAssertion::Name);
        }
        if now >= self.exp.saturating_add(SKEW) { Err(BadAssertion::Expired) } else { Ok(()) }
    }
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

/// Writes DER as PEM.
pub(in crate::crypto) fn pem(label: &str, der: &[u8]) -> String {
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
