//! What was last found of the ledgers, whoever had them verified: the server by itself, or somebody who asked (`edges.md` §4).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::{Error, Store, Stretch, Verified};
use crate::model::{AccountId, Revision};

/// What is known of the ledgers of this process.
#[derive(Debug, Default)]
pub struct Inspected {
    ledgers: Mutex<HashMap<AccountId, Found>>,
}

/// What is known of one.
#[derive(Debug, Clone, Copy)]
struct Found {
    faults: u64,
    /// When that was seen.
    at: Instant,
}

/// How the ledgers are, all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// So many ledgers something is known of.
    pub known: usize,
    /// In so many of them something is wrong.
    pub wrong: usize,
    /// So much is wrong.
    pub faults: u64,
}

impl Inspected {
    /// Notes what a verification found that began at `began`, and raises the alarm where something is wrong.
    ///
    /// What was wrong is so until a whole ledger was verified that began afterwards: a part of one tells nothing of the rest.
    pub fn note(
        &self,
        tenant: AccountId,
        stretch: Stretch<'_>,
        began: Instant,
        verified: &Verified,
    ) {
        verified.tell(tenant);
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = ledgers.get(&tenant).copied();
        let whole = verified.compared && stretch.from.is_none_or(|from| from <= Revision(1));
        let faults = match (verified.fault_count, known) {
            (0, Some(known)) if known.faults > 0 && !(whole && known.at <= began) => return,
            (0, None) if !whole => return,
            (found, Some(known)) if !whole => found.max(known.faults),
            (found, _) => found,
        };
        ledgers.insert(tenant, Found { faults, at: Instant::now() });
        drop(ledgers);
        self.show();
    }

    /// Sums up how they are.
    pub fn tally(&self) -> Tally {
        let ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        let wrong = ledgers.values().filter(|found| found.faults > 0).count();
        let faults = ledgers.values().map(|found| found.faults).sum();
        Tally { known: ledgers.len(), wrong, faults }
    }

    /// Shows the figure; from the start, so that the first fault is a step.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a double; 2^53 faults are enough")]
    pub fn show(&self) {
        metrics::gauge!("chancery_ledger_faults").set(self.tally().faults as f64);
    }
}

impl Store {
    /// Returns what is known of the ledgers.
    pub fn inspected(&self) -> &Arc<Inspected> {
        &self.0.inspected
    }

    /// Verifies a part of a ledger, as [`Store::verify_stretch`] does, and has it known what was found.
    pub async fn inspect(
        &self,
        tenant: AccountId,
        stretch: Stretch<'_>,
    ) -> Result<Verified, Error> {
        let began = Instant::now();
        let verified = self.verify_stretch(tenant, stretch).await?;
        self.inspected().note(tenant, stretch, began, &verified);
        Ok(verified)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn found(fault_count: u64, compared: bool) -> Verified {
        Verified {
            entries: 3,
            revision: Revision(3),
            head: [0; 32],
            compared,
            faults: Vec::new(),
            fault_count,
            checkpoint: None,
        }
    }

    #[test]
    fn what_is_wrong_stays_so_until_a_whole_ledger_was_verified_that_began_later() {
        let (inspected, tenant) = (Inspected::default(), AccountId(Uuid::from_u128(1)));
        let whole = Stretch::default();
        let part = Stretch { from: Some(Revision(2)), ..whole };
        let early = Instant::now();
        let note = |stretch, began, found| inspected.note(tenant, stretch, began, &found);
        let is = |faults| {
            let tally = inspected.tally();
            (tally.known, tally.wrong, tally.faults) == (1, usize::from(faults > 0), faults)
        };
        // Of a part that is good nothing is known of the ledger.
        note(part, early, found(0, true));
        assert_eq!(inspected.tally(), Tally::default());
        note(whole, early, found(0, true));
        assert!(is(0));
        note(part, Instant::now(), found(2, true));
        assert!(is(2));
        note(part, Instant::now(), found(1, true));
        assert!(is(2), "another part");
        note(part, Instant::now(), found(0, true));
        note(whole, Instant::now(), found(0, false));
        note(whole, early, found(0, true));
        assert!(is(2), "a part, or one that had begun before");
        note(whole, Instant::now(), found(1, true));
        assert!(is(1));
        note(whole, Instant::now(), found(0, true));
        assert!(is(0));
    }
}
