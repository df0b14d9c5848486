//! Signed heads of ledgers: what a stranger can hold a ledger against, with nothing but the public key.
//!
//! A head says how far a ledger was at a time, and by which hash; the chain does the rest. The key is Ed25519, and its secret
//! is worked out from the master key: all replicas have the same, and none of it is in the store.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::jwt::{BEFORE_ED25519, NoKey, bare, pem};
use super::{KeyRing, chain, fingerprint};
use crate::model::{AccountId, KeyAlgorithm, Revision};

/// The number of this form of heads.
const FORMAT: u32 = 1;
/// What a signed text says that it is, so that nothing else which the key may ever sign is taken for it.
const WHAT: &str = "chancery ledger head";

/// How far a ledger was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Whose ledger.
    pub account: AccountId,
    /// Its newest revision.
    pub revision: Revision,
    /// The hash of that revision's last entry.
    pub hash: [u8; 32],
    /// When, to the microsecond.
    pub at: DateTime<Utc>,
}

/// What is signed, as RFC 8785 JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    what: String,
    format: u32,
    account_id: AccountId,
    revision: Revision,
    hash: String,
    at: String,
    key_id: String,
}

/// A head with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// What it says.
    pub head: Head,
    /// The text that was signed: canonical JSON.
    pub text: String,
    /// The signature, in base64.
    pub signature: String,
    /// Which key signed.
    pub key_id: String,
}

/// Why a text is no head that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHead {
    /// It is none, or not in its one form.
    #[error("the text is no head of a ledger")]
    Form,
    /// The key has not signed it.
    #[error("the signature is not that of the key")]
    Signature,
}

/// The key that heads are signed with.
pub struct LedgerKey {
    pair: Ed25519KeyPair,
    public: HeadKey,
}

/// The public half of such a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadKey {
    bare: Vec<u8>,
    /// Names it: changes with it.
    pub id: String,
    /// The key, in PEM.
    pub pem: String,
}

impl std::fmt::Debug for LedgerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl LedgerKey {
    /// Works out the key.
    pub fn of(keys: &KeyRing) -> Result<Self, NoKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&*keys.ledger).map_err(|_| NoKey)?;
        let public = HeadKey::new(pair.public_key().as_ref().to_vec());
        Ok(Self { pair, public })
    }

    /// Returns its public half.
    pub const fn public(&self) -> &HeadKey {
        &self.public
    }

    /// Signs a head.
    pub fn sign(&self, head: Head) -> Result<SignedHead, NoKey> {
        let text = said(&head, &self.public.id).ok_or(NoKey)?;
        let signature = self.sign_text(&text);
        Ok(SignedHead { head, text, signature, key_id: self.public.id.clone() })
    }

    /// Signs a text that says by itself what it is.
    pub(super) fn sign_text(&self, text: &str) -> String {
        STANDARD.encode(self.pair.sign(text.as_bytes()).as_ref())
    }
}

impl HeadKey {
    fn new(bare: Vec<u8>) -> Self {
        let pem = pem("PUBLIC KEY", &[&BEFORE_ED25519, bare.as_slice()].concat());
        Self { id: fingerprint(&pem), bare, pem }
    }

    /// Reads a key of Ed25519 from PEM.
    pub fn read(text: &str) -> Result<Self, NoKey> {
        match bare(text) {
            Some((KeyAlgorithm::EdDsa, key)) => Ok(Self::new(key)),
            _ => Err(NoKey),
        }
    }

    /// Tells whether this key has signed a text.
    pub(super) fn has_signed(&self, text: &str, signature: &str) -> bool {
        let Ok(bytes) = STANDARD.decode(signature) else { return false };
        UnparsedPublicKey::new(&ED25519, &self.bare).verify(text.as_bytes(), &bytes).is_ok()
    }

    /// Reads a head that this key has signed.
    pub fn open(&self, text: &str, signature: &str) -> Result<SignedHead, BadHead> {
        if !self.has_signed(text, signature) {
            return Err(BadHead::Signature);
        }
        let read: Said = serde_json::from_str(text).map_err(|_| BadHead::Form)?;
        let at = DateTime::parse_from_rfc3339(&read.at).map_err(|_| BadHead::Form)?;
        let head = Head {
            account: read.account_id,
            revision: read.revision,
            hash: chain::unhex(&read.hash).ok_or(BadHead::Form)?,
            at: at.with_timezone(&Utc),
        };
        // One text for one head: what says more, or says it otherwise, is none.
        if said(&head, &read.key_id).as_deref() != Some(text) {
            return Err(BadHead::Form);
        }
        let (text, signature) = (text.to_owned(), signature.to_owned());
        Ok(SignedHead { head, text, signature, key_id: read.key_id })
    }
}

fn said(head: &Head, key_id: &str) -> Option<String> {
    let said = Said {
        what: WHAT.to_owned(),
        format: FORMAT,
        account_id: head.account,
        revision: head.revision,
        hash: chain::hex(&head.hash),
        at: head.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        key_id: key_id.to_owned(),
    };
    let bytes = chain::canonical(&serde_json::to_value(&said).ok()?).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASTER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn key() -> LedgerKey {
        LedgerKey::of(&KeyRing::from_base64(MASTER).unwrap()).unwrap()
    }

    fn head() -> Head {
        Head {
            account: "acc_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
            revision: Revision(7),
            hash: [0xab; 32],
            at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        }
    }

    #[test]
    fn a_head_is_read_back_by_the_public_key_and_by_no_other() {
        let signed = key().sign(head()).unwrap();
        let public = HeadKey::read(&key().public().pem).unwrap();
        assert_eq!(&public, key().public());
        assert_eq!(public.open(&signed.text, &signed.signature), Ok(signed.clone()));
        let other = "AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let other = LedgerKey::of(&KeyRing::from_base64(other).unwrap()).unwrap();
        let told = other.public().open(&signed.text, &signed.signature);
        assert_eq!(told, Err(BadHead::Signature));
        let changed = signed.text.replace("\"revision\":7", "\"revision\":8");
        assert_eq!(public.open(&changed, &signed.signature), Err(BadHead::Signature));
        assert_eq!(public.open(&signed.text, "no base64"), Err(BadHead::Signature));
    }

    #[test]
    fn what_is_signed_is_canonical_and_says_what_it_is() {
        let key = key();
        let signed = key.sign(head()).unwrap();
        let wanted = format!(
            "{{\"account_id\":\"acc_01h455vb4pex5vsknk084sn02q\",\"at\":\"2027-01-15T08:00:00.000000Z\",\
             \"format\":1,\"hash\":\"{}\",\"key_id\":\"{}\",\"revision\":7,\"what\":\"chancery ledger head\"}}",
            "ab".repeat(32),
            key.public().id,
        );
        assert_eq!(signed.text, wanted);
        // What the key has signed, and is none in its one form.
        for other in ["{}", &format!(" {wanted}"), &wanted.replace("ledger", "other")] {
            let signature = STANDARD.encode(key.pair.sign(other.as_bytes()).as_ref());
            assert_eq!(key.public().open(other, &signature), Err(BadHead::Form), "{other}");
        }
    }

    #[test]
    fn the_key_stays_what_it_was_and_other_keys_are_none_of_these() {
        assert_eq!(key().public().pem, key().public().pem);
        for name in ["p256", "rsa2048", "x25519", "private_label"] {
            let pem =
                std::fs::read_to_string(format!("tests/fuzz/corpus/public_keys/{name}")).unwrap();
            assert_eq!(HeadKey::read(&pem), Err(NoKey), "{name}");
        }
        assert!(!format!("{:?}", key()).contains("pair"));
    }
}
