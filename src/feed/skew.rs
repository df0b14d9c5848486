//! How far this process's clock is from the store's. Expiries are judged by the one and written by another's.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// From here on it is warned of (`edges.md` §5).
const WARNED: TimeDelta = TimeDelta::milliseconds(500);
/// From here on the server does not serve.
const MOST: TimeDelta = TimeDelta::seconds(2);

/// A clock that is too far from the store's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Skewed {
    /// This process believes that it is later.
    #[error("this machine's clock is more than {} s ahead of the store's", MOST.num_seconds())]
    Ahead,
    /// This process believes that it is earlier.
    #[error("this machine's clock is more than {} s behind the store's", MOST.num_seconds())]
    Behind,
}

/// What the last poll found.
#[derive(Debug, Default)]
pub(super) struct Skew(Mutex<TimeDelta>);

impl Skew {
    /// Notes what time it was at the store somewhen between two readings of our clock.
    pub(super) fn note(&self, before: DateTime<Utc>, store: DateTime<Utc>, after: DateTime<Utc>) {
        let now = ahead(before, store, after);
        let was =
            std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), now);
        let seconds = now.as_seconds_f64();
        metrics::gauge!("chancery_clock_skew_seconds").set(seconds);
        if is_off(now) && !is_off(was) {
            tracing::warn!(ahead = seconds, "this machine's clock is not the store's");
        } else if is_off(was) && !is_off(now) {
            tracing::info!(ahead = seconds, "this machine's clock is the store's again");
        }
    }

    pub(super) fn check(&self) -> Result<(), Skewed> {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            ahead if ahead > MOST => Err(Skewed::Ahead),
            ahead if ahead < -MOST => Err(Skewed::Behind),
            _ => Ok(()),
        }
    }
}

fn is_off(ahead: TimeDelta) -> bool {
    ahead.abs() > WARNED
}

/// Tells by how much our clock is ahead at least: the time that the question took proves nothing.
fn ahead(before: DateTime<Utc>, store: DateTime<Utc>, after: DateTime<Utc>) -> TimeDelta {
    if store < before { before - store } else { (after - store).min(TimeDelta::zero()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_800_000_000_000 + ms).unwrap()
    }

    #[test]
    fn a_slow_answer_is_no_skew() {
        for (store, skew) in [(0, 0), (900, 0), (1_000, 0), (-1, 1), (1_700, -700)] {
            let found = ahead(at(0), at(store), at(1_000));
            assert_eq!(found, TimeDelta::milliseconds(skew), "{store}");
        }
    }

    #[test]
    fn more_than_two_seconds_are_too_much_either_way() {
        let skew = Skew::default();
        for (store, found) in [
            (0, Ok(())),
            (2_000, Ok(())),
            (2_001, Err(Skewed::Behind)),
            (-2_000, Ok(())),
            (-2_001, Err(Skewed::Ahead)),
        ] {
            skew.note(at(0), at(store), at(0));
            assert_eq!(skew.check(), found, "{store}");
        }
    }
}
