//! Checkpoints: what stands, signed, for the entries that a ledger does not hold any more (`model.md` §8).
//!
//! A checkpoint is of all entries up to a revision: their number, the hash of the last one, which the next one follows on, and a
//! digest of the state that they had come to. It is signed with the key of the ledger's heads, and is a text of another kind: a
//! head stands for no entry that is gone.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::jwt::NoKey;
use super::{HeadKey, LedgerKey, chain};
use crate::model::{AccountId, Revision};

/// The number of this form of checkpoints.
const FORMAT: u32 = 1;
/// What a signed text says that it is.
const WHAT: &str = "chancery ledger checkpoint";

/// What the entries up to a revision came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose ledger.
    pub account: AccountId,
    /// The last revision that it stands for; the first is that of the ledger.
    pub revision: Revision,
    /// The hash of that revision's last entry.
    pub hash: [u8; 32],
    /// How many entries it stands for.
    pub entries: u64,
    /// When the last of them was made, to the microsecond.
    pub last_at: DateTime<Utc>,
    /// When they were pruned, to the microsecond.
    pub at: DateTime<Utc>,
    /// By the kind of object, a digest of all objects of that kind as the entries left them.
    pub state: BTreeMap<String, [u8; 32]>,
    /// By which rule those digests are made.
    pub state_format: u32,
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
    entries: u64,
    last_at: String,
    at: String,
    state: BTreeMap<String, String>,
    state_format: u32,
    key_id: String,
}

/// A checkpoint with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The text that was signed: canonical JSON.
    pub text: String,
    /// The signature, in base64.
    pub signature: String,
    /// Which key has signed, as the text says.
    pub key_id: String,
}

/// Why a text is no checkpoint that counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// It is none, or not in its one form.
    #[error("the text is no checkpoint of a ledger")]
    Form,
    /// The key has not signed it.
    #[error("the signature is not that of the key")]
    Signature,
    /// It says itself that another key has signed it.
    #[error("it is signed by the key `{0}`, and not by the one that should have signed")]
    OtherKey(String),
    /// It is one of another ledger.
    #[error("it is of the ledger of `{0}`")]
    OtherLedger(AccountId),
}

impl SignedCheckpoint {
    /// Reads a checkpoint, and does not look who has signed it.
    pub fn unverified(text: &str, signature: &str) -> Result<Self, BadCheckpoint> {
        let read: Said = serde_json::from_str(text).map_err(|_| BadCheckpoint::Form)?;
        let key_id = read.key_id.clone();
        let checkpoint = of(read).ok_or(BadCheckpoint::Form)?;
        // One text for one checkpoint: what says more, or says it otherwise, is none.
        if said(&checkpoint, &key_id).as_deref() != Some(text) {
            return Err(BadCheckpoint::Form);
        }
        let (text, signature) = (text.to_owned(), signature.to_owned());
        Ok(Self { checkpoint, text, signature, key_id })
    }
}

impl LedgerKey {
    /// Signs a checkpoint.
    pub fn sign_checkpoint(&self, checkpoint: Checkpoint) -> Result<SignedCheckpoint, NoKey> {
        let key_id = self.public().id.clone();
        let text = said(&checkpoint, &key_id).ok_or(NoKey)?;
        let signature = self.sign_text(&text);
        Ok(SignedCheckpoint { checkpoint, text, signature, key_id })
    }
}

impl HeadKey {
    /// Reads a checkpoint that this key has signed.
    pub fn open_checkpoint(
        &self,
        text: &str,
        signature: &str,
    ) -> Result<SignedCheckpoint, BadCheckpoint> {
        let signed = self.has_signed(text, signature);
        match SignedCheckpoint::unverified(text, signature) {
            Ok(read) if signed => Ok(read),
            Ok(read) if read.key_id != self.id => Err(BadCheckpoint::OtherKey(read.key_id)),
            Err(error) if signed => Err(error),
            Ok(_) | Err(_) => Err(BadCheckpoint::Signature),
        }
    }
}

