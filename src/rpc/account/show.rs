//! Accounts as they are shown.

use tonic::Status;

use super::AccountApi;
use crate::decision::{Anchor, Caller, Snapshot, sees_account};
use crate::model::{Account, AccountId, AccountStatus, EffectiveStatus, Image};
use crate::proto::v1 as pb;
use crate::rpc::shared::{Done, Reader};
use crate::rpc::wire::timestamp;
use crate::store::account_etag;

impl AccountApi {
    /// Shows an account beside those that stand above it, and who made it, if the reader may know.
    pub(super) fn show(&self, by: &Reader, world: &Snapshot, account: &Account) -> pb::Account {
        let known = world.account(account.id).is_some();
        // A main account that this very change opens stands right below the root, which always works.
        let effective = world.effective_status(account.id).unwrap_or(account.own_status());
        let depth = if known { world.depth(account.id) } else { 2 };
        pb::Account {
            account_id: account.id.to_string(),
            parent_account_id: account.parent.map(|id| id.to_string()).unwrap_or_default(),
            tenant_id: account.tenant.to_string(),
            display_name: Some(account.display_name.clone()),
            email: account.email.clone(),
            role: account.role.as_deref().map(|role| bare(world, role)).unwrap_or_default(),
            status: Some(status(account.status).into()),
            quarantined: account.quarantined_from.is_some(),
            effective_status: effective_status(effective).into(),
            login_alias: account.login_alias.clone(),
            login_uri: self.login_uri(account),
            depth: u32::try_from(depth).unwrap_or(u32::MAX),
            created_by: by.name(account.created_by, self.0.clock.now()),
            create_time: Some(timestamp(account.create_time)),
            update_time: Some(timestamp(account.update_time)),
            etag: account_etag(account),
        }
    }

    /// Shows the account of a change as the change left it; on a repeat as it is now, if it is still seen.
    pub(super) async fn show_changed(
        &self,
        by: Reader,
        done: &Done<AccountId>,
    ) -> Result<Option<pb::Account>, Status> {
        let id = done.outcome;
        if done.hidden {
            return Ok(None);
        }
        if done.repeat {
            return self.show_again(by.caller, id).await;
        }
        let image =
            done.after(|image| matches!(image, Image::Account(account) if account.id == id));
        let (account, changed) = match image {
            Some(Image::Account(account)) => (account, true),
            _ => match done.world.account(id) {
                Some(account) => (&**account, false),
                None => return Ok(None),
            },
        };
        let mut shown = self.show(&by, &done.world, account);
        if done.dry_run && changed {
            // What would be, without what is made only when it is.
            shown.update_time = None;
            shown.etag.clear();
        }
        Ok(Some(shown))
    }

    async fn show_again(
        &self,
        caller: Caller,
        id: AccountId,
    ) -> Result<Option<pb::Account>, Status> {
        let feed = &self.0.feed;
        let Some(tenant) = feed.tenant_of(Anchor::Account(id)).await? else { return Ok(None) };
        let (home, there) = (feed.tenant(caller.tenant).await?, feed.tenant(tenant).await?);
        let by = Reader { caller, home, there };
        let Some(account) = by.there.account(id) else { return Ok(None) };
        let seen = sees_account(&by.caller, &by.home, &by.there, id, self.0.clock.now());
        Ok(seen.then(|| self.show(&by, &by.there, account)))
    }

    fn login_uri(&self, account: &Account) -> String {
        let base = self.0.settings.base_url.trim_end_matches('/');
        match &account.login_alias {
            Some(alias) => format!("{base}/login/{alias}"),
            None => format!("{base}/login/{}", account.id),
        }
    }
}

/// Takes from an account that is not made what only one that is made has: its id, and when it was.
pub(super) fn unmade(mut shown: pb::Account) -> pb::Account {
    if shown.tenant_id == shown.account_id {
        shown.tenant_id.clear();
    }
    if shown.login_alias.is_none() {
        shown.login_uri.clear();
    }
    shown.account_id.clear();
    shown.create_time = None;
    shown
}

/// Returns the role's bare name where it is unambiguous; a role that has vanished by the name it had.
fn bare(world: &Snapshot, role: &str) -> String {
    let catalogue = world.catalogue();
    catalogue.role(role).map_or(role, |role| catalogue.bare(role)).to_owned()
}

const fn status(status: AccountStatus) -> pb::AccountStatus {
    match status {
        AccountStatus::Active => pb::AccountStatus::Active,
        AccountStatus::Pending => pb::AccountStatus::Pending,
        AccountStatus::Suspended => pb::AccountStatus::Suspended,
        AccountStatus::Closed => pb::AccountStatus::Closed,
    }
}

const fn effective_status(status: EffectiveStatus) -> pb::AccountStatus {
    match status {
        EffectiveStatus::Active => pb::AccountStatus::Active,
        EffectiveStatus::Pending => pb::AccountStatus::Pending,
        EffectiveStatus::Suspended => pb::AccountStatus::Suspended,
        EffectiveStatus::Quarantined => pb::AccountStatus::Quarantined,
        EffectiveStatus::Closed => pb::AccountStatus::Closed,
    }
}

/// Returns whether an account is listed under a wanted status of its own; under none wanted, all are.
pub(super) fn has_status(account: &Account, wanted: pb::AccountStatus) -> bool {
    match wanted {
        pb::AccountStatus::Unspecified => true,
        pb::AccountStatus::Quarantined => account.quarantined_from.is_some(),
        wanted => status(account.status) == wanted,
    }
}
