//! The Account service: the tree of accounts (`model.md` §2).

mod edit;
mod list;
mod quarantine;
mod show;

use tonic::{Request, Response, Status};

use super::shared::{Acting, Done, Reader, Shared, account_of, open, reader, with_revision};
use super::wire::field;
use crate::decision::{Anchor, Caller};
use crate::layers::Call;
use crate::model::AccountId;
use crate::proto::v1 as pb;
use crate::store::{Refusal, Tx, crossing};

/// Reads and changes accounts.
#[derive(Debug, Clone)]
pub struct AccountApi(pub Shared);

#[tonic::async_trait]
impl pb::account_service_server::AccountService for AccountApi {
    async fn create_account(
        &self,
        request: Request<pb::CreateAccountRequest>,
    ) -> Result<Response<pb::CreateAccountResponse>, Status> {
        let (call, request) = open(request)?;
        let parent = account_of(&call.ask, "parent_account_id")?;
        let new = edit::new_account(parent, request.account.unwrap_or_default())?;
        let deepest = self.0.settings.account_depth;
        let (done, account) = self
            .act(call, move |tx, caller| Box::pin(tx.create_account(caller, new, deepest)))
            .await?;
        let account = if done.dry_run { account.map(show::unmade) } else { account };
        Ok(done.respond(pb::CreateAccountResponse {
            account,
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn get_account(
        &self,
        request: Request<pb::GetAccountRequest>,
    ) -> Result<Response<pb::GetAccountResponse>, Status> {
        let (call, _) = open(request)?;
        let id = account_of(&call.ask, "account_id")?;
        let by = reader(&call)?;
        let account = by.there.account(id).ok_or_else(|| Refusal::unseen("account", id))?;
        let account = Some(self.show(&by, &by.there, account));
        Ok(with_revision(Response::new(pb::GetAccountResponse { account }), &by.there))
    }

    async fn list_accounts(
        &self,
        request: Request<pb::ListAccountsRequest>,
    ) -> Result<Response<pb::ListAccountsResponse>, Status> {
        let (call, request) = open(request)?;
        self.list(&call, &request).await
    }

    async fn update_account(
        &self,
        request: Request<pb::UpdateAccountRequest>,
    ) -> Result<Response<pb::UpdateAccountResponse>, Status> {
        let (call, request) = open(request)?;
        let account = request.account.unwrap_or_default();
        let id = field("account.account_id", &account.account_id)?;
        let etag = account.etag.clone();
        let patch = edit::patch(account, request.update_mask.as_ref())?;
        let (done, account) = self
            .act(call, move |tx, caller| {
                Box::pin(async move { tx.update_account(caller, id, patch, &etag).await })
            })
            .await?;
        Ok(done.respond(pb::UpdateAccountResponse {
            account,
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn set_account_role(
        &self,
        request: Request<pb::SetAccountRoleRequest>,
    ) -> Result<Response<pb::SetAccountRoleResponse>, Status> {
        let (call, request) = open(request)?;
        let id = field("account_id", &request.account_id)?;
        let (done, account) = self
            .act(call, move |tx, caller| {
                let set = tx.set_account_role(caller, id, &request.role, &request.etag);
                Box::pin(std::future::ready(set))
            })
            .await?;
        Ok(done.respond(pb::SetAccountRoleResponse {
            account,
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn suspend_account(
        &self,
        request: Request<pb::SuspendAccountRequest>,
    ) -> Result<Response<pb::SuspendAccountResponse>, Status> {
        let (call, request) = open(request)?;
        let id = field("account_id", &request.account_id)?;
        let (done, account) = self
            .act(call, move |tx, caller| {
                Box::pin(std::future::ready(tx.suspend_account(caller, id, &request.etag)))
            })
            .await?;
        Ok(done.respond(pb::SuspendAccountResponse {
            account,
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn resume_account(
        &self,
        request: Request<pb::ResumeAccountRequest>,
    ) -> Result<Response<pb::ResumeAccountResponse>, Status> {
        let (call, request) = open(request)?;
        let id = field("account_id", &request.account_id)?;
        let (done, account) = self
            .act(call, move |tx, caller| {
                Box::pin(std::future::ready(tx.resume_account(caller, id, &request.etag)))
            })
            .await?;
        Ok(done.respond(pb::ResumeAccountResponse {
            account,
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn close_account(
        &self,
        request: Request<pb::CloseAccountRequest>,
    ) -> Result<Response<pb::CloseAccountResponse>, Status> {
        let (call, request) = open(request)?;
        let id = field("account_id", &request.account_id)?;
        let (done, account) = self
            .act(call, move |tx, _| {
                Box::pin(std::future::ready(tx.close_account(id, &request.etag)))
            })
            .await?;
        Ok(done.respond(pb::CloseAccountResponse {
            account,
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn move_account(
        &self,
        request: Request<pb::MoveAccountRequest>,
    ) -> Result<Response<pb::MoveAccountResponse>, Status> {
        let (call, request) = open(request)?;
        let id = field("account_id", &request.account_id)?;
        let parent = field("new_parent_account_id", &request.new_parent_account_id)?;
        self.refuse_crossing(&call, id, parent, &request.etag).await?;
        let deepest = self.0.settings.account_depth;
        let (done, account) = self
            .act(call, move |tx, caller| {
                let moved = tx.move_account(caller, id, parent, &request.etag, deepest);
                Box::pin(std::future::ready(moved))
            })
            .await?;
        Ok(done.respond(pb::MoveAccountResponse {
            account,
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn quarantine_account(
        &self,
        request: Request<pb::QuarantineAccountRequest>,
    ) -> Result<Response<pb::QuarantineAccountResponse>, Status> {
        let (call, request) = open(request)?;
        let id = field("account_id", &request.account_id)?;
        let by = reader(&call)?;
        let done = self.0.change(call, move |tx, caller| {
            Box::pin(std::future::ready(tx.quarantine_account(caller, id, &request.etag)))
        });
        let done = done.await?;
        let effect = self.quarantined(&by, &done, false).await?;
        let done = done.map(|(id, _)| id);
        let account = self.show_changed(by, &done).await?;
        Ok(done.respond(pb::QuarantineAccountResponse {
            account,
            effect,
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn release_account(
        &self,
        request: Request<pb::ReleaseAccountRequest>,
    ) -> Result<Response<pb::ReleaseAccountResponse>, Status> {
        let (call, request) = open(request)?;
        let id = field("account_id", &request.account_id)?;
        let by = reader(&call)?;
        let done = self.0.change(call, move |tx, caller| {
            Box::pin(std::future::ready(tx.release_account(caller, id, &request.etag)))
        });
        let done = done.await?;
        let effect = self.quarantined(&by, &done, true).await?;
        let done = done.map(|(id, _)| id);
        let account = self.show_changed(by, &done).await?;
        Ok(done.respond(pb::ReleaseAccountResponse {
            account,
            effect,
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }
}

impl AccountApi {
    /// Makes a change to one account, and shows that account as the change left it.
    async fn act<A>(
        &self,
        call: Call,
        act: A,
    ) -> Result<(Done<AccountId>, Option<pb::Account>), Status>
    where
        A: for<'t> FnOnce(&'t mut Tx, &'t Caller) -> Acting<'t, AccountId> + Send + 'static,
    {
        let by = reader(&call)?;
        let done = self.0.change(call, act).await?;
        let account = self.show_changed(by, &done).await?;
        Ok((done, account))
    }

    /// Refuses a move into another tenant, in front of which only the platform's operators ever stand.
    async fn refuse_crossing(
        &self,
        call: &Call,
        id: AccountId,
        parent: AccountId,
        etag: &str,
    ) -> Result<(), Status> {
        let Reader { caller, home, there } = reader(call)?;
        let feed = &self.0.feed;
        let Some(account) = there.account(id).filter(|_| caller.tenant == feed.root()) else {
            return Ok(());
        };
        let beyond = feed.tenant_of(Anchor::Account(parent)).await?;
        let Some(beyond) = beyond.filter(|beyond| *beyond != there.tenant()) else {
            return Ok(());
        };
        let beyond = feed.tenant(beyond).await?;
        let (now, parent) = (self.0.clock.now(), (parent, &*beyond));
        Err(crossing(&caller, &home, (account, &there), parent, etag, now).into())
    }
}
