//! What has been noted this second, so that it is not noted again: on the path of every request, and without a lock.

use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use foldhash::fast::RandomState;

use crate::model::TokenId;

/// So many uses are known to be noted.
const PLACES: usize = 1 << 12;

/// Uses of tokens that are noted, each at the place that its hash names. Who comes to a place of another writes itself there, and
/// is noted once more.
#[derive(Debug)]
pub(super) struct Noted {
    places: Box<[AtomicU64]>,
    hash: RandomState,
    /// How often all was forgotten: what was noted before is noted anew.
    round: AtomicU64,
}

impl Default for Noted {
    fn default() -> Self {
        let places = std::iter::repeat_with(AtomicU64::default).take(PLACES).collect();
        Self { places, hash: RandomState::default(), round: AtomicU64::default() }
    }
}

impl Noted {
    /// Tells whether a use was not noted this second, and takes it for noted.
    pub(super) fn is_new(&self, token: TokenId, source: &str, at: DateTime<Utc>) -> bool {
        let round = self.round.load(Ordering::Relaxed);
        let mark = self.hash.hash_one((token, source, at.timestamp(), round)) | 1;
        let place = usize::try_from(mark >> 1).unwrap_or_default() % PLACES;
        self.places.get(place).is_none_or(|place| {
            place.load(Ordering::Relaxed) != mark && place.swap(mark, Ordering::Relaxed) != mark
        })
    }

    /// Forgets all.
    pub(super) fn forget(&self) {
        self.round.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_use_is_new_once_a_second_for_each_source_until_all_is_forgotten() {
        let noted = Noted::default();
        let token = |n| TokenId(Uuid::from_u128(n));
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        assert!(noted.is_new(token(1), "10.0.0.1", at(5)));
        assert!(!noted.is_new(token(1), "10.0.0.1", at(5)));
        assert!(noted.is_new(token(1), "10.0.0.2", at(5)));
        assert!(noted.is_new(token(1), "10.0.0.1", at(6)));
        noted.forget();
        assert!(noted.is_new(token(1), "10.0.0.1", at(6)));
    }
}
