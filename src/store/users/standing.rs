//! Whether a user may do anything: enabled or disabled.

use super::{UserDone, changed, still_open};
use crate::decision::Caller;
use crate::model::{AccountId, Change, ChangeKind, Image, UserId};
use crate::store::etags::{unchanged, user_etag};
use crate::store::last_super_user::still_governed;
use crate::store::{Refusal, Tx};

impl Tx {
    /// Enables or disables a user. To the state it has: nothing is written.
    pub async fn set_user_active(
        &mut self,
        caller: &Caller,
        id: UserId,
        active: bool,
        etag: &str,
    ) -> Result<UserDone, Refusal> {
        let before = self.living(id).await?;
        not_oneself(caller, id, "user.set_active")?;
        unchanged(etag, &user_etag(self.world(), &before))?;
        still_open(self.world(), before.account)?;
        let (world, account) = (self.world().clone(), before.account);
        let mut done = UserDone::of(id);
        if before.enabled != active {
            let mut after = before.clone();
            after.enabled = active;
            after.update_time = self.now();
            if !active {
                // Whoever is enabled again signs in again.
                after.session_marks = before.session_marks.with_all_ended(self.now(), None);
            }
            self.put(changed(ChangeKind::UserSetActive, before, after))?;
            still_governed(self)?;
            self.note(&mut done, &world, account);
        }
        Ok(done)
    }

    /// Ends every API token of a user.
    pub(in crate::store) fn end_tokens(
        &mut self,
        account: AccountId,
        id: UserId,
    ) -> Result<(), Refusal> {
        let tokens = self.world().any_user(id).map(|user| user.tokens.clone()).unwrap_or_default();
        for token in tokens {
            let Some(facts) = self.world().token(token) else { continue };
            let before = Some(Image::ApiToken(facts.token.clone()));
            let kind = ChangeKind::TokenDelete;
            self.put(Change { account, kind, before, after: None })?;
        }
        Ok(())
    }
}

/// The engine refuses it for the permission itself; this refuses it for whatever else leads here.
pub(super) fn not_oneself(caller: &Caller, id: UserId, permission: &str) -> Result<(), Refusal> {
    if caller.user == id { Err(Refusal::forbidden(permission)) } else { Ok(()) }
}
