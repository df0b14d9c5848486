//! A user that goes, and what becomes of those below it.

use super::moving::{Hanging, check_size, living_children};
use super::standing::not_oneself;
use super::{MOST, UserDone, changed, may_hang, still_open};
use crate::decision::Caller;
use crate::model::{ChangeKind, User, UserId};
use crate::store::etags::{unchanged, user_etag};
use crate::store::last_super_user::still_governed;
use crate::store::{Refusal, Tx};

/// What becomes of those below a user that is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Below {
    /// They go too.
    Delete,
    /// There must be none.
    Refuse,
    /// Another user of the account gets the children, with all below them.
    Give(UserId),
}

impl Tx {
    /// Deletes a user: its row, its name and its roles stay, its tokens end (`model.md` §3, Deleting).
    pub async fn delete_user(
        &mut self,
        caller: &Caller,
        id: UserId,
        below: Below,
        etag: &str,
        depth: usize,
    ) -> Result<UserDone, Refusal> {
        let user = self.living(id).await?;
        let before = self.world().clone();
        let is = user_etag(&before, &user);
        let children = living_children(&before, id);
        if let Below::Give(to) = below {
            self.seen_in(caller, user.account, to)?;
        }
        not_oneself(caller, id, "user.delete")?;
        let mut done = UserDone::of(id);
        let mut gone = vec![user.clone()];
        match below {
            Below::Refuse if children.is_empty() => {}
            Below::Refuse => {
                unchanged(etag, &is)?;
                still_open(&before, user.account)?;
                let why = "it has children: delete them too, or name who is to get them";
                return Err(Refusal::precondition("HAS_CHILDREN", why));
            }
            Below::Delete => {
                gone.extend(self.cascade(caller, &user, (etag, &is)).await?);
                let ids: Vec<UserId> = gone.iter().map(|user| user.id).collect();
                done.others_affected = self.affects_others(caller, &ids);
            }
            Below::Give(to) => {
                done = self.hand_over(caller, &user, to, children, (etag, &is), depth).await?;
            }
        }
        unchanged(etag, &is)?;
        still_open(&before, user.account)?;
        let owners: Vec<UserId> = gone.iter().map(|user| user.id).collect();
        for user in gone {
            self.remove(user)?;
        }
        let heir = if let Below::Give(to) = below { Some(to) } else { None };
        done.handed_on = self.hand_on_documents(caller, &owners, heir).await?;
        still_governed(self)?;
        self.note(&mut done, &before, user.account);
        Ok(done)
    }

    /// Finds whoever else goes with a user; the caller must be permitted to delete each, and is none of them.
    async fn cascade(
        &self,
        caller: &Caller,
        user: &User,
        (etag, is): (&str, &str),
    ) -> Result<Vec<User>, Refusal> {
        let ids = self.world().descendants(user.id);
        // Of those past the limit nobody is asked: they are too many in any case.
        let mut asked = ids.iter().take(MOST).filter_map(|id| self.world().user(*id));
        if !asked.all(|one| self.may_to(caller, "user.delete", one)) {
            return Err(Refusal::forbidden("user.delete"));
        }
        if let Err(state) = check_size(ids.len() + 1) {
            unchanged(etag, is)?;
            still_open(self.world(), user.account)?;
            return Err(state);
        }
        Ok(self.rows_of(&ids).await?)
    }

    async fn hand_over(
        &mut self,
        caller: &Caller,
        user: &User,
        to: UserId,
        children: Vec<UserId>,
        etags: (&str, &str),
        depth: usize,
    ) -> Result<UserDone, Refusal> {
        if children.contains(&caller.user) {
            return Err(Refusal::forbidden("user.move"));
        }
        may_hang(self.seen_in(caller, user.account, to)?, "reassign_user_id")?;
        if to == user.id {
            unchanged(etags.0, etags.1)?;
            still_open(self.world(), user.account)?;
            let why = "the user that goes cannot get its own children";
            return Err(Refusal::precondition("CYCLE", why));
        }
        let below_itself = self.world().is_below(to, user.id);
        let hanging = Hanging::new(self.world(), children, Some(to));
        let done = self.hang(caller, user, hanging, etags, depth).await?;
        if below_itself {
            let why = "the new parent lies below the user that goes";
            return Err(Refusal::precondition("CYCLE", why));
        }
        Ok(done)
    }

    fn remove(&mut self, user: User) -> Result<(), Refusal> {
        let (id, account) = (user.id, user.account);
        let mut after = user.clone();
        after.delete_time = Some(self.now());
        after.session_marks = user.session_marks.with_all_ended(self.now(), None);
        // Free for whoever takes the place; the user who is brought back proves anew who it is.
        after.identity = None;
        self.put(changed(ChangeKind::UserDelete, user, after))?;
        self.end_tokens(account, id)
    }
}
