//! Supposing a change: what would be decided if it were made. A snapshot is copied for nothing, so it is simply made.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::question::{Question, Subject, Worlds};
use super::snapshot::{BrokenWorld, Held, Snapshot};
use crate::model::{
    Account, AccountId, AccountStatus, Assignment, Change, ChangeKind, DocId, Image, ResourcePath,
    RoleGrant, RoleRef, UserId,
};

/// A change that somebody could make so that a question is answered otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposed {
    /// Give the subject a role.
    AddRole {
        /// Which.
        role: RoleRef,
        /// Where; `None` = in all its reach.
        scope: Option<Arc<ResourcePath>>,
    },
    /// Give it anew one that has expired.
    RenewRole {
        /// Which.
        role: RoleRef,
        /// Where.
        scope: Option<Arc<ResourcePath>>,
    },
    /// Take a suppressing role from the subject.
    RemoveRole {
        /// Which.
        role: RoleRef,
        /// Where.
        scope: Option<Arc<ResourcePath>>,
    },
    /// Assign a rights document to the subject.
    AssignDocument(DocId),
    /// Enable the subject.
    EnableUser,
    /// Resume an account, or set it to work for the first time.
    ResumeAccount(AccountId),
    /// Release an account from quarantine.
    ReleaseAccount(AccountId),
    /// Give an account another role.
    SetAccountRole {
        /// Whom.
        account: AccountId,
        /// `catalogue/name`.
        role: String,
    },
    /// Use a credential without scopes.
    UseWiderToken,
}

/// The worlds of a question with some changes made to them.
#[derive(Debug, Clone)]
pub(super) struct Supposed {
    pub(super) home: Snapshot,
    /// The resource's tenant where that is another; `None` where it is the same or none.
    elsewhere: Option<Snapshot>,
    is_anywhere: bool,
    unlimited: bool,
}

impl Supposed {
    pub(super) fn new(worlds: Worlds<'_>) -> Self {
        let elsewhere = worlds.there.filter(|there| there.tenant() != worlds.home.tenant());
        Self {
            home: worlds.home.clone(),
            elsewhere: elsewhere.cloned(),
            is_anywhere: worlds.there.is_some(),
            unlimited: false,
        }
    }

    pub(super) fn worlds(&self) -> Worlds<'_> {
        let here = self.is_anywhere.then_some(&self.home);
        Worlds { home: &self.home, there: self.elsewhere.as_ref().or(here) }
    }

    pub(super) fn question<'q>(&self, question: &Question<'q>) -> Question<'q> {
        let limits = question.limits.filter(|_| !self.unlimited);
        Question { limits, ..*question }
    }

    /// Finds the snapshot that has an account.
    pub(super) fn world_of(&self, account: AccountId) -> &Snapshot {
        let elsewhere = self.elsewhere.as_ref().filter(|world| world.account(account).is_some());
        elsewhere.unwrap_or(&self.home)
    }

    /// Makes a change; an error where it cannot be made.
    pub(super) fn with(
        &self,
        change: &Proposed,
        question: &Question<'_>,
    ) -> Result<Self, BrokenWorld> {
        let mut made = self.clone();
        let missing = || BrokenWorld::Misfit(String::new());
        let user = match question.subject {
            Subject::User(id) => Some(id),
            Subject::Account(_) | Subject::Unknown => None,
        };
        match change {
            Proposed::AddRole { role, scope } => {
                let user = user.ok_or_else(missing)?;
                let grant = made.grant(user, role, scope.as_deref(), question.now)?;
                made.put(None, Some(Image::RoleGrant(grant)))?;
            }
            Proposed::RenewRole { role, scope } => {
                let user = user.ok_or_else(missing)?;
                let grant = made.grant(user, role, scope.as_deref(), question.now)?;
                let image = Image::RoleGrant(grant);
                made.put(Some(image.clone()), Some(image))?;
            }
            Proposed::RemoveRole { role, scope } => {
                let user = user.ok_or_else(missing)?;
                let grant = made.grant(user, role, scope.as_deref(), question.now)?;
                made.put(Some(Image::RoleGrant(grant)), None)?;
            }
            Proposed::AssignDocument(document) => {
                let user = user.ok_or_else(missing)?;
                let account = made.home.user(user).ok_or_else(missing)?.account;
                let document = *document;
                let one = Assignment {
                    document,
                    user,
                    account,
                    create_time: question.now,
                    created_by: None,
                };
                made.put(None, Some(Image::Assignment(one)))?;
            }
            Proposed::EnableUser => {
                let user = user.ok_or_else(missing)?;
                made.home.change_user(user, || user.to_string(), |user| user.enabled = true)?;
            }
            Proposed::ResumeAccount(id) => made.change_account(*id, |account| {
                account.status = AccountStatus::Active;
                account.suspended_from = None;
            })?,
            Proposed::ReleaseAccount(id) => {
                made.change_account(*id, |account| account.quarantined_from = None)?;
            }
            Proposed::SetAccountRole { account, role } => {
                made.change_account(*account, |account| account.role = Some(role.clone()))?;
            }
            Proposed::UseWiderToken => made.unlimited = true,
        }
        Ok(made)
    }

    fn grant(
        &self,
        user: UserId,
        role: &RoleRef,
        scope: Option<&ResourcePath>,
        now: DateTime<Utc>,
    ) -> Result<RoleGrant, BrokenWorld> {
        let found = self.home.user(user);
        let found = found.ok_or_else(|| BrokenWorld::Misfit(user.to_string()))?;
        Ok(RoleGrant {
            user,
            account: found.account,
            role: role.clone(),
            scope: scope.map(ToString::to_string),
            expire_time: None,
            create_time: now,
            created_by: None,
        })
    }

    fn put(&mut self, before: Option<Image>, after: Option<Image>) -> Result<(), BrokenWorld> {
        let account = self.home.tenant();
        // Of what kind a supposed change is says nothing: no ledger sees it.
        self.home.apply(&Change { account, kind: ChangeKind::RoleAssign, before, after })
    }

    fn change_account(
        &mut self,
        id: AccountId,
        change: impl FnOnce(&mut Account),
    ) -> Result<(), BrokenWorld> {
        let has = |world: &Snapshot| world.account(id).is_some();
        let world = match self.elsewhere.as_mut().filter(|world| has(world)) {
            Some(world) => world,
            None => &mut self.home,
        };
        let found = world.account(id).ok_or_else(|| BrokenWorld::Misfit(id.to_string()))?;
        let mut account = Account::clone(found);
        change(&mut account);
        world.put_account(account);
        Ok(())
    }
}

impl Proposed {
    /// Makes the proposal to do something about a role that is held.
    pub(super) fn about(held: &Held, renew: bool) -> Self {
        let (role, scope) = (held.role.clone(), held.scope.clone());
        if renew { Self::RenewRole { role, scope } } else { Self::RemoveRole { role, scope } }
    }
}