fn of(read: Said) -> Option<Checkpoint> {
    let time = |text: &str| Some(DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc));
    let state = read.state.into_iter();
    let state = state.map(|(kind, digest)| Some((kind, chain::unhex(&digest)?)));
    Some(Checkpoint {
        account: read.account_id,
        revision: read.revision,
        hash: chain::unhex(&read.hash)?,
        entries: read.entries,
        last_at: time(&read.last_at)?,
        at: time(&read.at)?,
        state: state.collect::<Option<_>>()?,
        state_format: read.state_format,
    })
}

fn said(checkpoint: &Checkpoint, key_id: &str) -> Option<String> {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let state = checkpoint.state.iter();
    let said = Said {
        what: WHAT.to_owned(),
        format: FORMAT,
        account_id: checkpoint.account,
        revision: checkpoint.revision,
        hash: chain::hex(&checkpoint.hash),
        entries: checkpoint.entries,
        last_at: time(checkpoint.last_at),
        at: time(checkpoint.at),
        state: state.map(|(kind, digest)| (kind.clone(), chain::hex(digest))).collect(),
        state_format: checkpoint.state_format,
        key_id: key_id.to_owned(),
    };
    let bytes = chain::canonical(&serde_json::to_value(&said).ok()?).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Head, KeyRing};

    fn key(master: &str) -> LedgerKey {
        LedgerKey::of(&KeyRing::from_base64(master).unwrap()).unwrap()
    }

    fn own() -> LedgerKey {
        key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    }

    fn checkpoint() -> Checkpoint {
        let at = |seconds| DateTime::from_timestamp(seconds, 7_000).unwrap();
        Checkpoint {
            account: "acc_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
            revision: Revision(7),
            hash: [0xab; 32],
            entries: 12,
            last_at: at(1_800_000_000),
            at: at(1_900_000_000),
            state: BTreeMap::from([("user".to_owned(), [1; 32]), ("account".to_owned(), [2; 32])]),
            state_format: 1,
        }
    }

    #[test]
    fn a_checkpoint_is_read_back_by_the_public_key_and_by_no_other() {
        let signed = own().sign_checkpoint(checkpoint()).unwrap();
        let public = HeadKey::read(&own().public().pem).unwrap();
        assert_eq!(signed.checkpoint, checkpoint());
        assert_eq!(public.open_checkpoint(&signed.text, &signed.signature), Ok(signed.clone()));
        assert_eq!(
            SignedCheckpoint::unverified(&signed.text, &signed.signature),
            Ok(signed.clone())
        );
        let other = key("AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        let told = other.public().open_checkpoint(&signed.text, &signed.signature);
        assert_eq!(told, Err(BadCheckpoint::OtherKey(public.id.clone())));
        for (from, to) in
            [("\"revision\":7", "\"revision\":8"), ("\"entries\":12", "\"entries\":1")]
        {
            let changed = signed.text.replace(from, to);
            assert_ne!(changed, signed.text);
            let told = public.open_checkpoint(&changed, &signed.signature);
            assert_eq!(told, Err(BadCheckpoint::Signature));
        }
        let told = public.open_checkpoint(&signed.text, "no base64");
        assert_eq!(told, Err(BadCheckpoint::Signature));
    }

    #[test]
    fn neither_is_a_head_a_checkpoint_nor_a_checkpoint_a_head() {
        let key = own();
        let Checkpoint { account, revision, hash, at, .. } = checkpoint();
        let head = key.sign(Head { account, revision, hash, at }).unwrap();
        let told = key.public().open_checkpoint(&head.text, &head.signature);
        assert_eq!(told, Err(BadCheckpoint::Form));
        let signed = key.sign_checkpoint(checkpoint()).unwrap();
        assert!(key.public().open(&signed.text, &signed.signature).is_err());
        // What the key has signed, and is none in its one form.
        for other in [format!(" {}", signed.text), signed.text.replace("ledger", "other")] {
            let signature = key.sign_text(&other);
            let told = key.public().open_checkpoint(&other, &signature);
            assert_eq!(told, Err(BadCheckpoint::Form), "{other}");
        }
    }
}
