//! Etags: a fingerprint of an object's own fields (`api.md`, Conventions).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Returns the etag of what is given: equal for equal content, and for nothing else that anyone will meet.
pub fn etag(content: &impl Serialize) -> String {
    // Nouns serialise without fail; were one not to, its etag would match none that was ever sent.
    let bytes = serde_json::to_vec(content).unwrap_or_default();
    let digest = Sha256::digest(&bytes);
    URL_SAFE_NO_PAD.encode(digest.get(..12).unwrap_or_default())
}

/// Returns the SHA-256 of a text in hexadecimal: a key of fixed length for what is too long to be one.
pub fn fingerprint(text: &str) -> String {
    super::chain::hex(&Sha256::digest(text))
}
