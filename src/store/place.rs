//! A place in the queue of one tenant's writes: one runs, some wait, the rest are told to come later.
//!
//! Taken before a connection is (`edges.md` §7), so that a tenant with many writers holds one connection and
//! not all of them. The queue is fair: first come, first served.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Error;
use crate::model::AccountId;

/// This many writes of one tenant may wait beside the one that runs.
const WAITING: usize = 64;

/// The queues of all tenants that somebody writes to now.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<Mutex<HashMap<AccountId, Queue>>>);

#[derive(Debug)]
struct Queue {
    turn: Arc<Semaphore>,
    inside: usize,
}

/// Somebody's presence in a queue. Leaving is dropping.
#[derive(Debug)]
struct Presence {
    places: Places,
    tenant: AccountId,
}

/// The right to be the one write of a tenant that runs in this process.
#[derive(Debug)]
pub(super) struct Place {
    // The turn is given on before the presence ends.
    _turn: OwnedSemaphorePermit,
    _presence: Presence,
}

impl Places {
    /// Waits for the turn of a write to `tenant`, or says at once that too many wait.
    pub(super) async fn take(&self, tenant: AccountId) -> Result<Place, Error> {
        let (turn, presence) = self.enter(tenant)?;
        // Nobody closes the semaphore; were it closed, there would be no turn to wait for.
        let turn = turn.acquire_owned().await.map_err(|_| Error::Overloaded(tenant))?;
        Ok(Place { _turn: turn, _presence: presence })
    }

    fn enter(&self, tenant: AccountId) -> Result<(Arc<Semaphore>, Presence), Error> {
        let mut queues = self.lock();
        let queue = queues
            .entry(tenant)
            .or_insert_with(|| Queue { turn: Arc::new(Semaphore::new(1)), inside: 0 });
        if queue.inside > WAITING {
            return Err(Error::Overloaded(tenant));
        }
        queue.inside += 1;
        Ok((Arc::clone(&queue.turn), Presence { places: self.clone(), tenant }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut queues = self.places.lock();
        if let Some(queue) = queues.get_mut(&self.tenant) {
            queue.inside = queue.inside.saturating_sub(1);
            if queue.inside == 0 {
                queues.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn tenant(n: u128) -> AccountId {
        AccountId(Uuid::from_u128(n))
    }

    /// Waits until so many are in the queue.
    async fn crowd(places: &Places, wanted: usize) {
        while places.lock().get(&tenant(1)).map_or(0, |queue| queue.inside) != wanted {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn one_runs_and_64_wait_and_the_next_is_told_to_come_later() {
        let places = Places::default();
        let queue = || {
            let places = places.clone();
            tokio::spawn(async move { places.take(tenant(1)).await })
        };
        let running = places.take(tenant(1)).await.unwrap();
        let mut waiting: Vec<_> = (0..WAITING).map(|_| queue()).collect();
        crowd(&places, 1 + WAITING).await;
        assert!(matches!(places.take(tenant(1)).await, Err(Error::Overloaded(_))));
        assert!(places.take(tenant(2)).await.is_ok(), "another tenant is not held up");

        // Whoever gives up makes room; whoever leaves lets the next in.
        waiting.pop().unwrap().abort();
        crowd(&places, WAITING).await;
        waiting.push(queue());
        crowd(&places, 1 + WAITING).await;
        drop(running);
        for one in waiting {
            drop(one.await.unwrap().unwrap());
        }
        assert!(places.lock().is_empty(), "a queue that nobody uses is forgotten");
    }
}
