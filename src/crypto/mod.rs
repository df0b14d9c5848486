//! Secrets: keys, keyed hashes, sealed texts and the hash chain. Knows no users and no tables.
//!
//! Chance is an argument here: whoever needs it hands in [`secret::system`], a test something that
//! it can foresee. Nothing in this room prints a secret, by `Debug` or in an error.

mod certificate;
pub mod chain;
mod checkpoint;
mod consistency;
mod etag;
pub mod jwt;
mod keys;
mod ledger_key;
pub mod outbox;
pub mod password;
pub mod proof;
pub mod seal;
pub mod secret;
pub mod token;

pub use certificate::Certificate;
pub use checkpoint::{BadCheckpoint, Checkpoint, SignedCheckpoint};
pub use consistency::{BadConsistencyToken, ConsistencyToken};
pub use etag::{etag, fingerprint};
pub use keys::{BadKey, KeyRing};
pub use ledger_key::{BadHead, Head, HeadKey, LedgerKey, SignedHead};
