//! A new user, and the roles it begins with.

use chrono::{DateTime, Utc};

use super::{UserDone, check_depth, level_below, may_hang, still_open};
use crate::crypto::KeyRing;
use crate::decision::{Caller, escalation};
use crate::model::{
    AccountId, Change, ChangeKind, Folded, Holder, Image, RegionalSettings, RoleGrant, RoleRef,
    SessionMarks, User, UserId, UserKind,
};
use crate::store::roles_named::resolve_role;
use crate::store::{Refusal, Tx};

/// A user to be made; what a request may say of one.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Where it is to live.
    pub account: AccountId,
    /// The user above; `None` = the caller where that is possible.
    pub parent: Option<UserId>,
    /// It is to have no parent, though the caller could be.
    pub root: bool,
    /// What it is to be.
    pub kind: UserKind,
    /// As given.
    pub user_name: String,
    /// Its key.
    pub name_key: Folded,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// The whole name, where it is not just the two.
    pub full_name: String,
    /// E-mail address, if any.
    pub email: Option<String>,
    /// Telephone number.
    pub phone_number: String,
    /// Time zone, language and the like.
    pub regional_settings: RegionalSettings,
    /// Whether it may do anything.
    pub enabled: bool,
    /// Whether it signs in by the account's identity provider only.
    pub sso: bool,
    /// The application, of an `Application` user.
    pub application: Option<String>,
    /// The roles it begins with, as written.
    pub roles: Vec<String>,
}

impl Tx {
    /// Makes a user with its roles. `depth` is the most levels of users (`model.md` §3, `edges.md` §1).
    pub async fn create_user(
        &mut self,
        caller: &Caller,
        new: NewUser,
        depth: usize,
        (return_uri, keys): (String, &KeyRing),
    ) -> Result<UserDone, Refusal> {
        let parent = new.parent_for(caller);
        if let Some(parent) = parent {
            may_hang(self.seen_in(caller, new.account, parent)?, "parent_user_id")?;
        }
        let roles = self.begin_with(&new)?;
        let before = self.world().clone();
        let id = UserId::new(&**self.store.clock());
        let (account, key) = (new.account, new.name_key.clone());
        let user = new.into_user(id, parent, self.now());
        self.put(Change {
            account,
            kind: ChangeKind::UserCreate,
            before: None,
            after: Some(Image::User(user.clone())),
        })?;
        for role in roles {
            self.give(caller, account, id, role)?;
        }
        self.check_suppression(caller, id)?;
        escalation(self.home(), caller, Some(&before), self.world(), &[id], self.now())?;
        still_open(&before, account)?;
        check_depth(level_below(&before, parent), depth)?;
        if before.named(account, &key).is_some() {
            return Err(taken());
        }
        self.address_is_free(&user).await?;
        self.invite(&user, return_uri, keys)?;
        Ok(UserDone::of(id))
    }

    /// Finds the roles that a new user begins with, each once.
    fn begin_with(&self, new: &NewUser) -> Result<Vec<RoleRef>, Refusal> {
        let mut roles: Vec<RoleRef> = Vec::with_capacity(new.roles.len());
        let holder = Holder::from(new.kind);
        for (place, written) in new.roles.iter().enumerate() {
            let field = format!("user.roles[{place}]");
            let role = resolve_role(self.world(), new.account, written, holder, &field)?;
            if !roles.contains(&role) {
                roles.push(role);
            }
        }
        Ok(roles)
    }

    fn give(
        &mut self,
        caller: &Caller,
        account: AccountId,
        user: UserId,
        role: RoleRef,
    ) -> Result<(), Refusal> {
        let grant = RoleGrant {
            user,
            account,
            role,
            scope: None,
            expire_time: None,
            create_time: self.now(),
            created_by: Some(caller.user),
        };
        self.put(Change {
            account,
            kind: ChangeKind::RoleAssign,
            before: None,
            after: Some(Image::RoleGrant(grant)),
        })?;
        Ok(())
    }

    /// A role that takes everything away is given by whoever may disable the user (`edges.md` §2).
    fn check_suppression(&self, caller: &Caller, id: UserId) -> Result<(), Refusal> {
        let Some(user) = self.world().user(id) else { return Ok(()) };
        let suppressed = user.held.iter().any(|held| self.world().is_suppressing(&held.role));
        if suppressed && !self.may_to(caller, "user.set_active", user) {
            return Err(Refusal::forbidden("user.set_active"));
        }
        Ok(())
    }
}

/// Refuses a name that somebody of the account has, or had.
pub(super) fn taken() -> Refusal {
    let why = "the account has, or had, a user of this name: names are not given out again";
    Refusal::exists("USER_NAME_TAKEN", why)
}

impl NewUser {
    /// Returns the user above: the one named, or else the caller, where it is of the account and can be.
    fn parent_for(&self, caller: &Caller) -> Option<UserId> {
        let own = caller.account == self.account && self.kind != UserKind::Application;
        self.parent.or_else(|| (own && !self.root).then_some(caller.user))
    }

    fn into_user(self, id: UserId, parent: Option<UserId>, now: DateTime<Utc>) -> User {
        User {
            id,
            account: self.account,
            parent,
            kind: self.kind,
            user_name: self.user_name,
            first_name: self.first_name,
            last_name: self.last_name,
            full_name: self.full_name,
            email: self.email,
            phone_number: self.phone_number,
            regional_settings: self.regional_settings,
            enabled: self.enabled,
            sso: self.sso,
            application: self.application,
            create_time: now,
            update_time: now,
            delete_time: None,
            session_marks: SessionMarks::default(),
            identity: None,
        }
    }
}
