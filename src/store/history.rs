//! Single points of a tenant's history.

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::rows::{hash, ledger, number, revision};
use super::{Error, Store};
use crate::model::{AccountId, Revision};

impl Store {
    /// Counts a tenant's entries behind a revision.
    pub async fn entries_behind(&self, tenant: AccountId, after: Revision) -> Result<u64, Error> {
        let behind = ledger::Entity::find()
            .filter(ledger::Column::TenantId.eq(tenant.0))
            .filter(ledger::Column::Revision.gt(number(after)?));
        Ok(behind.count(self.loads()).await?)
    }

    /// Returns the first revision that the ledger holds, if that is not behind another.
    pub(super) async fn left_before(
        &self,
        tenant: AccountId,
        upto: Revision,
    ) -> Result<Option<Revision>, Error> {
        let found: Option<i64> = ledger::Entity::find()
            .select_only()
            .column(ledger::Column::Revision)
            .filter(ledger::Column::TenantId.eq(tenant.0))
            .filter(ledger::Column::Revision.lte(number(upto)?))
            .order_by_asc(ledger::Column::Revision)
            .limit(1)
            .into_tuple()
            .one(self.loads())
            .await?;
        found.map(|found| revision("ledger", &tenant, found)).transpose()
    }

    /// Returns the hash of a revision's last entry; `None` where the ledger does not hold it. That of the last one that was pruned
    /// is in the checkpoint.
    pub async fn hash_at(
        &self,
        tenant: AccountId,
        at: Revision,
    ) -> Result<Option<[u8; 32]>, Error> {
        let found: Option<Vec<u8>> = ledger::Entity::find()
            .select_only()
            .column(ledger::Column::Hash)
            .filter(ledger::Column::TenantId.eq(tenant.0))
            .filter(ledger::Column::Revision.eq(number(at)?))
            .order_by_desc(ledger::Column::Ordinal)
            .limit(1)
            .into_tuple()
            .one(self.credentials())
            .await?;
        if let Some(bytes) = found {
            return hash("ledger", &tenant, &bytes).map(Some);
        }
        let kept = self.checkpoint(tenant).await?.filter(|kept| kept.revision == at);
        Ok(kept.and_then(|kept| kept.read().ok()).map(|signed| signed.checkpoint.hash))
    }
}
