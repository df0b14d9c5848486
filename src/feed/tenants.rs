//! The tenants that are known here, found without a lock: every question begins with a look, on every thread that answers.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::slot::Slot;
use crate::decision::Map;
use crate::model::AccountId;

/// Each tenant's place. Who looks sees all that were there at one time.
#[derive(Debug, Default)]
pub(super) struct Tenants(ArcSwap<Map<AccountId, Arc<Slot>>>);

impl Tenants {
    /// Looks at a tenant's place, where it has one.
    pub(super) fn look<T>(&self, tenant: AccountId, look: impl FnOnce(&Slot) -> T) -> Option<T> {
        self.0.load().get(&tenant).map(|slot| look(slot))
    }

    /// Returns a tenant's place; makes one where there is none.
    pub(super) fn slot(&self, tenant: AccountId) -> Arc<Slot> {
        if let Some(slot) = self.0.load().get(&tenant) {
            return Arc::clone(slot);
        }
        let new = Arc::new(Slot::new(tenant));
        let before = self.0.rcu(|tenants| {
            let known = tenants.contains_key(&tenant);
            if known { Map::clone(tenants) } else { tenants.update(tenant, Arc::clone(&new)) }
        });
        // Whoever came first has made it.
        before.get(&tenant).map_or(new, Arc::clone)
    }

    /// Takes a tenant's place away.
    pub(super) fn forget(&self, tenant: AccountId) {
        self.0.rcu(|tenants| tenants.without(&tenant));
    }

    /// Returns all places that there are now.
    pub(super) fn all(&self) -> Arc<Map<AccountId, Arc<Slot>>> {
        self.0.load_full()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn whoever_comes_at_once_gets_the_same_place() {
        let tenants = Tenants::default();
        let of = |n| AccountId(Uuid::from_u128(n));
        assert!(tenants.look(of(0), |_| ()).is_none());
        let ask = || (0..200).map(|n| tenants.slot(of(n % 50))).collect::<Vec<_>>();
        let all: Vec<Vec<Arc<Slot>>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for (n, slot) in all.iter().flat_map(|of_one| of_one.iter().enumerate()) {
            assert!(Arc::ptr_eq(slot, &all[0][n % 50]));
        }
        assert_eq!(tenants.all().len(), 50);
        tenants.forget(of(7));
        assert_eq!(tenants.all().len(), 49);
        assert!(!Arc::ptr_eq(&tenants.slot(of(7)), &all[0][7]));
    }
}
