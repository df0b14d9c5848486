//! Accounts as they are kept now, with those above them.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use crate::model::{Account, AccountId, Folded};
use crate::store::rows::account;
use crate::store::{Error, Store};

/// So many ids are asked for in one statement.
const IDS: usize = 1_000;

impl Store {
    /// Finds those of the accounts that exist.
    pub async fn accounts(&self, ids: &[AccountId]) -> Result<Vec<Account>, Error> {
        let mut accounts = Vec::with_capacity(ids.len());
        for ids in ids.chunks(IDS) {
            let these = account::Column::Id.is_in(ids.iter().map(|id| id.0));
            let rows = account::Entity::find().filter(these).all(self.credentials()).await?;
            for row in rows {
                accounts.push(Account::try_from(row)?);
            }
        }
        Ok(accounts)
    }

    /// Finds the account of a login alias.
    pub async fn account_by_alias(&self, alias: &Folded) -> Result<Option<AccountId>, Error> {
        let this = account::Column::LoginAliasKey.eq(alias.as_str());
        let row = account::Entity::find().filter(this).one(self.credentials()).await?;
        Ok(row.map(|row| AccountId(row.id)))
    }

    /// Adds to accounts all that stand above them in their tenants, so that what they can do can be computed.
    ///
    /// One statement a level of the tree.
    pub async fn with_those_above(&self, accounts: Vec<Account>) -> Result<Vec<Account>, Error> {
        let mut known: BTreeMap<AccountId, Account> =
            accounts.into_iter().map(|account| (account.id, account)).collect();
        loop {
            let mut missing: Vec<AccountId> = known
                .values()
                // A main account is the top of its tenant.
                .filter(|account| account.id != account.tenant)
                .filter_map(|account| account.parent)
                .filter(|parent| !known.contains_key(parent))
                .collect();
            missing.sort_unstable();
            missing.dedup();
            let found = self.accounts(&missing).await?;
            if found.is_empty() {
                return Ok(known.into_values().collect());
            }
            known.extend(found.into_iter().map(|account| (account.id, account)));
        }
    }
}
