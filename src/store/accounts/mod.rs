//! Acts on accounts (`model.md` §2): creating and changing them, their states, their roles, and moving them.

mod create;
mod moving;
mod reads;
mod role;
mod state;

use std::str::FromStr;

use super::{Refusal, Tx};
use crate::decision::Caller;
use crate::model::{
    Account, AccountId, AccountStatus, BadName, Change, ChangeKind, Folded, Image, fold,
};

pub use create::{AccountPatch, Edit, NewAccount};
pub use moving::crossing;

/// A text that only one account of the platform may have, whatever its spelling: an e-mail address, a login alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueText {
    /// As given.
    text: String,
    /// The same for all spellings.
    key: Folded,
}

impl FromStr for UniqueText {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        Ok(Self { key: fold(text)?, text: text.to_owned() })
    }
}

impl Tx {
    /// Finds the account that an act is about, as it stands in this write.
    fn account_here(&self, id: AccountId) -> Result<Account, Refusal> {
        let account = self.world().account(id);
        account.map(|account| Account::clone(account)).ok_or_else(|| Refusal::unseen("account", id))
    }

    /// Puts an account as it is to be; if nothing of it changes, nothing is put and its time stays.
    fn put_account(
        &mut self,
        kind: ChangeKind,
        before: Account,
        after: Account,
    ) -> Result<(), Refusal> {
        if before == after {
            return Ok(());
        }
        let after = Account { update_time: self.now(), ..after };
        self.put(Change {
            account: after.id,
            kind,
            before: Some(Image::Account(before)),
            after: Some(Image::Account(after)),
        })?;
        Ok(())
    }

    /// Refuses whatever is done to an account that is closed, or that something closed stands above.
    fn refuse_closed(&self, id: AccountId) -> Result<(), Refusal> {
        let mut chain = self.world().chain(id);
        match chain.find(|account| account.status == AccountStatus::Closed) {
            None => Ok(()),
            Some(closed) => Err(Refusal::precondition(
                "ACCOUNT_CLOSED",
                format!("account `{}` is closed, which is final", closed.id),
            )),
        }
    }

    /// Returns whether the caller's account stands over the one that an order came from: its own order counts then.
    fn stands_over(&self, caller: &Caller, from: Option<AccountId>) -> bool {
        from.is_some_and(|from| self.world().is_above(caller.account, from))
    }

    /// Returns whether the caller may lift what was ordered from `from`: from there, or from above (`edges.md` §1).
    fn may_lift(&self, caller: &Caller, from: Option<AccountId>) -> bool {
        from.is_none_or(|from| {
            caller.account == from || self.world().is_above(caller.account, from)
        })
    }
}

fn is_root(what: &str) -> Refusal {
    Refusal::precondition("ROOT_ACCOUNT", format!("the root account is never {what}"))
}
