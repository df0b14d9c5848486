//! The keys that live outside the store (`edges.md` §5): one master key, and what is derived from it.
//!
//! On Postgres the master key is given, so that all replicas share it; the embedded default makes it on first
//! start. Who loses it loses every password, API token and page token, and nothing else.

mod file;

use std::fmt;
use std::io;
use std::path::PathBuf;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::secret::{NoRandomness, Redacted};

const LENGTH: usize = 32;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The master key cannot be used. Shows nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum BadKey {
    /// Not base64, in neither alphabet.
    #[error("the key is not base64: make one with `openssl rand -base64 32`")]
    NotBase64,
    /// Too short to be safe, or too long to be what it should be.
    #[error("the key has {found} bytes, not 32: make one with `openssl rand -base64 32`")]
    Length {
        /// How many bytes the text stands for.
        found: usize,
    },
    /// All bytes are equal, as in a placeholder or a cleared disk block.
    #[error("all bytes of the key are equal: make one with `openssl rand -base64 32`")]
    Uniform,
    /// Others may open the key file than those that it is meant for.
    #[error(
        "key file `{}` has mode {mode:03o}: others may open it; it is to be 600, or 640 where it belongs to root",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What the path names is a folder, a pipe or a device.
    #[error("key file `{}` is not a regular file", path.display())]
    NotAFile {
        /// What was found.
        path: PathBuf,
    },
    /// The file could not be read or made.
    #[error("key file `{}` cannot be read or made", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No key could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// One key for each use, so that what is made for one use is worth nothing in another.
///
/// Each is HMAC-SHA-256 of a label under the master key, which is not kept. All are wiped on drop.
pub struct KeyRing {
    /// For the digests of API tokens.
    pub(super) token: Zeroizing<[u8; LENGTH]>,
    /// For sealing page tokens.
    pub(super) page: Zeroizing<[u8; LENGTH]>,
    /// For the nonces of page tokens.
    pub(super) page_nonce: Zeroizing<[u8; LENGTH]>,
    /// For the hashes of request bodies.
    pub(super) request: Zeroizing<[u8; LENGTH]>,
    /// For what is hashed of passwords.
    pub(super) password: Zeroizing<[u8; LENGTH]>,
    /// For the tokens in messages.
    pub(super) outbox: Zeroizing<[u8; LENGTH]>,
    /// For the names that sign-ins have failed for.
    pub(super) failure: Zeroizing<[u8; LENGTH]>,
    /// For sealing the keys that access tokens are signed with.
    pub(super) signing: Zeroizing<[u8; LENGTH]>,
    /// The secret that the heads of ledgers are signed with.
    pub(super) ledger: Zeroizing<[u8; LENGTH]>,
}

impl KeyRing {
    /// Derives the keys. A label that changes makes all that its key protected worthless.
    pub(super) fn from_master(master: &[u8; LENGTH]) -> Self {
        let derive = |label: &str| Zeroizing::new(mac(master, &[label.as_bytes()]));
        Self {
            token: derive("chancery/1/token"),
            page: derive("chancery/1/page"),
            page_nonce: derive("chancery/1/page-nonce"),
            request: derive("chancery/1/request"),
            password: derive("chancery/1/password"),
            outbox: derive("chancery/1/outbox"),
            failure: derive("chancery/1/failure"),
            signing: derive("chancery/1/signing"),
            ledger: derive("chancery/1/ledger"),
        }
    }

    /// Reads a master key of 32 bytes from base64, standard or URL-safe, padded or not; space around it is
    /// passed over.
    pub fn from_base64(text: &str) -> Result<Self, BadKey> {
        Self::read(text.as_bytes())
    }

    fn read(text: &[u8]) -> Result<Self, BadKey> {
        let text = text.trim_ascii();
        let url_safe = text.iter().any(|letter| matches!(letter, b'-' | b'_'));
        let engine = if url_safe { &URL_SAFE } else { &STANDARD };
        // The decoder's own error quotes the text, so it is dropped.
        let bytes = Zeroizing::new(engine.decode(text).map_err(|_| BadKey::NotBase64)?);
        let found = bytes.len();
        let master = bytes.first_chunk::<LENGTH>().filter(|_| found == LENGTH);
        let master = master.ok_or(BadKey::Length { found })?;
        let [first, rest @ ..] = master;
        if rest.iter().all(|byte| byte == first) {
            return Err(BadKey::Uniform);
        }
        Ok(Self::from_master(master))
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyRing").field(&Redacted).finish()
    }
}

/// Returns the HMAC-SHA-256 of the parts, one after another, under `key`.
pub(super) fn mac(key: &[u8; LENGTH], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC itself fills a key up to its block with zeros; done here, there is no length left to be wrong.
    let mut block = Zeroizing::new([0; 64]);
    for (place, byte) in block.iter_mut().zip(key) {
        *place = *byte;
    }
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose;
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::chain::hex;

    const TEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn the_mac_is_that_of_rfc_4231() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        assert_eq!(
            hex(&mac(&key, &[b"Hi ", b"There"])),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            hex(&mac(&key, &[b"what do ya want ", b"for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn the_derived_keys_stay_what_they_were() {
        let keys = KeyRing::from_base64(TEXT).unwrap();
        let all = [
            &keys.token,
            &keys.page,
            &keys.page_nonce,
            &keys.request,
            &keys.password,
            &keys.outbox,
            &keys.failure,
        ]
        .map(|key| hex(&**key));
        assert_eq!(
            all,
            [
                "5b64c33b3acae62fbc41c0fb63852a4438de43623f8e35f83b3b199823e048d3",
                "9062df76f4b8742726f6bab147d72c3bd1e4f39a17339416d7236178a558b49a",
                "d8012dfba4b6f71938ec414ef249038b60d08fc9cc4ee8b3257974b29105c4f5",
                "d1bd10ad18d71da4a9bce8eba39bfe4250ad45ca9bf57e526e259d773728c3b6",
                "f5f572790c7f84b8d60d431044477801a9fde670cfca57b1806d2f55e0fd3a53",
                "0550e82853bcf552f4d6daa093aca3f0c21c0dd18de73789f1cdc72cb3dceed6",
                "bdffcefe6dca7a2814d15a4219d12e09bcd89ae62fe3b8953df93d401d1d6ac0"
            ]
        );
    }

    #[test]
    fn a_key_is_read_in_every_spelling_of_base64() {
        let bytes = [0xfb; 31].into_iter().chain([0xff]).collect::<Vec<u8>>();
        let wanted = KeyRing::from_master(bytes.first_chunk().unwrap());
        for text in [
            general_purpose::STANDARD.encode(&bytes),
            general_purpose::STANDARD_NO_PAD.encode(&bytes),
            general_purpose::URL_SAFE.encode(&bytes),
            format!("  {}\r\n", general_purpose::URL_SAFE_NO_PAD.encode(&bytes)),
        ] {
            assert_eq!(KeyRing::from_base64(&text).unwrap().token, wanted.token);
        }
    }

    #[test]
    fn weak_keys_are_refused() {
        let encode = |bytes: &[u8]| general_purpose::STANDARD.encode(bytes);
        let read = |text: &str| KeyRing::from_base64(text).unwrap_err();
        assert!(matches!(read(""), BadKey::Length { found: 0 }));
        assert!(matches!(read("change me!"), BadKey::NotBase64));
        assert!(matches!(read(&encode(b"short")), BadKey::Length { found: 5 }));
        assert!(matches!(read(&encode(&[0; 32])), BadKey::Uniform));
        // 32 bytes written in hexadecimal digits, by mistake, are base64 too: of 48.
        assert!(matches!(read(&hex(&[7; 32])), BadKey::Length { found: 48 }));
    }

    #[test]
    fn debug_and_errors_show_no_key() {
        let keys = KeyRing::from_base64(TEXT).unwrap();
        assert_eq!(format!("{keys:?}"), "KeyRing([redacted])");
        let error = KeyRing::from_base64("c2VjcmV0!").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("c2Vj"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in prop_oneof![".*", "[0-9A-Za-z+/_=-]{40,48}"]) {
            let _ = KeyRing::from_base64(&text);
        }
    }
}
