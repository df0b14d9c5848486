//! One tenant's place in memory.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use super::ring::Ring;
use crate::decision::Snapshot;
use crate::model::AccountId;
use crate::store::Progress;

/// The newest snapshot of one tenant, and when the store last confirmed it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) tenant: AccountId,
    /// Held by whoever reads the store for this tenant.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    /// How far whoever has the turn is.
    pub(super) progress: Progress,
    /// What those who watch the tenant are served from, while there are any.
    pub(super) ring: Mutex<Weak<Ring>>,
    /// Marked whenever another snapshot is shown.
    moved: watch::Sender<()>,
    snapshot: ArcSwapOption<Snapshot>,
    /// The store holds what this program cannot read of the tenant; only another program can.
    too_new: AtomicBool,
    /// Guards swaps, so that an older snapshot never replaces a newer one.
    confirmed: Mutex<Option<Instant>>,
    /// The same for those who only look, in nanoseconds since there are slots; 0 = never. On a thread that answers nobody waits, nor
    /// has anything written that others read.
    seen: AtomicU64,
}

/// Counts the nanoseconds since there are slots; never 0.
fn nanos(at: Instant) -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let began = BEGAN.get_or_init(Instant::now);
    u64::try_from(at.saturating_duration_since(*began).as_nanos()).unwrap_or(u64::MAX).max(1)
}

impl Slot {
    pub(super) fn new(tenant: AccountId) -> Self {
        // Counted from here on at the latest: nothing is read for a slot that is not there.
        let _ = nanos(Instant::now());
        Self {
            tenant,
            turn: Arc::default(),
            progress: Progress::default(),
            ring: Mutex::default(),
            moved: watch::Sender::new(()),
            snapshot: ArcSwapOption::empty(),
            too_new: AtomicBool::new(false),
            confirmed: Mutex::new(None),
            seen: AtomicU64::new(0),
        }
    }

    /// Drops what is there for good: rows can no more be trusted to say all that this program goes by.
    pub(super) fn give_up(&self) {
        self.too_new.store(true, Ordering::Release);
        self.clear();
    }

    /// Tells whether the tenant was given up.
    pub(super) fn is_given_up(&self) -> bool {
        self.too_new.load(Ordering::Acquire)
    }

    /// Returns what tells whenever another snapshot is shown.
    pub(super) fn moves(&self) -> watch::Receiver<()> {
        self.moved.subscribe()
    }

    /// Returns the snapshot whatever its age.
    pub(super) fn held(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Returns how long ago the snapshot was confirmed; `None` where there is none.
    pub(super) fn age(&self) -> Option<Duration> {
        let confirmed = *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        confirmed.map(|at| at.elapsed())
    }

    /// Returns the snapshot if it was confirmed within `staleness`.
    pub(super) fn newest(&self, staleness: Duration) -> Option<Arc<Snapshot>> {
        let seen = self.seen.load(Ordering::Acquire);
        let age = Duration::from_nanos(nanos(Instant::now()).saturating_sub(seen));
        if seen == 0 || age > staleness {
            return None;
        }
        self.held()
    }

    /// Returns the snapshot if a read that began after `asked` confirmed it.
    pub(super) fn confirmed_since(&self, asked: Instant) -> Option<Arc<Snapshot>> {
        let confirmed = *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        confirmed.filter(|at| *at >= asked)?;
        self.held()
    }

    /// Notes that the store's head, read at `read`, is the snapshot's.
    pub(super) fn confirm(&self, read: Instant) {
        let mut confirmed = self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        *confirmed = (*confirmed).max(Some(read));
        self.show(*confirmed);
    }

    /// Shows a newer snapshot; an older one is dropped. Returns whether it is of the catalogue that is shown: of another, it
    /// is not shown whatever its revision.
    pub(super) fn publish(&self, snapshot: Arc<Snapshot>) -> bool {
        let confirmed = self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.held();
        let other =
            held.as_ref().is_some_and(|held| !Arc::ptr_eq(held.catalogue(), snapshot.catalogue()));
        let newer = held.is_none_or(|held| held.revision() < snapshot.revision());
        // Without a confirmed load there is nothing yet that this could be newer than.
        if newer && !other && confirmed.is_some() {
            self.snapshot.store(Some(snapshot));
            self.moved.send_replace(());
        }
        !other
    }

    /// Puts a snapshot in place whatever was there: a fresh load, or another line of history.
    pub(super) fn replace(&self, snapshot: Arc<Snapshot>, read: Instant) {
        let mut confirmed = self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        self.snapshot.store(Some(snapshot));
        *confirmed = Some(read);
        self.show(*confirmed);
        self.moved.send_replace(());
    }

    /// Drops what is there.
    pub(super) fn clear(&self) {
        let mut confirmed = self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        self.snapshot.store(None);
        *confirmed = None;
        self.show(None);
    }

    /// Shows those who only look what the guard says, which the caller has.
    fn show(&self, confirmed: Option<Instant>) {
        self.seen.store(confirmed.map_or(0, nanos), Ordering::Release);
    }
}
