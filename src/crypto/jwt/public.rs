//! Public keys of service users, in PEM.
//!
//! Strangers send them, and few forms of them count. So they are read form by form: a reader of all that ASN.1 can say calls
//! itself as deep as a text nests, and 8 KiB can nest deeper than a stack goes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::NoKey;
use crate::model::{KeyAlgorithm, PublicKey};

/// What stands before a point of P-256 in its `SubjectPublicKeyInfo`, in DER; the point is not compressed.
pub(super) const BEFORE_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// What stands before a key of Ed25519.
pub(in crate::crypto) const BEFORE_ED25519: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// What says that a key is one of RSA.
const RSA: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// Of 2048 bits at least, so that it is worth something, and of 8192 at most, which is as much as is verified.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// Reads a public key from PEM: P-256, Ed25519, or RSA of 2048 to 8192 bits.
pub fn read_public(pem: &str) -> Result<PublicKey, NoKey> {
    let (algorithm, _) = bare(pem).ok_or(NoKey)?;
    Ok(PublicKey { algorithm, pem: pem.trim().to_owned() + "\n" })
}

/// Returns the key itself: a point, or two numbers in DER.
pub(in crate::crypto) fn bare(pem: &str) -> Option<(KeyAlgorithm, Vec<u8>)> {
    if let Some(key) = inside(pem, "RSA PUBLIC KEY") {
        return is_good_rsa(&key).then_some((KeyAlgorithm::Rs256, key));
    }
    let info = inside(pem, "PUBLIC KEY")?;
    if let Some(point) = info.strip_prefix(&BEFORE_P256) {
        return (point.len() == 65).then(|| (KeyAlgorithm::Es256, point.to_vec()));
    }
    if let Some(key) = info.strip_prefix(&BEFORE_ED25519) {
        return (key.len() == 32).then(|| (KeyAlgorithm::EdDsa, key.to_vec()));
    }
    let key = only(only(&info, SEQUENCE)?.strip_prefix(&RSA)?, BITS)?.strip_prefix(&[0])?;
    is_good_rsa(key).then(|| (KeyAlgorithm::Rs256, key.to_vec()))
}

/// Returns the bytes between the lines that say what they are. A private key that somebody sends by mistake has others.
fn inside(pem: &str, label: &str) -> Option<Vec<u8>> {
    let text =
        pem.trim().strip_prefix("-----BEGIN ")?.strip_prefix(label)?.strip_prefix("-----")?;
    let text = text.strip_suffix("-----")?.strip_suffix(label)?.strip_suffix("-----END ")?;
    STANDARD.decode(text.split_ascii_whitespace().collect::<String>()).ok()
}

fn is_good_rsa(key: &[u8]) -> bool {
    let modulus = || {
        let mut numbers = only(key, SEQUENCE)?;
        let modulus = take(&mut numbers, INTEGER)?;
        only(numbers, INTEGER)?;
        // A zero stands before a number whose first bit is set, which would be negative else.
        modulus.strip_prefix(&[0])
    };
    modulus().is_some_and(|modulus| RSA_BYTES.contains(&modulus.len()))
}

/// Returns what is in the one element that this is.
fn only(mut der: &[u8], tag: u8) -> Option<&[u8]> {
    let inside = take(&mut der, tag)?;
    der.is_empty().then_some(inside)
}

/// Takes the first element off, and returns what is in it.
fn take<'d>(der: &mut &'d [u8], tag: u8) -> Option<&'d [u8]> {
    let (length, rest) = match der.strip_prefix(&[tag])? {
        [short @ ..=0x7f, rest @ ..] => (usize::from(*short), rest),
        [0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    let (inside, rest) = rest.split_at_checked(length)?;
    *der = rest;
    Some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of the corpus that decoders are tested with.
    fn kind(name: &str) -> Option<KeyAlgorithm> {
        let pem = std::fs::read_to_string(format!("tests/fuzz/corpus/public_keys/{name}")).unwrap();
        read_public(&pem).ok().map(|key| key.algorithm)
    }

    #[test]
    fn three_sorts_of_keys_are_read_in_all_their_forms() {
        for name in ["p256", "windows", "one_line"] {
            assert_eq!(kind(name), Some(KeyAlgorithm::Es256), "{name}");
        }
        assert_eq!(kind("ed25519"), Some(KeyAlgorithm::EdDsa));
        for name in ["rsa2048", "rsa4096", "rsa2048_pkcs1"] {
            assert_eq!(kind(name), Some(KeyAlgorithm::Rs256), "{name}");
        }
    }

    #[test]
    fn other_curves_short_keys_and_private_ones_are_refused() {
        for name in ["p256_compressed", "p256_explicit", "p384", "secp256k1", "ed448", "x25519"] {
            assert_eq!(kind(name), None, "{name}");
        }
        for name in ["rsa1024", "private_label", "two", "not_ended", "bad_base64"] {
            assert_eq!(kind(name), None, "{name}");
        }
    }

    #[test]
    fn what_nests_as_deep_as_it_can_is_refused_and_stops_nothing() {
        for name in ["sequences", "explicit_tags", "sets", "sequences_pkcs1"] {
            assert_eq!(kind(name), None, "{name}");
        }
    }
}
