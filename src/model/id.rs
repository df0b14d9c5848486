//! Ids: a kind apiece, so that the compiler tells an account from a user.
//!
//! The text is a `TypeID`: a prefix that names the kind, an underscore, and the 128 bits of a `UUIDv7`
//! in 26 characters of Crockford's base 32, lower case. Text order is creation order.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::{ContextV7, Timestamp, Uuid};

use super::Clock;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 26;
const PREFIX: usize = 3;

/// The text is not an id of the kind wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind} id, which looks like `{prefix}_` and 26 lower-case characters")]
pub struct BadId {
    kind: &'static str,
    prefix: &'static str,
    text: String,
}

/// By byte, what a letter stands for; what is none is above 31.
const VALUES: [u8; 256] = values();

#[expect(clippy::indexing_slicing, reason = "worked out by the compiler")]
const fn values() -> [u8; 256] {
    let mut values = [u8::MAX; 256];
    let (mut place, mut five) = (0, 0);
    while place < ALPHABET.len() {
        values[ALPHABET[place] as usize] = five;
        (place, five) = (place + 1, five + 1);
    }
    values
}

/// Writes an id in one go: a text that grows bit by bit is given room more than once.
fn write(prefix: [u8; PREFIX], id: Uuid, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut bits = id.as_u128();
    let mut text = [b'_'; PREFIX + 1 + LENGTH];
    let (head, tail) = text.split_at_mut(PREFIX + 1);
    head.iter_mut().zip(prefix).for_each(|(place, letter)| *place = letter);
    for letter in tail.iter_mut().rev() {
        let five = usize::try_from(bits & 31).unwrap_or_default();
        *letter = ALPHABET.get(five).copied().unwrap_or(b'0');
        bits >>= 5;
    }
    f.write_str(std::str::from_utf8(&text).unwrap_or_default())
}

fn read_base32(text: &str) -> Option<Uuid> {
    let bytes = text.as_bytes();
    // 26 characters hold 130 bits: the first may not use its upper two.
    if bytes.len() != LENGTH || bytes.first().is_none_or(|first| *first > b'7') {
        return None;
    }
    let mut bits = 0_u128;
    for byte in bytes {
        let five = VALUES.get(usize::from(*byte)).copied().filter(|five| *five < 32)?;
        bits = (bits << 5) | u128::from(five);
    }
    Some(Uuid::from_u128(bits))
}

fn new_v7(clock: &dyn Clock) -> Uuid {
    static CONTEXT: std::sync::Mutex<ContextV7> = std::sync::Mutex::new(ContextV7::new());
    let now = clock.now();
    let context = CONTEXT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let seconds = now.timestamp().unsigned_abs();
    Uuid::new_v7(Timestamp::from_unix(&*context, seconds, now.timestamp_subsec_nanos()))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The letters before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Makes an id that nothing else has; later ids sort after earlier ones.
            pub fn new(clock: &dyn Clock) -> Self {
                Self(new_v7(clock))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Some(prefix) = Self::PREFIX.as_bytes().first_chunk() else { return Err(fmt::Error) };
                write(*prefix, self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                text.strip_prefix(concat!($prefix, "_")).and_then(read_base32).map(Self).ok_or_else(
                    || BadId { kind: $kind, prefix: $prefix, text: text.to_owned() },
                )
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'de, str>::deserialize(from)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// Names something that was done and changed nothing.
    ActivityId = "act", "an activity";
    /// Names one account of the tree (`model.md` §2). A tenant is named by its main account.
    AccountId = "acc", "an account";
    /// Names one user (`model.md` §3).
    UserId = "usr", "a user";
    /// Names one custom role (`model.md` §4).
    RoleId = "rol", "a role";
    /// Names one API token without being it (`model.md` §9).
    TokenId = "tok", "a token";
    /// Names one rights document (`model.md` §5).
    DocId = "doc", "a rights document";
    /// Names one session (`model.md` §9).
    SessionId = "ses", "a session";
    /// Names one message to a user (`edges.md` §5).
    MessageId = "msg", "a message";
    /// Names one key of a service user (`model.md` §9).
    KeyId = "key", "a service key";
    /// Names one of the keys that access tokens are signed with.
    SigningKeyId = "sig", "a signing key";
    /// Names one answer to a question, in logs and traces.
    DecisionId = "dec", "a decision";
}

impl DecisionId {
    /// Makes the id of a decision at an instant; it sorts by that, and within a process by the order of answers.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self(unasked_v7(now))
    }
}

/// Makes a version 7 UUID without asking the machine for chance each time: what tells processes apart is drawn once. Nobody else
/// makes the same one, and anybody may guess it.
pub fn unasked_v7(now: DateTime<Utc>) -> Uuid {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static PROCESS: OnceLock<u32> = OnceLock::new();
    let process = PROCESS.get_or_init(|| Uuid::new_v4().as_fields().0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let millis = now.timestamp_millis().unsigned_abs();
    // The 74 bits that a version 7 UUID has to give: 42 count, and 32 are the process's.
    let (high, low) = ((count >> 30) & 0xfff, count & 0x3fff_ffff);
    let first = (millis << 16) | 0x7000 | high;
    let second = (1 << 63) | (low << 32) | u64::from(*process);
    Uuid::from_u64_pair(first, second)
}

/// How much of a tenant's history a reader has seen: the number of its newest ledger entry. Gapless, from 1.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Revision(pub u64);

impl Revision {
    /// Returns the revision after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::HeldClock;

    #[test]
    fn an_id_made_later_sorts_later_as_text_too() {
        let clock = HeldClock::at(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        let ids: Vec<String> = (0..1000).map(|_| UserId::new(&clock).to_string()).collect();
        assert!(ids.is_sorted());
        assert!(ids.windows(2).all(|two| two[0] != two[1]));
    }

    #[test]
    fn the_id_of_a_decision_is_a_uuid_of_its_instant_and_no_two_are_one() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let ids: Vec<DecisionId> =
            (0..1000).map(|n| DecisionId::at(at(1_700_000_000 + n / 500))).collect();
        assert!(ids.windows(2).all(|two| two[0] < two[1]));
        assert!(ids.iter().all(|id| id.0.get_version_num() == 7));
        let (seconds, _) = ids[0].0.get_timestamp().unwrap().to_unix();
        assert_eq!(seconds, 1_700_000_000);
    }

    #[test]
    fn another_kind_upper_case_and_overflow_are_no_ids() {
        let id = AccountId(Uuid::from_u128(u128::MAX)).to_string();
        assert_eq!(id, "acc_7zzzzzzzzzzzzzzzzzzzzzzzzz");
        assert!(id.parse::<UserId>().is_err());
        assert!(id.to_uppercase().parse::<AccountId>().is_err());
        assert!("acc_80000000000000000000000000".parse::<AccountId>().is_err());
        assert!("acc_7zzz".parse::<AccountId>().is_err());
    }

    proptest! {
        #[test]
        fn every_id_reads_back(bits: u128) {
            let id = TokenId(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().parse::<TokenId>().unwrap(), id);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<RoleId>();
            let _ = format!("rol_{text}").parse::<RoleId>();
        }
    }
}
