//! Keys of others: what an identity provider publishes, as far as it is of use here (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::model::KeyAlgorithm;

/// The shortest RSA modulus that is taken, in bytes.
const SHORTEST: usize = 256;

/// There is no key in it that could be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadJwks {
    /// It is no key set.
    #[error("is not a JSON Web Key Set")]
    Form,
    /// Whoever reads the settings could sign.
    #[error("holds a private key: give the public half alone")]
    Private,
    /// There is nothing to verify with.
    #[error("holds no public key for signatures by one of the allowed algorithms")]
    None,
}

/// The keys of one issuer that are of use here. Never none.
#[derive(Debug, Clone)]
pub struct Jwks(Vec<IdKey>);

/// One of them. How it signs is its own, whatever a token says.
#[derive(Debug, Clone)]
pub(super) struct IdKey {
    kid: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// What is looked at in a key; the rest may be anything.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<IgnoredAny>,
    k: Option<IgnoredAny>,
}

impl Jwks {
    /// Reads those keys of a set that verify by one of these algorithms. What is of another kind, as shared secrets are, or
    /// cannot be read, is left out.
    pub fn read(json: &[u8], allowed: &[KeyAlgorithm]) -> Result<Self, BadJwks> {
        let set: Set = serde_json::from_slice(json).map_err(|_| BadJwks::Form)?;
        let keys: Vec<IdKey> = jwks(set).filter_map(|jwk| jwk.key(allowed)).collect();
        if keys.is_empty() { Err(BadJwks::None) } else { Ok(Self(keys)) }
    }

    /// Reads a set that stands in the settings, where nothing secret does.
    pub fn read_own(json: &[u8], allowed: &[KeyAlgorithm]) -> Result<Self, BadJwks> {
        let set: Set = serde_json::from_slice(json).map_err(|_| BadJwks::Form)?;
        if jwks(set).any(|jwk| jwk.is_secret()) {
            return Err(BadJwks::Private);
        }
        Self::read(json, allowed)
    }

    /// Tells whether a token that names this key, or none, is verified by one of these.
    pub fn knows(&self, kid: Option<&str>) -> bool {
        kid.is_none() || self.0.iter().any(|key| key.kid.as_deref() == kid)
    }

    /// Finds the key that a token names; one that names none can be by the only one there is.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&IdKey> {
        let mut named = self.0.iter().filter(|key| kid.is_none() || key.kid.as_deref() == kid);
        match kid {
            None => named.next().filter(|_| self.0.len() == 1),
            Some(_) => named.find(|key| key.algorithm == algorithm),
        }
    }
}

fn jwks(set: Set) -> impl Iterator<Item = Jwk> {
    set.keys.into_iter().filter_map(|value| serde_json::from_value(value).ok())
}

impl Jwk {
    const fn is_secret(&self) -> bool {
        self.d.is_some() || self.k.is_some()
    }

    fn key(self, allowed: &[KeyAlgorithm]) -> Option<IdKey> {
        let verifies = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
        let signs = self.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && self.key_ops.as_ref().is_none_or(verifies);
        let (kind, algorithm, names) = match (&*self.kty, self.crv.as_deref()) {
            ("EC", Some("P-256")) => (KeyAlgorithm::Es256, Algorithm::ES256, &["ES256"][..]),
            ("OKP", Some("Ed25519")) => {
                (KeyAlgorithm::EdDsa, Algorithm::EdDSA, &["EdDSA", "Ed25519"][..])
            }
            ("RSA", None) => (KeyAlgorithm::Rs256, Algorithm::RS256, &["RS256"][..]),
            _ => return None,
        };
        let fits = self.alg.as_deref().is_none_or(|alg| names.contains(&alg));
        if !signs || !fits || self.is_secret() || !allowed.contains(&kind) {
            return None;
        }
        let decoding = match kind {
            KeyAlgorithm::Es256 => {
                let (x, y) = (coordinate(self.x)?, coordinate(self.y)?);
                DecodingKey::from_ec_der(&[&[4], x.as_slice(), y.as_slice()].concat())
            }
            KeyAlgorithm::EdDsa => DecodingKey::from_ed_der(&coordinate(self.x)?),
            KeyAlgorithm::Rs256 => {
                let (n, e) = (number(self.n)?, number(self.e)?);
                (n.len() >= SHORTEST).then(|| DecodingKey::from_rsa_raw_components(&n, &e))?
            }
        };
        Some(IdKey { kid: self.kid, algorithm, decoding })
    }
}

/// Reads one of the numbers that make a point.
fn coordinate(text: Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok().filter(|bytes| bytes.len() == 32)
}

/// Reads a number. Some write it with zeros before it.
fn number(text: Option<String>) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text?).ok()?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec)
}
