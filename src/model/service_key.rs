//! The public half of a service user's key (`model.md` §9).

use serde::{Deserialize, Serialize};

/// How a service user signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyAlgorithm {
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSA with SHA-256, PKCS #1 v1.5: of keys that were made elsewhere.
    #[serde(rename = "RS256")]
    Rs256,
}

impl KeyAlgorithm {
    /// Returns its name in an assertion's header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }
}

/// What an assertion is verified with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// How it signs.
    pub algorithm: KeyAlgorithm,
    /// `SubjectPublicKeyInfo`, in PEM.
    pub pem: String,
}
