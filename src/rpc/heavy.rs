//! Places for heavy work, such as searches and explanations: on threads of its own, so that decisions do not wait for it,
//! and so many of each tenant at once that none is crowded out (`edges.md` §7).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tonic::Status;

use crate::layers::status;
use crate::model::AccountId;

/// How much heavy work of one tenant is done at once.
const OF_A_TENANT: usize = 2;
/// How much of all tenants together.
const OF_ALL: usize = 8;

/// The places for heavy work of a process.
#[derive(Debug, Clone, Default)]
pub struct Heavy {
    taken: Arc<Mutex<HashMap<AccountId, usize>>>,
}

/// A place that was taken. It is free again when this is dropped.
pub(super) struct Place {
    of: Heavy,
    tenant: AccountId,
}

impl Heavy {
    /// Does some work for a tenant's user where it holds up nobody's decisions, or says that there is no place.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        tenant: AccountId,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Status> {
        let place = self.place(tenant)?;
        let span = tracing::Span::current();
        let work = tokio::task::spawn_blocking(move || {
            // Whoever asked may be gone; the place is held until the work is done.
            let _place = place;
            span.in_scope(work)
        });
        work.await.map_err(|error| {
            tracing::error!(error = %error, "heavy work broke off");
            status::internal()
        })
    }

    /// Does some work that also waits, as for the store, where it holds up nobody's decisions.
    pub(super) async fn wait<T: Send + 'static>(
        &self,
        tenant: AccountId,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Status> {
        let here = tokio::runtime::Handle::current();
        self.run(tenant, move || here.block_on(work)).await
    }

    /// Takes a place for work that waits more than it does, and does what it does elsewhere; or says that there is none.
    pub(super) fn place(&self, tenant: AccountId) -> Result<Place, Status> {
        self.take(tenant).ok_or_else(status::overloaded)
    }

    fn take(&self, tenant: AccountId) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= OF_ALL {
            return None;
        }
        let mine = taken.entry(tenant).or_default();
        if *mine >= OF_A_TENANT {
            return None;
        }
        *mine += 1;
        drop(taken);
        Some(Place { of: self.clone(), tenant })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let left = taken.get_mut(&self.tenant).map(|mine| {
            *mine = mine.saturating_sub(1);
            *mine
        });
        if left == Some(0) {
            taken.remove(&self.tenant);
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

    #[test]
    fn one_tenant_does_not_take_the_places_of_another() {
        let heavy = Heavy::default();
        let mine: Vec<Place> = std::iter::from_fn(|| heavy.take(tenant(1))).collect();
        assert_eq!(mine.len(), OF_A_TENANT);
        assert!(heavy.take(tenant(2)).is_some());
        drop(mine);
        assert!(heavy.take(tenant(1)).is_some());
        assert!(heavy.taken.lock().unwrap().is_empty());
    }

    #[test]
    fn all_tenants_together_have_so_many_places_and_no_more() {
        let heavy = Heavy::default();
        let taken: Vec<Place> = (0..100).filter_map(|n| heavy.take(tenant(n))).collect();
        assert_eq!(taken.len(), OF_ALL);
    }
}
