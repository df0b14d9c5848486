//! Lists of accounts, cut to what the caller sees.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tonic::{Response, Status};

use super::AccountApi;
use super::show::has_status;
use crate::decision::{Facts, Snapshot, sees_account};
use crate::layers::{Call, status};
use crate::model::{Account, AccountId, User, UserId};
use crate::proto::v1 as pb;
use crate::rpc::page::Page;
use crate::rpc::shared::{Reader, account_of, reader, with_revision};

/// The fewest rows read at a time, so that a list of which little is shown does not cost a statement a row.
const ROWS: usize = 200;

/// Which accounts are wanted.
struct Wanted {
    parent: AccountId,
    recursive: bool,
    status: pb::AccountStatus,
    page: Page<AccountId>,
}

impl AccountApi {
    pub(super) async fn list(
        &self,
        call: &Call,
        request: &pb::ListAccountsRequest,
    ) -> Result<Response<pb::ListAccountsResponse>, Status> {
        let wanted = Wanted {
            parent: account_of(&call.ask, "parent_account_id")?,
            recursive: request.recursive,
            status: request.status(),
            page: self.0.page(call, request.page_size, &request.page_token)?,
        };
        let by = reader(call)?;
        let mut accounts = if wanted.parent == self.0.feed.root() {
            self.below_root(&by, &wanted).await?
        } else {
            self.below(&by, &wanted)
        };
        let more = accounts.len() > wanted.page.size;
        accounts.truncate(wanted.page.size);
        let last = accounts.last().filter(|_| more);
        let next_page_token =
            last.map(|last| self.0.next_page(call, &last.account_id)).unwrap_or_default();
        let reply = pb::ListAccountsResponse { accounts, next_page_token };
        Ok(with_revision(Response::new(reply), &by.there))
    }

    /// Lists accounts of one tenant, one more than a page holds if there are more.
    fn below(&self, by: &Reader, wanted: &Wanted) -> Vec<pb::Account> {
        let (there, now) = (&by.there, self.0.clock.now());
        let found: Box<dyn Iterator<Item = &Arc<Account>> + '_> = if wanted.recursive {
            let inside = |account: &&Arc<Account>| there.is_above(wanted.parent, account.id);
            Box::new(there.accounts().filter(inside))
        } else {
            Box::new(there.sub_accounts(wanted.parent).filter_map(|id| there.account(id)))
        };
        found
            .filter(|account| wanted.page.after.is_none_or(|after| account.id > after))
            .filter(|account| has_status(account, wanted.status))
            .filter(|account| sees_account(&by.caller, &by.home, there, account.id, now))
            .take(wanted.page.size + 1)
            .map(|account| self.show(by, there, account))
            .collect()
    }

    /// Lists accounts of all tenants, for the platform's own users: from rows, since most tenants are not in memory.
    async fn below_root(&self, by: &Reader, wanted: &Wanted) -> Result<Vec<pb::Account>, Status> {
        let (store, now) = (&self.0.store, self.0.clock.now());
        let most = wanted.page.size + 1;
        let limit = u64::try_from(most.max(ROWS)).map_err(|_| status::internal())?;
        let (mut shown, mut after) = (Vec::new(), wanted.page.after);
        loop {
            let rows = if wanted.recursive {
                store.all_accounts(after, limit).await?
            } else {
                store.main_accounts(after, limit).await?
            };
            let Some(last) = rows.last() else { return Ok(shown) };
            after = Some(last.id);
            let rows: Vec<Account> = rows
                .into_iter()
                .filter(|account| !account.is_root() && has_status(account, wanted.status))
                .collect();
            let ids: Vec<_> = rows.iter().map(|row| (row.id, row.tenant)).collect();
            let tenants = self.tenants_of(by, rows).await?;
            for (id, tenant) in ids {
                let Some(by) = tenants.get(&tenant) else { continue };
                let Some(account) = by.there.account(id) else { continue };
                if sees_account(&by.caller, &by.home, &by.there, id, now) {
                    shown.push(self.show(by, &by.there, account));
                }
                if shown.len() == most {
                    return Ok(shown);
                }
            }
        }
    }

    /// Makes of each tenant as much of a snapshot as these accounts need: themselves, who made them, and what is above both.
    async fn tenants_of(
        &self,
        by: &Reader,
        mut accounts: Vec<Account>,
    ) -> Result<HashMap<AccountId, Reader>, Status> {
        let store = &self.0.store;
        let makers: BTreeSet<UserId> =
            accounts.iter().filter_map(|account| account.created_by).collect();
        let makers = store.users(&makers.into_iter().collect::<Vec<_>>()).await?;
        let homes: BTreeSet<AccountId> = makers.iter().map(|maker| maker.account).collect();
        accounts.extend(store.accounts(&homes.into_iter().collect::<Vec<_>>()).await?);
        let mut tenants: HashMap<AccountId, Facts> = HashMap::new();
        let mut tenant_of = HashMap::new();
        for account in store.with_those_above(accounts).await? {
            tenant_of.insert(account.id, account.tenant);
            tenants.entry(account.tenant).or_default().accounts.push(account);
        }
        for maker in makers {
            let facts = tenant_of.get(&maker.account).and_then(|tenant| tenants.get_mut(tenant));
            if let Some(facts) = facts {
                // From another account than its own nobody is seen by where it stands among others.
                facts.users.push(User { parent: None, ..maker });
            }
        }
        tenants
            .into_iter()
            .map(|(tenant, facts)| {
                let facts = Facts { tenant: Some(tenant), ..facts };
                let built = Snapshot::build(Arc::clone(by.home.catalogue()), facts);
                let there = Arc::new(built.map_err(|_| status::internal())?);
                Ok((tenant, Reader { there, ..by.clone() }))
            })
            .collect()
    }
}
