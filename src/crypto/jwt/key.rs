//! A pair of keys: made, sealed, opened, and what the world may see of it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::super::{KeyRing, seal, secret};
use super::NoKey;
use crate::model::{SigningAlgorithm, SigningKey};

/// The secret of a pair, as PKCS #8. Wiped when dropped.
pub struct KeySecret(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeySecret").field(&secret::Redacted).finish()
    }
}

impl KeySecret {
    /// Makes a pair.
    pub fn generate(algorithm: SigningAlgorithm) -> Result<Self, NoKey> {
        let chance = SystemRandom::new();
        let document = match algorithm {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &chance)
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&chance),
        };
        let document = document.map_err(|_| NoKey)?;
        Ok(Self(Zeroizing::new(document.as_ref().to_vec())))
    }

    /// Returns both halves: the secret as PKCS #8, and the bare public key.
    pub(super) fn halves(
        &self,
        algorithm: SigningAlgorithm,
    ) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), NoKey> {
        let secret = self.0.as_slice();
        let public = match algorithm {
            SigningAlgorithm::Es256 => {
                let chance = SystemRandom::new();
                let of = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let pair = EcdsaKeyPair::from_pkcs8(of, secret, &chance).map_err(|_| NoKey)?;
                pair.public_key().as_ref().to_vec()
            }
            SigningAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(secret).map_err(|_| NoKey)?;
                pair.public_key().as_ref().to_vec()
            }
        };
        Ok((self.0.clone(), public))
    }

    /// Encrypts it for the store, bound to all that is said of the key.
    pub fn seal(&self, keys: &KeyRing, of: &SigningKey) -> Result<Vec<u8>, NoKey> {
        seal::seal_key(keys, &said(of), &self.0, secret::system).map_err(|_| NoKey)
    }

    /// Opens what the store holds; nothing for what we did not seal, or what was said of another key.
    pub fn open(keys: &KeyRing, of: &SigningKey, sealed: &[u8]) -> Option<Self> {
        seal::open_key(keys, &said(of), sealed).map(Self)
    }

    /// Makes it ready for use.
    pub fn pair(&self, key: SigningKey) -> Result<Pair, NoKey> {
        let (secret, public) = self.halves(key.algorithm)?;
        let (algorithm, encoding, decoding) = match key.algorithm {
            SigningAlgorithm::Es256 => (
                Algorithm::ES256,
                EncodingKey::from_ec_der(&secret),
                DecodingKey::from_ec_der(&public),
            ),
            SigningAlgorithm::EdDsa => (
                Algorithm::EdDSA,
                EncodingKey::from_ed_der(&secret),
                DecodingKey::from_ed_der(&public),
            ),
        };
        Ok(Pair { key, algorithm, public, encoding, decoding })
    }
}

/// All that is said of a key, for its seal.
fn said(key: &SigningKey) -> Vec<u8> {
    let time = |at: chrono::DateTime<chrono::Utc>| at.timestamp_micros().to_string();
    let retire = key.retire_time.map(time).unwrap_or_default();
    let parts = [
        key.id.to_string(),
        key.algorithm.name().to_owned(),
        time(key.create_time),
        time(key.activate_time),
        retire,
    ];
    let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    seal::context(&parts)
}

/// A pair of keys, ready for use.
#[derive(Clone)]
pub struct Pair {
    pub(super) key: SigningKey,
    pub(super) algorithm: Algorithm,
    public: Vec<u8>,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Pair {
    /// Returns what is known of it.
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Writes the public half as a JSON Web Key (RFC 7517).
    pub fn jwk(&self) -> Value {
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (kid, alg) = (self.key.id.to_string(), self.key.algorithm.name());
        match self.key.algorithm {
            SigningAlgorithm::Es256 => {
                // The uncompressed point: a byte that says so, and the two coordinates.
                let point = self.public.get(1..).unwrap_or_default();
                let (x, y) = point.split_at_checked(32).unwrap_or_default();
                let (x, y) = (base64(x), base64(y));
                json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": alg, "kid": kid, "x": x, "y": y })
            }
            SigningAlgorithm::EdDsa => {
                let x = base64(&self.public);
                json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": alg, "kid": kid, "x": x })
            }
        }
    }
}
