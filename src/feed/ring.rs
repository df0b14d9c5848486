//! The newest changes of one tenant, for all who watch it: read from the ledger once, however many they are.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::Error;
use crate::decision::Snapshot;
use crate::model::{AccountId, Revision};
use crate::store::{Entry, Store};

/// So many revisions are kept.
const STEPS: usize = 1_024;
/// What was hashed of them takes no more than this; what they take in memory is a few times as much.
const BYTES: usize = 4 << 20;
/// Entries read at once.
const PAGE: u64 = 500;
/// So many revisions are handed out at once.
const AT_ONCE: usize = 64;

/// One revision of a tenant: all that one write changed.
#[derive(Debug)]
pub struct Step {
    /// Which.
    pub revision: Revision,
    /// The hash of its last entry.
    pub hash: [u8; 32],
    /// The hash of the entry before its first.
    pub prev_hash: [u8; 32],
    /// Its entries, in their order; there is one at least.
    pub entries: Vec<Entry>,
    bytes: usize,
}

/// How far somebody has followed a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) revision: Revision,
    /// The first bytes of that revision's hash, as a consistency token names them.
    pub(super) hash8: [u8; 8],
}

impl Place {
    /// Returns whether a hash is that of this place.
    pub(super) fn is(&self, hash: &[u8; 32]) -> bool {
        hash.starts_with(&self.hash8)
    }

    fn of(revision: Revision, hash: &[u8; 32]) -> Self {
        let mut hash8 = [0; 8];
        hash8.copy_from_slice(hash.get(..8).unwrap_or(&[0; 8]));
        Self { revision, hash8 }
    }
}

impl From<&Snapshot> for Place {
    fn from(snapshot: &Snapshot) -> Self {
        Self::of(snapshot.revision(), snapshot.head())
    }
}

impl From<&Step> for Place {
    fn from(step: &Step) -> Self {
        Self::of(step.revision, &step.hash)
    }
}

/// Puts entries together that were written together.
fn steps(entries: Vec<Entry>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for entry in entries {
        let bytes = entry.body.len();
        match steps.last_mut().filter(|step| step.revision == entry.revision) {
            Some(step) => {
                step.hash = entry.hash;
                step.bytes += bytes;
                step.entries.push(entry);
            }
            None => steps.push(Step {
                revision: entry.revision,
                hash: entry.hash,
                prev_hash: entry.prev_hash,
                entries: vec![entry],
                bytes,
            }),
        }
    }
    steps
}

/// Reads a part of the ledger behind a place; what does not follow on it is refused.
async fn read(store: &Store, tenant: AccountId, after: &Place) -> Result<Vec<Step>, Error> {
    let read = steps(store.entries(tenant, after.revision, PAGE).await?);
    match read.first() {
        Some(first) if first.revision != after.revision.next() => Err(Error::Pruned),
        Some(first) if !after.is(&first.prev_hash) => Err(Error::Lost),
        _ => Ok(read),
    }
}

/// What all who watch a tenant are served from.
#[derive(Debug)]
pub(super) struct Ring {
    tenant: AccountId,
    /// Whoever comes first reads on for all.
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    end: Place,
    steps: VecDeque<Arc<Step>>,
    bytes: usize,
}

impl Ring {
    /// Makes one that is filled from here on.
    pub(super) fn behind(snapshot: &Snapshot) -> Self {
        let held = Held { end: snapshot.into(), steps: VecDeque::new(), bytes: 0 };
        Self { tenant: snapshot.tenant(), held: Mutex::new(held) }
    }

    /// Returns what comes behind a place, as far as `newest` shows it; nothing where that is all.
    ///
    /// Who is further behind than is kept here, reads a part of the ledger by itself.
    pub(super) async fn after(
        &self,
        store: &Store,
        place: &Place,
        newest: &Snapshot,
    ) -> Result<Vec<Arc<Step>>, Error> {
        let mut held = self.held.lock().await;
        if !held.is_of(newest) {
            held.begin_anew(newest);
        }
        while held.end.revision < newest.revision() {
            match read(store, self.tenant, &held.end).await {
                Ok(read) if !read.is_empty() => held.take(read, newest.revision()),
                // Of another line of history: what was followed of the old one is not to be gone on from.
                Ok(_) | Err(Error::Lost | Error::Pruned) => held.begin_anew(newest),
                Err(error) => return Err(error),
            }
        }
        if let Some(found) = held.after(place)? {
            return Ok(found);
        }
        drop(held);
        let mut read = read(store, self.tenant, place).await?;
        if read.is_empty() {
            return Err(Error::Pruned);
        }
        // What is not shown yet comes when it is: rights are judged at what is shown.
        read.retain(|step| step.revision <= newest.revision());
        Ok(read.into_iter().take(AT_ONCE).map(Arc::new).collect())
    }
}

impl Held {
    fn take(&mut self, read: Vec<Step>, upto: Revision) {
        for step in read.into_iter().take_while(|step| step.revision <= upto) {
            self.end = (&step).into();
            self.bytes += step.bytes;
            self.steps.push_back(Arc::new(step));
        }
        while self.steps.len() > STEPS || self.bytes > BYTES {
            let Some(oldest) = self.steps.pop_front() else { return };
            self.bytes -= oldest.bytes;
        }
    }

    /// Tells whether what is kept is of the line of history that a snapshot is of; of a longer one that is seen once it is
    /// read on.
    fn is_of(&self, newest: &Snapshot) -> bool {
        if self.end.revision <= newest.revision() {
            return self.end.revision < newest.revision() || self.end.is(newest.head());
        }
        let at = self.steps.partition_point(|step| step.revision < newest.revision());
        self.steps
            .get(at)
            .is_some_and(|step| step.revision == newest.revision() && step.hash == *newest.head())
    }

    fn begin_anew(&mut self, newest: &Snapshot) {
        *self = Self { end: newest.into(), steps: VecDeque::new(), bytes: 0 };
    }

    /// Finds what comes behind a place; `None` where that is not kept any more.
    fn after(&self, place: &Place) -> Result<Option<Vec<Arc<Step>>>, Error> {
        if place.revision >= self.end.revision {
            return if *place == self.end { Ok(Some(Vec::new())) } else { Err(Error::Lost) };
        }
        let next = place.revision.next();
        let at = self.steps.partition_point(|step| step.revision < next);
        match self.steps.get(at) {
            Some(step) if step.revision == next && !place.is(&step.prev_hash) => Err(Error::Lost),
            Some(step) if step.revision == next => {
                Ok(Some(self.steps.iter().skip(at).take(AT_ONCE).cloned().collect()))
            }
            _ => Ok(None),
        }
    }
}
