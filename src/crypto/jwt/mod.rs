//! Access tokens: JSON Web Tokens of type `at+jwt`, signed with a key of our own (`model.md` §9).
//!
//! The key is found by its id and says by itself how it signs; what a token's header says of that must be the same. Every
//! claim is there and of its one type, or the token is none. Times are held against the clock that is handed in.

mod assertion;
mod id_token;
mod jwks;
mod key;
mod provider;
mod public;
#[cfg(test)]
mod tests;

use std::sync::Once;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

use crate::model::{AccountId, KeyId, SessionId, SigningKeyId, TokenId, UserId};

pub(super) use assertion::pem;
pub use assertion::{
    AssertionClaims, BadAssertion, REMEMBERED, key_of, make_key, verify_assertion,
};
pub use id_token::{IdClaims, IdToken, Wanted};
pub use jwks::{BadJwks, Jwks};
pub use key::{KeySecret, Pair};
pub use public::read_public;
pub(super) use public::{BEFORE_ED25519, bare};

/// What a token's header calls its type.
const TYPE: &str = "at+jwt";
/// A token is longer than this only by mistake.
const LONGEST: usize = 4096;
/// So far in the future may lie what another replica has just signed, in seconds.
const SKEW: i64 = 5;
/// What must be there, in the terms of the library; the rest is demanded by [`AccessClaims`].
const REQUIRED: [&str; 5] = ["exp", "nbf", "iss", "aud", "sub"];

/// No key could be made, opened or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing key cannot be used")]
pub struct NoKey;

/// Why a text is no access token that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadJwt {
    /// It is none of ours.
    #[error("this is not an access token")]
    Invalid,
    /// It was one.
    #[error("the access token is expired")]
    Expired,
}

/// Who signs, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    /// `iss`: where this service is reached.
    pub issuer: String,
    /// `aud`: who is to accept it.
    pub audience: String,
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Who signed it.
    pub iss: String,
    /// For whom.
    pub aud: String,
    /// Whose rights it carries.
    pub sub: UserId,
    /// That user's account.
    pub acc: AccountId,
    /// And its tenant.
    pub ten: AccountId,
    /// When it was signed.
    pub iat: i64,
    /// From when on it counts.
    pub nbf: i64,
    /// From when on it does not.
    pub exp: i64,
    /// Its own name, which no other has.
    pub jti: String,
    /// Its session; or
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    /// the key of a service user that it was given for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// When the user has proved who it is.
    pub auth_time: i64,
    /// Who really acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Act>,
    /// What it is limited to, separated by spaces; absent = all that its user may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// Who really acts in an assumed session, and with what it has taken it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// The user.
    pub sub: UserId,
    /// Its account.
    pub acc: AccountId,
    /// And its tenant.
    pub ten: AccountId,
    /// Its own session, with when it proved who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<(SessionId, i64)>,
    /// Or its API token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tok: Option<TokenId>,
}

impl Pair {
    /// Signs a token.
    pub fn sign(&self, claims: &AccessClaims) -> Result<String, NoKey> {
        install();
        let mut header = Header::new(self.algorithm);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.key.id.to_string());
        encode(&header, claims, &self.encoding).map_err(|_| NoKey)
    }
}

/// Tells whether a text looks like a JSON Web Token, and not like a token of another form.
pub fn is_jwt(text: &str) -> bool {
    text.split('.').count() == 3
}

/// Verifies a token by whichever of `pairs` its header names, and returns which that is. What may change with time is not
/// asked here: whether the key is still published, and [`in_time`].
pub fn verify<'p>(
    text: &str,
    mut pairs: impl Iterator<Item = &'p Pair>,
    parties: &Parties,
) -> Result<(SigningKeyId, AccessClaims), BadJwt> {
    install();
    if text.len() > LONGEST {
        return Err(BadJwt::Invalid);
    }
    let header = decode_header(text).map_err(|_| BadJwt::Invalid)?;
    let kid = header.kid.as_deref().ok_or(BadJwt::Invalid)?;
    // A header that says what must be understood says more than is known here.
    if header.typ.as_deref() != Some(TYPE) || header.crit.is_some() {
        return Err(BadJwt::Invalid);
    }
    let pair = pairs.find(|pair| pair.key.id.to_string() == kid).ok_or(BadJwt::Invalid)?;
    let mut validation = Validation::new(pair.algorithm);
    validation.set_required_spec_claims(&REQUIRED);
    validation.set_issuer(&[&parties.issuer]);
    validation.set_audience(&[&parties.audience]);
    // The library asks the machine for the time, and takes a fraction for a number; both are done below.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let decoded = decode(text, &pair.decoding, &validation).map_err(|_| BadJwt::Invalid)?;
    Ok((pair.key.id, decoded.claims))
}

/// Holds a token's times against the clock.
pub fn in_time(claims: &AccessClaims, now: DateTime<Utc>) -> Result<(), BadJwt> {
    let now = now.timestamp();
    let AccessClaims { nbf, iat, exp, auth_time, .. } = *claims;
    let negative = [nbf, iat, exp, auth_time].into_iter().any(i64::is_negative);
    let sane = !negative && nbf <= now + SKEW && iat <= now + SKEW && iat < exp;
    if !sane {
        return Err(BadJwt::Invalid);
    }
    if now >= claims.exp { Err(BadJwt::Expired) } else { Ok(()) }
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(provider::install);
}
