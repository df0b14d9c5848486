//! Consistency tokens: which line of history an answer stood on, and how far along it (`edges.md` §4).
//!
//! The text is URL-safe base64, 60 characters, of 45 bytes: version (1), tenant (16), revision (8),
//! first bytes of that entry's hash (8), platform revision (8), CRC-32 of all before (4); numbers big-endian.
//! It is no secret and no proof: the checksum refuses texts that were cut, mistyped or made up by accident.
//! Whether the history it names is the one at hand, the reader checks by the hash.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::model::{AccountId, Revision};

const VERSION: u8 = 1;
const LENGTH: usize = 45;
const TEXT_LENGTH: usize = 60;

/// The text is not a consistency token that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a consistency token: give one that a response carried, unchanged")]
pub struct BadConsistencyToken;

/// A point in one tenant's history, and in the platform's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConsistencyToken {
    /// Whose history: the tenant's main account.
    pub tenant: AccountId,
    /// How much of it was seen.
    pub revision: Revision,
    /// The first 8 bytes of that entry's hash: tells this line of history from a restored store's.
    pub hash8: [u8; 8],
    /// How much of the platform's history (catalogues, root roles, operators) was seen.
    pub platform: Revision,
}

impl fmt::Display for ConsistencyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; LENGTH];
        let (head, checksum) = bytes.split_at_mut(LENGTH - 4);
        let parts: [&[u8]; 5] = [
            &[VERSION],
            self.tenant.0.as_bytes(),
            &self.revision.0.to_be_bytes(),
            &self.hash8,
            &self.platform.0.to_be_bytes(),
        ];
        head.iter_mut().zip(parts.into_iter().flatten()).for_each(|(place, byte)| *place = *byte);
        checksum.copy_from_slice(&crc32fast::hash(head).to_be_bytes());
        // Without an allocation: every answer carries one.
        let mut text = [0; TEXT_LENGTH];
        URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for ConsistencyToken {
    type Err = BadConsistencyToken;

    fn from_str(text: &str) -> Result<Self, BadConsistencyToken> {
        read(text).ok_or(BadConsistencyToken)
    }
}

fn read(text: &str) -> Option<ConsistencyToken> {
    // The length first, so that a huge text costs nothing.
    if text.len() != TEXT_LENGTH {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (rest, checksum) = bytes.split_last_chunk::<4>()?;
    if crc32fast::hash(rest) != u32::from_be_bytes(*checksum) {
        return None;
    }
    let (version, rest) = rest.split_first()?;
    if *version != VERSION {
        return None;
    }
    let (tenant, rest) = rest.split_first_chunk::<16>()?;
    let (revision, rest) = rest.split_first_chunk::<8>()?;
    let (hash8, rest) = rest.split_first_chunk::<8>()?;
    Some(ConsistencyToken {
        tenant: AccountId(Uuid::from_bytes(*tenant)),
        revision: Revision(u64::from_be_bytes(*revision)),
        hash8: *hash8,
        platform: Revision(u64::from_be_bytes(rest.try_into().ok()?)),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(tenant: u128, revision: u64, hash8: [u8; 8], platform: u64) -> ConsistencyToken {
        ConsistencyToken {
            tenant: AccountId(Uuid::from_u128(tenant)),
            revision: Revision(revision),
            hash8,
            platform: Revision(platform),
        }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let text = token(1, 2, *b"abcdefgh", 3).to_string();
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        assert_eq!(text.len(), TEXT_LENGTH);
        let mut wanted = vec![1];
        wanted.extend([0; 15]);
        wanted.push(1);
        wanted.extend([0, 0, 0, 0, 0, 0, 0, 2]);
        wanted.extend(b"abcdefgh");
        wanted.extend([0, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(bytes[..41], wanted);
    }

    #[test]
    fn another_version_is_refused_though_its_checksum_is_right() {
        let text = token(1, 2, [0; 8], 3).to_string();
        let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
        bytes[0] = 2;
        let checksum = crc32fast::hash(&bytes[..41]).to_be_bytes();
        bytes[41..].copy_from_slice(&checksum);
        assert!(URL_SAFE_NO_PAD.encode(bytes).parse::<ConsistencyToken>().is_err());
    }

    proptest! {
        #[test]
        fn every_token_reads_back(tenant: u128, revision: u64, hash8: [u8; 8], platform: u64) {
            let token = token(tenant, revision, hash8, platform);
            prop_assert_eq!(token.to_string().parse::<ConsistencyToken>(), Ok(token));
        }

        #[test]
        fn a_flipped_bit_is_refused(tenant: u128, revision: u64, hash8: [u8; 8], bit in 0_usize..360) {
            let text = token(tenant, revision, hash8, 7).to_string();
            let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(URL_SAFE_NO_PAD.encode(bytes).parse::<ConsistencyToken>().is_err());
        }

        #[test]
        fn no_text_panics_and_only_what_we_write_is_read(
            text in prop_oneof![".*", "[0-9A-Za-z_=+/-]{60}", "\\PC{60}"],
        ) {
            if let Ok(token) = text.parse::<ConsistencyToken>() {
                prop_assert_eq!(token.to_string(), text);
            }
        }
    }
}
