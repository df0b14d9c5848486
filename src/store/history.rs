//! Single points of a tenant's history.

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::rows::{hash, ledger, number};
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

    /// Returns the hash of a revision's last entry; `None` where the ledger does not hold it.
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
        found.map(|bytes| hash("ledger", &tenant, &bytes)).transpose()
    }
}
