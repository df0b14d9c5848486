//! Page tokens, which tell their bearer nothing and serve only the question they were given for
//! (`api.md`, conventions; `edges.md` §3), and the keyed hash of a request's body (`edges.md` §4).
//!
//! A page token is URL-safe base64 of: version (1 byte), nonce (24), XChaCha20-Poly1305 of the cursor
//! (its length and 16), with the question as associated data. Its length shows the cursor's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use zeroize::Zeroizing;

use super::KeyRing;
use super::keys::mac;
use super::secret::{self, NoRandomness};

const VERSION: u8 = 1;
const NONCE_LENGTH: usize = 24;

/// Joins the parts of a context so that no two different lists of parts give the same bytes: each part
/// is preceded by its length.
pub fn context(parts: &[&[u8]]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(parts.iter().map(|part| part.len() + 16).sum());
    for part in parts {
        joined.extend_from_slice(part.len().to_string().as_bytes());
        joined.push(b':');
        joined.extend_from_slice(part);
    }
    joined
}

/// Makes the page token for `cursor`, which opens under the same `context` only: caller, RPC, filter, order and
/// every other field but the page size and the token (see [`context`]).
pub fn seal_page(keys: &KeyRing, context: &[u8], cursor: &[u8]) -> String {
    let nonce = nonce(keys, context, cursor);
    let cipher = XChaCha20Poly1305::new((&*keys.page).into());
    let sealed = cipher.encrypt(&XNonce::from(nonce), Payload { msg: cursor, aad: context });
    // Fails on 256 GiB alone, and then leaves a token that will be refused: an empty one would say
    // that this was the last page.
    let sealed = sealed.unwrap_or_default();
    let mut bytes = Vec::with_capacity(1 + NONCE_LENGTH + sealed.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&sealed);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the cursor of a page token; `None` if we did not make it, or for another `context`, or under
/// another key.
pub fn open_page(keys: &KeyRing, context: &[u8], token: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (version, rest) = bytes.split_first()?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_LENGTH>()?;
    if *version != VERSION {
        return None;
    }
    let cipher = XChaCha20Poly1305::new((&*keys.page).into());
    cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: context }).ok()
}

/// Encrypts the secret of a signing key, which opens beside the same `context` only.
pub fn seal_key(
    keys: &KeyRing,
    context: &[u8],
    secret: &[u8],
    random: impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
) -> Result<Vec<u8>, NoRandomness> {
    let nonce = secret::bytes::<NONCE_LENGTH>(random)?;
    let cipher = XChaCha20Poly1305::new((&*keys.signing).into());
    let sealed = cipher.encrypt(&XNonce::from(nonce), Payload { msg: secret, aad: context });
    // Fails on 256 GiB alone, and then leaves what does not open.
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&nonce);
    bytes.extend(sealed.unwrap_or_default());
    Ok(bytes)
}

/// Returns the secret of a signing key; `None` if we did not seal it, or beside another `context`, or under another key.
pub fn open_key(keys: &KeyRing, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (version, rest) = sealed.split_first()?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_LENGTH>()?;
    if *version != VERSION {
        return None;
    }
    let cipher = XChaCha20Poly1305::new((&*keys.signing).into());
    let payload = Payload { msg: sealed, aad: context };
    cipher.decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
}

/// The nonce is a keyed hash of all that is sealed under it: it repeats only where the whole token does, without
/// asking for random bytes, which can fail. What that tells, that two tokens are one, is no secret.
fn nonce(keys: &KeyRing, context: &[u8], cursor: &[u8]) -> [u8; NONCE_LENGTH] {
    let length = u64::try_from(context.len()).unwrap_or(u64::MAX).to_be_bytes();
    let hash = mac(&keys.page_nonce, &[&length, context, cursor]);
    hash.first_chunk().copied().unwrap_or_default()
}

/// Returns what is kept of a mutation's request, to know its repetition by: an HMAC of its body, whose secret
/// fields the caller has cleared. Compare with [`super::secret::same`].
pub fn request_mac(keys: &KeyRing, body: &[u8]) -> [u8; 32] {
    mac(&keys.request, &[body])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(seed: u8) -> KeyRing {
        KeyRing::from_master(&[seed; 32])
    }

    #[test]
    fn a_token_serves_its_own_question_under_its_own_key_only() {
        let token = seal_page(&keys(1), b"usr_1 ListUsers", b"usr_9");
        assert_eq!(open_page(&keys(1), b"usr_1 ListUsers", &token).unwrap(), b"usr_9");
        assert_eq!(open_page(&keys(1), b"usr_2 ListUsers", &token), None);
        assert_eq!(open_page(&keys(1), b"", &token), None);
        assert_eq!(open_page(&keys(2), b"usr_1 ListUsers", &token), None);
        assert_eq!(open_page(&keys(1), b"usr_1 ListUsers", &format!("{token}=")), None);
    }

    #[test]
    fn a_token_shows_nothing_of_its_cursor() {
        let cursor = b"usr_01h455vb4pex5vsknk084sn02q";
        let token = seal_page(&keys(1), b"c", cursor);
        let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
        assert!(!bytes.windows(4).any(|four| cursor.windows(4).any(|part| part == four)));
    }

    #[test]
    fn nonces_differ_wherever_context_or_cursor_do() {
        let keys = keys(1);
        assert_eq!(nonce(&keys, b"ab", b"c"), nonce(&keys, b"ab", b"c"));
        assert_ne!(nonce(&keys, b"ab", b"c"), nonce(&keys, b"a", b"bc"));
        assert_ne!(nonce(&keys, b"ab", b"c"), nonce(&keys, b"ab", b"d"));
    }

    #[test]
    fn moving_a_letter_to_the_next_part_makes_another_context() {
        assert_ne!(context(&[b"ab", b"c"]), context(&[b"a", b"bc"]));
        assert_ne!(context(&[b"1:a"]), context(&[b"", b"1:a"]));
        assert_eq!(context(&[b"ab", b""]), b"2:ab0:");
    }

    #[test]
    fn a_request_mac_hangs_on_key_and_body_and_is_no_token_digest() {
        assert_ne!(request_mac(&keys(1), b"body"), request_mac(&keys(2), b"body"));
        assert_ne!(request_mac(&keys(1), b"body"), request_mac(&keys(1), b"bodz"));
        assert_ne!(request_mac(&keys(1), b"body"), crate::crypto::token::digest(&keys(1), "body"));
    }

    proptest! {
        #[test]
        fn every_cursor_comes_back(context: Vec<u8>, cursor: Vec<u8>) {
            let token = seal_page(&keys(1), &context, &cursor);
            prop_assert_eq!(open_page(&keys(1), &context, &token), Some(cursor));
        }

        #[test]
        fn a_flipped_bit_is_refused(cursor: Vec<u8>, at: prop::sample::Index, bit in 0_u32..8) {
            let token = seal_page(&keys(1), b"context", &cursor);
            let mut bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(open_page(&keys(1), b"context", &URL_SAFE_NO_PAD.encode(bytes)), None);
        }

        #[test]
        fn a_cut_token_is_refused(cursor: Vec<u8>, at: prop::sample::Index) {
            let token = seal_page(&keys(1), b"context", &cursor);
            prop_assert_eq!(open_page(&keys(1), b"context", &token[..at.index(token.len())]), None);
        }

        #[test]
        fn no_text_panics_or_opens(text in prop_oneof![".*", "AQ[0-9A-Za-z_-]{0,200}"]) {
            prop_assert_eq!(open_page(&keys(1), b"context", &text), None);
        }
    }
}
