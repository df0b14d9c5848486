//! The keys that access tokens are signed with, as the rest of the service knows them: never the secret.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::SigningKeyId;

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SigningAlgorithm {
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl SigningAlgorithm {
    /// Returns its name in a token's header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// One signing key. Published from its making to its retirement, and used from its activation until another is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// What a token's header calls it.
    pub id: SigningKeyId,
    /// How it signs.
    pub algorithm: SigningAlgorithm,
    /// From when on it is published.
    pub create_time: DateTime<Utc>,
    /// From when on it signs.
    pub activate_time: DateTime<Utc>,
    /// From when on nothing that it signed can be live; `None` = no other has taken its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retire_time: Option<DateTime<Utc>>,
}

impl SigningKey {
    /// Returns whether what it signed may still be good.
    pub fn is_published(&self, now: DateTime<Utc>) -> bool {
        self.retire_time.is_none_or(|end| now < end)
    }

    /// Finds the key to sign with: of those that are active, the one that became so last.
    pub fn signing<'k>(
        keys: impl Iterator<Item = &'k Self>,
        now: DateTime<Utc>,
    ) -> Option<&'k Self> {
        keys.filter(|key| key.activate_time <= now && key.is_published(now))
            .max_by_key(|key| (key.activate_time, key.id))
    }
}
