//! A deleted user that comes back, within its time.

use chrono::TimeDelta;

use super::{UserDone, changed, check_depth, level_below, still_open};
use crate::decision::{Caller, escalation};
use crate::model::{ChangeKind, UserId};
use crate::store::etags::{unchanged, user_etag};
use crate::store::{Refusal, Tx};

/// For so many days a deleted user can be brought back.
const DAYS: i64 = 30;

impl Tx {
    /// Brings back one deleted user with its roles, and without tokens. Of a user that is not deleted nothing changes.
    ///
    /// Its name is still its own: the account never gave it to anybody else.
    pub async fn undelete_user(
        &mut self,
        caller: &Caller,
        id: UserId,
        etag: &str,
        depth: usize,
    ) -> Result<UserDone, Refusal> {
        let now = self.now();
        let found = self.user(id).await?;
        let user = found.ok_or_else(|| Refusal::unseen("user", id))?;
        let is = user_etag(self.world(), &user);
        let Some(gone) = user.delete_time else {
            unchanged(etag, &is)?;
            still_open(self.world(), user.account)?;
            return Ok(UserDone::of(id));
        };
        if now.signed_duration_since(gone) >= TimeDelta::days(DAYS) {
            return Err(Refusal::unseen("user", id));
        }
        let (account, parent) = (user.account, user.parent);
        let mut after = user.clone();
        after.delete_time = None;
        self.put(changed(ChangeKind::UserUndelete, user, after.clone()))?;
        escalation(self.home(), caller, None, self.world(), &[id], now)?;
        unchanged(etag, &is)?;
        still_open(self.world(), account)?;
        if parent.is_some_and(|parent| self.world().user(parent).is_none()) {
            let why = "the user above it is deleted: bring that one back first";
            return Err(Refusal::precondition("PARENT_DELETED", why));
        }
        // The users above may have moved further down since.
        check_depth(level_below(self.world(), parent), depth)?;
        self.address_is_free(&after).await?;
        Ok(UserDone::of(id))
    }
}
