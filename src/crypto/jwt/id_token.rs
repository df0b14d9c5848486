//! ID tokens: what an identity provider says of whom it has signed in (OIDC Core 1.0, §2 and §3.1.3.7).

use chrono::{DateTime, Utc};
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{BadJwt, Jwks, install};

/// An ID token is longer than this only by mistake.
const LONGEST: usize = 8192;
/// So far may the clocks of others be off, in seconds.
const SKEW: i64 = 60;
/// A token that was signed longer ago says nothing of who is there now, whatever it says of its own end; in seconds.
const FRESH: i64 = 600;
/// The most characters of what a user is called by its issuer (OIDC Core, §2), and of an e-mail address.
const SUBJECT: usize = 255;
const ADDRESS: usize = 320;
/// The claim that the issuer must vouch for.
const EMAIL: &str = "email";

/// A text that has the form of an ID token. Nothing of it is verified yet.
#[derive(Debug)]
pub struct IdToken<'t> {
    text: &'t str,
    algorithm: Algorithm,
    kid: Option<String>,
    issuer: String,
}

/// What an ID token must say.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'w> {
    /// For whom it is: one of these, and nobody else.
    pub audiences: &'w [String],
    /// The claim that holds the user's e-mail address.
    pub claim: &'w str,
}

/// What a verified ID token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdClaims {
    /// Who says it.
    pub issuer: String,
    /// Of whom.
    pub subject: String,
    /// The user's e-mail address, if it is one that the issuer vouches for.
    pub address: Option<String>,
    /// When the user has proved to the issuer who it is; where the issuer does not say so, when it was said.
    pub auth_time: i64,
    /// From when on it is refused in any case.
    pub end: i64,
}

#[derive(Deserialize)]
struct Says {
    iss: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    iat: i64,
    exp: i64,
    nbf: Option<i64>,
    auth_time: Option<i64>,
    azp: Option<String>,
    /// Some issuers say here what sort of token it is.
    typ: Option<String>,
    /// What a logout token has, and an ID token has not.
    events: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl<'t> IdToken<'t> {
    /// Reads by which key and by whom a text says that it was signed.
    pub fn read(text: &'t str) -> Result<Self, BadJwt> {
        let invalid = |_| BadJwt::Invalid;
        if text.len() > LONGEST {
            return Err(BadJwt::Invalid);
        }
        let header = decode_header(text).map_err(invalid)?;
        let typed = header.typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
        // A header that says what must be understood says more than is known here. Keys that it brings along are no keys.
        if !typed || header.crit.is_some() {
            return Err(BadJwt::Invalid);
        }
        let Says { iss } = insecure_decode_claims(text).map_err(invalid)?;
        Ok(Self { text, algorithm: header.alg, kid: header.kid, issuer: iss })
    }

    /// Returns who it says that has signed it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the key that it names.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns what is signed, by which a token is known again: of one text there can be several signatures.
    pub fn signed(&self) -> &'t str {
        self.text.rsplit_once('.').map_or(self.text, |(signed, _)| signed)
    }

    /// Verifies it by its issuer's keys; that it was used before is not known here.
    pub fn verify(
        &self,
        keys: &Jwks,
        wanted: Wanted<'_>,
        now: DateTime<Utc>,
    ) -> Result<IdClaims, BadJwt> {
        install();
        let key = keys.find(self.kid(), self.algorithm).ok_or(BadJwt::Invalid)?;
        let mut validation = Validation::new(key.algorithm);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The library asks the machine for the time, and takes it for enough if one audience of several is ours.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let decoded = decode::<Claims>(self.text, &key.decoding, &validation);
        let claims = decoded.map_err(|_| BadJwt::Invalid)?.claims;
        if claims.iss != self.issuer || !claims.is_id_token() || !claims.is_for(wanted.audiences) {
            return Err(BadJwt::Invalid);
        }
        let end = claims.in_time(now.timestamp())?;
        let address = claims.address(wanted.claim);
        let auth_time = claims.auth_time.map_or(claims.iat, |at| at.min(claims.iat));
        Ok(IdClaims { issuer: claims.iss, subject: claims.sub, address, auth_time, end })
    }
}

impl Claims {
    fn is_id_token(&self) -> bool {
        let named = !self.sub.is_empty()
            && self.sub.chars().count() <= SUBJECT
            && !self.sub.chars().any(char::is_control);
        named && self.events.is_none() && self.typ.as_deref().is_none_or(|typ| typ == "ID")
    }

    /// Tells whether all who are to accept it are we, and whoever it was given to is.
    fn is_for(&self, us: &[String]) -> bool {
        let audiences = self.aud.all();
        let given = self.azp.as_ref().map_or(audiences.len() == 1, |azp| us.contains(azp));
        given && !audiences.is_empty() && audiences.iter().all(|audience| us.contains(audience))
    }

    /// Holds its times against the clock; returns when it will be too late for it.
    fn in_time(&self, now: i64) -> Result<i64, BadJwt> {
        let (iat, exp, nbf) = (self.iat, self.exp, self.nbf.unwrap_or(0));
        let times = [iat, exp, nbf, self.auth_time.unwrap_or(0)];
        let sane = times.into_iter().all(|at| at >= 0) && iat < exp;
        if !sane || iat > now + SKEW || nbf > now + SKEW {
            return Err(BadJwt::Invalid);
        }
        let end = exp.min(iat.saturating_add(FRESH)).saturating_add(SKEW);
        if now >= end { Err(BadJwt::Expired) } else { Ok(end) }
    }

    /// Returns the user's e-mail address. One that the issuer has not seen to be the user's is none.
    fn address(&self, claim: &str) -> Option<String> {
        let verified = || self.rest.get("email_verified") == Some(&Value::Bool(true));
        let address = self.rest.get(claim)?.as_str()?;
        let sane = !address.is_empty()
            && address.chars().count() <= ADDRESS
            && !address.chars().any(char::is_control);
        (sane && (claim != EMAIL || verified())).then(|| address.to_owned())
    }
}

#[cfg(test)]
mod tests;
