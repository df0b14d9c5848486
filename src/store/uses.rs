//! Which rights are used, and when last: noted on the path of decisions, and written in batches (`ListUnusedRights`).
//!
//! A use that is noted already costs one hash and one load; no lock is taken for it and nothing is kept. The first one
//! in an hour goes into a queue that has an end. What does not fit is noted at its next use, so it is late, and not lost.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, Set};

use super::rows::right_use::{ActiveModel, Column, Entity};
use super::{Error, Store};
use crate::model::UserId;

/// So many uses are known to be noted.
const KNOWN: usize = 1 << 16;
/// So many wait to be written.
const QUEUE: usize = 1 << 14;
/// So many are written in one statement.
const BATCH: usize = 200;
/// After so long a use is noted anew.
const ANEW: TimeDelta = TimeDelta::hours(1);

type Use = (UserId, String, DateTime<Utc>);

/// Takes note of uses.
#[derive(Debug)]
pub struct Uses {
    /// What is noted, each at the place that its hash names. Who comes to a place of another writes itself there.
    known: Box<[AtomicU64]>,
    /// When what is known was forgotten last, in seconds since 1970.
    forgotten: AtomicI64,
    to: SyncSender<Use>,
    waiting: Mutex<Receiver<Use>>,
}

impl Default for Uses {
    fn default() -> Self {
        let known = std::iter::repeat_with(AtomicU64::default).take(KNOWN).collect();
        let (to, waiting) = sync_channel(QUEUE);
        Self { known, forgotten: AtomicI64::default(), to, waiting: Mutex::new(waiting) }
    }
}

impl Uses {
    /// Notes that somebody has used a permission.
    pub fn note(&self, user: UserId, permission: &str, at: DateTime<Utc>) {
        let mark = mark(user, permission);
        let place = usize::try_from(mark >> 1).unwrap_or_default() % KNOWN;
        let Some(place) = self.known.get(place) else { return };
        if place.load(Ordering::Relaxed) == mark {
            return;
        }
        if self.to.try_send((user, permission.to_owned(), at)).is_ok() {
            place.store(mark, Ordering::Relaxed);
        }
    }

    /// Takes what waits, of each use the last; and forgets what is noted where that is long ago.
    fn take(&self, now: DateTime<Utc>) -> BTreeMap<(UserId, String), DateTime<Utc>> {
        let forgotten = self.forgotten.load(Ordering::Relaxed);
        if now.timestamp().saturating_sub(forgotten) >= ANEW.num_seconds() {
            self.forget(now);
        }
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = BTreeMap::new();
        for (user, permission, at) in waiting.try_iter().take(QUEUE) {
            let last = taken.entry((user, permission)).or_insert(at);
            *last = at.max(*last);
        }
        taken
    }

    fn forget(&self, now: DateTime<Utc>) {
        self.known.iter().for_each(|place| place.store(0, Ordering::Relaxed));
        self.forgotten.store(now.timestamp(), Ordering::Relaxed);
    }
}

/// Stands for a use; never zero, which stands for none.
fn mark(user: UserId, permission: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (user.0, permission).hash(&mut hasher);
    hasher.finish() | 1
}

impl Store {
    /// Returns what takes note of uses.
    pub fn uses(&self) -> &Arc<Uses> {
        &self.0.uses
    }

    /// Writes the uses that wait. What cannot be written is noted at its next use.
    pub async fn write_uses(&self) -> Result<(), Error> {
        let now = self.clock().now();
        // In order, so that two processes do not wait for each other.
        let uses: Vec<_> = self.uses().take(now).into_iter().collect();
        for uses in uses.chunks(BATCH) {
            let rows = uses.iter().map(|((user, permission), at)| ActiveModel {
                user_id: Set(user.0),
                permission: Set(permission.clone()),
                last_used_time: Set(*at),
            });
            let mut known = OnConflict::columns([Column::UserId, Column::Permission]);
            known.update_column(Column::LastUsedTime);
            let insert = Entity::insert_many(rows).on_conflict(known);
            if let Err(error) = insert.exec_without_returning(self.traces()).await {
                self.uses().forget(now);
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Finds what each of some users has used since then.
    pub async fn used_since(
        &self,
        users: &[UserId],
        since: DateTime<Utc>,
    ) -> Result<HashMap<UserId, HashSet<String>>, Error> {
        let mut found: HashMap<_, HashSet<_>> = HashMap::new();
        for users in users.chunks(BATCH) {
            let rows = Entity::find()
                .filter(Column::UserId.is_in(users.iter().map(|user| user.0)))
                .filter(Column::LastUsedTime.gte(since))
                .all(self.loads())
                .await?;
            for row in rows {
                found.entry(UserId(row.user_id)).or_default().insert(row.permission);
            }
        }
        Ok(found)
    }

    /// Forgets uses before then; returns how many.
    pub async fn forget_uses(&self, before: DateTime<Utc>) -> Result<u64, Error> {
        let old = Column::LastUsedTime.lt(before);
        Ok(Entity::delete_many().filter(old).exec(self.traces()).await?.rows_affected)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    fn hour(n: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + n * 3_600, 0).unwrap()
    }

    #[test]
    fn a_use_is_noted_once_an_hour_with_its_last_time() {
        let uses = Uses::default();
        assert!(uses.take(hour(0)).is_empty());
        for _ in 0..100 {
            uses.note(user(1), "account.read", hour(0));
            uses.note(user(2), "account.read", hour(0));
            uses.note(user(1), "user.read", hour(0));
        }
        assert_eq!(uses.take(hour(0)).len(), 3);
        uses.note(user(1), "account.read", hour(0));
        assert!(uses.take(hour(0)).is_empty());
        assert!(uses.take(hour(1)).is_empty());
        uses.note(user(1), "account.read", hour(1));
        let again = BTreeMap::from([((user(1), "account.read".to_owned()), hour(1))]);
        assert_eq!(uses.take(hour(1)), again);
    }

    #[test]
    fn what_does_not_fit_is_noted_later_and_what_is_held_has_an_end() {
        let uses = Uses::default();
        uses.take(hour(0));
        let all = u128::try_from(QUEUE).unwrap() + 1_000;
        let note = || (0..all).for_each(|n| uses.note(user(n), "account.read", hour(0)));
        note();
        let first = uses.take(hour(0));
        assert_eq!(first.len(), QUEUE);
        note();
        let second = uses.take(hour(0));
        let found: HashSet<_> = first.keys().chain(second.keys()).collect();
        assert_eq!(u128::try_from(found.len()).unwrap(), all);
    }
}
