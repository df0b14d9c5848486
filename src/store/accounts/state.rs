//! What an account is told to be, and the emergency stop beside it (`model.md` §2).

use super::{Tx, is_root};
use crate::decision::Caller;
use crate::model::{Account, AccountId, AccountStatus, ChangeKind};
use crate::store::Refusal;
use crate::store::etags::{account_etag, unchanged};

impl Tx {
    /// Suspends an active account, and notes from where.
    pub fn suspend_account(
        &mut self,
        caller: &Caller,
        id: AccountId,
        etag: &str,
    ) -> Result<AccountId, Refusal> {
        let before = self.account_here(id)?;
        unchanged(etag, &account_etag(&before))?;
        if before.is_root() {
            return Err(is_root("suspended"));
        }
        self.refuse_closed(id)?;
        if before.status == AccountStatus::Pending {
            let why = format!("account `{id}` is PENDING: only an ACTIVE one can be suspended");
            return Err(Refusal::precondition("INVALID_TRANSITION", why));
        }
        if before.status == AccountStatus::Active || self.stands_over(caller, before.suspended_from)
        {
            let status = AccountStatus::Suspended;
            let suspended_from = Some(caller.account);
            let after = Account { status, suspended_from, ..before.clone() };
            self.put_account(ChangeKind::AccountSuspend, before, after)?;
        }
        Ok(id)
    }

    /// Activates a pending or suspended account. A suspension is lifted from where it was ordered, or from above.
    pub fn resume_account(
        &mut self,
        caller: &Caller,
        id: AccountId,
        etag: &str,
    ) -> Result<AccountId, Refusal> {
        let before = self.account_here(id)?;
        let suspended = before.status == AccountStatus::Suspended;
        if suspended && !self.may_lift(caller, before.suspended_from) {
            return Err(Refusal::forbidden("account.resume"));
        }
        unchanged(etag, &account_etag(&before))?;
        self.refuse_closed(id)?;
        let status = AccountStatus::Active;
        let after = Account { status, suspended_from: None, ..before.clone() };
        self.put_account(ChangeKind::AccountResume, before, after)?;
        Ok(id)
    }

    /// Closes an account and all below it, for good: one change for each that is not closed yet.
    pub fn close_account(&mut self, id: AccountId, etag: &str) -> Result<AccountId, Refusal> {
        let account = self.account_here(id)?;
        unchanged(etag, &account_etag(&account))?;
        if account.is_root() {
            return Err(is_root("closed"));
        }
        for id in self.world().account_tree(id) {
            let before = self.account_here(id)?;
            let after = Account { status: AccountStatus::Closed, ..before.clone() };
            self.put_account(ChangeKind::AccountClose, before, after)?;
        }
        Ok(id)
    }

    /// Puts an account into quarantine, and notes from where. Returns also whether it was in none.
    pub fn quarantine_account(
        &mut self,
        caller: &Caller,
        id: AccountId,
        etag: &str,
    ) -> Result<(AccountId, bool), Refusal> {
        let before = self.account_here(id)?;
        unchanged(etag, &account_etag(&before))?;
        if before.is_root() {
            return Err(is_root("put into quarantine"));
        }
        self.refuse_closed(id)?;
        let fresh = before.quarantined_from.is_none();
        if fresh || self.stands_over(caller, before.quarantined_from) {
            let after = Account { quarantined_from: Some(caller.account), ..before.clone() };
            self.put_account(ChangeKind::AccountQuarantine, before, after)?;
        }
        Ok((id, fresh))
    }

    /// Lifts a quarantine, from where it was ordered or from above. Returns also whether it was in one.
    pub fn release_account(
        &mut self,
        caller: &Caller,
        id: AccountId,
        etag: &str,
    ) -> Result<(AccountId, bool), Refusal> {
        let before = self.account_here(id)?;
        if !self.may_lift(caller, before.quarantined_from) {
            return Err(Refusal::forbidden("account.release"));
        }
        unchanged(etag, &account_etag(&before))?;
        self.refuse_closed(id)?;
        let held = before.quarantined_from.is_some();
        let after = Account { quarantined_from: None, ..before.clone() };
        self.put_account(ChangeKind::AccountRelease, before, after)?;
        Ok((id, held))
    }
}
