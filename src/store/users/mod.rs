//! Users: how they come, change, move and go (`model.md` §3). One file an act, and here what the acts share.

mod create;
mod delete;
mod moving;
mod offboard;
mod standing;
mod undelete;
mod update;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde::{Deserialize, Serialize};

use super::last_super_user::is_left_alone;
use super::rows::user;
use super::{Error, Refusal, Tx};
use crate::decision::{Caller, Principal, Snapshot, sees_user};
use crate::model::{
    AccountId, Change, ChangeKind, EffectiveStatus, Image, Named, ResourcePath, RoleGrant, User,
    UserId, UserKind,
};

pub use create::NewUser;
pub use delete::Below;
pub use offboard::{Listed, Offboarded};
pub use update::UserEdit;

/// A move or delete of more users than this is `TOO_LARGE` (`edges.md` §7).
const MOST: usize = 10_000;

/// What a change of users came to; a repeat of the request is answered from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDone {
    /// The user that the request names, or that it made.
    pub user: UserId,
    /// Whoever else it hung elsewhere, in the order of ids; not those below them.
    pub moved: Vec<UserId>,
    /// The account has nobody left who may do everything. At the root this is refused, elsewhere it is a warning.
    pub last_super_user: bool,
    /// How many rights documents were handed on.
    #[serde(default)]
    pub handed_on: usize,
    /// Users changed that the caller does not see; told of rehearsals only.
    pub others_affected: bool,
    /// What offboarding took from the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offboarded: Option<Box<Offboarded>>,
}

impl UserDone {
    const fn of(user: UserId) -> Self {
        Self {
            user,
            moved: Vec::new(),
            last_super_user: false,
            handed_on: 0,
            others_affected: false,
            offboarded: None,
        }
    }
}

impl Tx {
    /// Finds a user that is there and that the caller sees, in `account`; else it is `USER_NOT_FOUND`.
    fn seen_in(
        &self,
        caller: &Caller,
        account: AccountId,
        id: UserId,
    ) -> Result<&Principal, Refusal> {
        let found = self.world().user(id).filter(|user| user.account == account);
        let found = found.filter(|_| self.sees(caller, id));
        found.map(|user| &**user).ok_or_else(|| Refusal::unseen("user", id))
    }

    fn sees(&self, caller: &Caller, id: UserId) -> bool {
        sees_user(caller, self.home(), self.world(), id, self.now())
    }

    /// Finds the row of a user that is not deleted.
    async fn living(&mut self, id: UserId) -> Result<User, Refusal> {
        let found = self.user(id).await?.filter(|user| user.delete_time.is_none());
        found.ok_or_else(|| Refusal::unseen("user", id))
    }

    /// Finds the row of a user that is not deleted, and the roles on it.
    pub(in crate::store) async fn living_with_grants(
        &mut self,
        id: UserId,
    ) -> Result<(User, Vec<RoleGrant>), Refusal> {
        let found = self.user_with_grants(id).await?;
        let found = found.filter(|(user, _)| user.delete_time.is_none());
        found.ok_or_else(|| Refusal::unseen("user", id))
    }

    /// Finds the rows of users as they were before this write, in the order of ids: in one statement, since others wait.
    async fn rows_of(&self, ids: &[UserId]) -> Result<Vec<User>, Error> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(MOST) {
            let of = user::Column::Id.is_in(ids.iter().map(|id| id.0));
            for row in user::Entity::find().filter(of).all(&self.db).await? {
                found.push(User::try_from(row)?);
            }
        }
        found.sort_unstable_by_key(|user| user.id);
        Ok(found)
    }

    /// Asks the engine whether the caller may do something to one user.
    fn may_to(&self, caller: &Caller, permission: &str, user: &Principal) -> bool {
        let Some(permission) = self.home().catalogue().parse(permission) else { return false };
        let path = ResourcePath::account(user.account).with("user", Named::Id(user.id.to_string()));
        caller.ask(self.home(), Some(self.world()), permission, &path, self.now()).is_permit()
    }

    /// Tells of a rehearsal whether it touches users that the caller does not see.
    fn affects_others(&self, caller: &Caller, ids: &[UserId]) -> bool {
        self.is_dry_run() && ids.iter().any(|id| !self.sees(caller, *id))
    }

    /// Says of a change what its preview warns of.
    fn note(&self, done: &mut UserDone, before: &Snapshot, account: AccountId) {
        done.last_super_user = is_left_alone(before, self, account);
    }
}

/// Refuses changes in an account that is closed, by itself or by one above it.
fn still_open(world: &Snapshot, account: AccountId) -> Result<(), Refusal> {
    match world.effective_status(account) {
        None => Err(Refusal::unseen("account", account)),
        Some(EffectiveStatus::Closed) => {
            Err(Refusal::precondition("ACCOUNT_CLOSED", "the account is closed"))
        }
        Some(_) => Ok(()),
    }
}

/// Refuses end customers where only those who administer hang in the forest.
fn may_hang(user: &Principal, field: &str) -> Result<(), Refusal> {
    if user.kind == UserKind::Application {
        let why = "is a user of kind APPLICATION, which stands outside the forest";
        return Err(Refusal::invalid("WRONG_USER_KIND", field, why));
    }
    Ok(())
}

/// Returns the level of whoever hangs right below `parent`; without a parent the first.
fn level_below(world: &Snapshot, parent: Option<UserId>) -> usize {
    parent.map_or(1, |parent| world.ancestors(parent).count() + 2)
}

fn check_depth(lowest: usize, most: usize) -> Result<(), Refusal> {
    if lowest <= most {
        return Ok(());
    }
    let why =
        format!("the users of an account stand on at most {most} levels; this would need {lowest}");
    Err(Refusal::precondition("DEPTH_LIMIT", why))
}

fn changed(kind: ChangeKind, before: User, after: User) -> Change {
    let account = after.account;
    Change { account, kind, before: Some(Image::User(before)), after: Some(Image::User(after)) }
}
