//! What an asker sees of what an answer rests on: the names of others' users, documents and accounts are left out.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::decision::{Caller, Snapshot, sees_account, sees_document, sees_user};
use crate::model::{AccountId, DocId, UserId};

/// One asker, and the snapshots that an answer to it stands on.
pub(super) struct Sight {
    /// Who asks.
    pub(super) caller: Caller,
    /// The asker's tenant.
    pub(super) mine: Arc<Snapshot>,
    /// The subject's tenant.
    pub(super) home: Arc<Snapshot>,
    /// The subject's account.
    pub(super) account: Option<AccountId>,
    /// The resource's tenant.
    pub(super) there: Arc<Snapshot>,
    /// When.
    pub(super) now: DateTime<Utc>,
}

impl Sight {
    /// Finds the snapshot that has an account.
    fn world_of(&self, account: AccountId) -> &Snapshot {
        if self.home.account(account).is_some() { &self.home } else { &self.there }
    }

    /// Returns whether the asker sees a user.
    pub(super) fn sees_user(&self, id: UserId) -> bool {
        let world = if self.home.any_user(id).is_some() { &self.home } else { &self.there };
        sees_user(&self.caller, &self.mine, &self.beside_mine(world), id, self.now)
    }

    /// Returns whether the asker sees an account.
    pub(super) fn sees_account(&self, id: AccountId) -> bool {
        let world = self.beside_mine(self.world_of(id));
        sees_account(&self.caller, &self.mine, &world, id, self.now)
    }

    /// Returns whether the asker sees a rights document.
    pub(super) fn sees_document(&self, id: DocId) -> bool {
        sees_document(&self.caller, &self.mine, &self.beside_mine(&self.home), id, self.now)
    }

    /// What the asker may see it may now, and what an answer stands on may be of another time: of other catalogues too.
    fn beside_mine<'w>(&self, world: &'w Snapshot) -> Cow<'w, Snapshot> {
        let mine = self.mine.catalogue();
        if Arc::ptr_eq(mine, world.catalogue()) {
            Cow::Borrowed(world)
        } else {
            Cow::Owned(world.named_by(mine))
        }
    }

    /// Names an account, if the asker sees it.
    pub(super) fn account_name(&self, id: AccountId) -> String {
        if self.sees_account(id) { id.to_string() } else { String::new() }
    }

    /// Names a user, if the asker sees it.
    pub(super) fn user_name(&self, id: UserId) -> String {
        if self.sees_user(id) { id.to_string() } else { String::new() }
    }
}
