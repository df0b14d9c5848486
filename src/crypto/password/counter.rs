//! What tries are counted under. The store keeps keyed hashes, so that it tells nobody who was tried from where.

use crate::crypto::KeyRing;
use crate::crypto::keys::mac;
use crate::model::{AccountId, UserId};

/// Something that tries are counted for.
#[derive(Debug, Clone, Copy)]
pub enum Counter<'a> {
    /// A user, from anywhere it has not signed in from.
    User(UserId),
    /// A user, from a source it has signed in from.
    Pair(UserId, &'a str),
    /// A name that nobody has, in an account that may not be there. All of them share 65 536 counters (`edges.md` §5), so that
    /// guessing names fills no store.
    Nobody(Option<AccountId>, &'a str),
    /// A source.
    Source(&'a str),
}

impl Counter<'_> {
    /// Returns the key that tries at signing in are counted under.
    pub fn sign_in(self, keys: &KeyRing) -> [u8; 32] {
        self.key(keys, b's')
    }

    /// Returns the key that requests for a reset are counted under.
    pub fn reset(self, keys: &KeyRing) -> [u8; 32] {
        self.key(keys, b'r')
    }

    fn key(self, keys: &KeyRing, what: u8) -> [u8; 32] {
        // Ids are of one length, and text stands last: no two counters give the same bytes.
        let of = |kind: u8, id: &[u8], text: &str| {
            mac(&keys.failure, &[&[what, kind], id, text.as_bytes()])
        };
        match self {
            Self::User(user) => of(b'u', user.0.as_bytes(), ""),
            Self::Pair(user, source) => of(b'p', user.0.as_bytes(), source),
            Self::Source(source) => of(b's', &[], source),
            Self::Nobody(account, name) => {
                let account = account.unwrap_or(AccountId(uuid::Uuid::nil()));
                let [first, second, ..] = of(b'n', account.0.as_bytes(), name);
                of(b'b', &[first, second], "")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::model::SystemClock;

    #[test]
    fn each_is_counted_by_itself_and_names_of_nobody_share() {
        let keys = KeyRing::from_master(&[1; 32]);
        let (user, account) = (UserId::new(&SystemClock), AccountId::new(&SystemClock));
        let all = [
            Counter::User(user),
            Counter::Pair(user, "192.0.2.1"),
            Counter::Pair(user, "192.0.2.2"),
            Counter::Source("192.0.2.1"),
            Counter::Nobody(Some(account), "maria"),
            Counter::Nobody(None, "maria"),
        ];
        let all = all.into_iter().flat_map(|one| [one.sign_in(&keys), one.reset(&keys)]);
        assert_eq!(all.collect::<HashSet<_>>().len(), 12);
        let names = (0..200_000).map(|n| Counter::Nobody(None, &n.to_string()).sign_in(&keys));
        let buckets = names.collect::<HashSet<_>>().len();
        assert!((50_000..=65_536).contains(&buckets), "{buckets}");
    }
}
