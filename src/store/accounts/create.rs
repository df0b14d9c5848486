//! New accounts, and what their owners change of them.

use super::{Tx, UniqueText};
use crate::decision::{Caller, may_by_role};
use crate::model::{Account, AccountId, AccountStatus, Change, ChangeKind, Image, ResourcePath};
use crate::store::Refusal;
use crate::store::etags::{account_etag, unchanged};

/// What a new account is to be.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The account above.
    pub parent: AccountId,
    /// What people call it.
    pub display_name: String,
    /// Its e-mail address.
    pub email: Option<UniqueText>,
    /// The name its users sign in under.
    pub login_alias: Option<UniqueText>,
    /// The role asked for, as written; whether it is given depends on who asks.
    pub role: Option<String>,
    /// Whether it waits to be activated.
    pub pending: bool,
}

/// What becomes of one field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Edit<T> {
    /// It stays.
    #[default]
    Keep,
    /// It goes.
    Clear,
    /// It becomes this.
    To(T),
}

/// What is to change of an account.
#[derive(Debug, Clone, Default)]
pub struct AccountPatch {
    /// What people call it, if that changes.
    pub display_name: Option<String>,
    /// Its e-mail address.
    pub email: Edit<UniqueText>,
    /// The name its users sign in under.
    pub login_alias: Edit<UniqueText>,
}

impl Tx {
    /// Creates an account below another; one right below the root opens a tenant (`model.md` §2).
    pub async fn create_account(
        &mut self,
        caller: &Caller,
        new: NewAccount,
        deepest: usize,
    ) -> Result<AccountId, Refusal> {
        let parent = self.account_here(new.parent)?;
        let role = self.role_of_child(caller, &parent, new.role.as_deref())?;
        self.refuse_closed(parent.id)?;
        if self.world().depth(parent.id) >= deepest {
            return Err(too_deep(deepest));
        }
        self.refuse_taken(new.email.as_ref(), new.login_alias.as_ref()).await?;
        let id = AccountId::new(&**self.store.clock());
        let account = Account {
            id,
            parent: Some(parent.id),
            tenant: if parent.is_root() { id } else { parent.tenant },
            display_name: new.display_name,
            email: new.email.map(|email| email.text),
            login_alias: new.login_alias.map(|alias| alias.text),
            role,
            status: if new.pending { AccountStatus::Pending } else { AccountStatus::Active },
            suspended_from: None,
            quarantined_from: None,
            created_by: Some(caller.user),
            create_time: self.now(),
            update_time: self.now(),
        };
        if parent.is_root() {
            self.open_tenant(account)?;
        } else {
            self.put(Change {
                account: id,
                kind: ChangeKind::AccountCreate,
                before: None,
                after: Some(Image::Account(account)),
            })?;
        }
        Ok(id)
    }

    /// Changes name, e-mail address and alias of an account.
    pub async fn update_account(
        &mut self,
        caller: &Caller,
        id: AccountId,
        patch: AccountPatch,
        etag: &str,
    ) -> Result<AccountId, Refusal> {
        let before = self.account_here(id)?;
        self.refuse_document(caller, &before, &patch)?;
        unchanged(etag, &account_etag(&before))?;
        self.refuse_closed(id)?;
        let email = news(&patch.email, before.email.as_deref());
        let alias = news(&patch.login_alias, before.login_alias.as_deref());
        self.refuse_taken(email, alias).await?;
        let mut after = before.clone();
        if let Some(name) = patch.display_name {
            after.display_name = name;
        }
        patch.email.apply(&mut after.email);
        patch.login_alias.apply(&mut after.login_alias);
        self.put_account(ChangeKind::AccountUpdate, before, after)?;
        Ok(id)
    }

    /// E-mail address and alias are changed by a role only, never by a rights document (`edges.md` §2).
    fn refuse_document(
        &self,
        caller: &Caller,
        before: &Account,
        patch: &AccountPatch,
    ) -> Result<(), Refusal> {
        const UPDATE: &str = "account.update";
        let mut after = before.clone();
        patch.email.clone().apply(&mut after.email);
        patch.login_alias.clone().apply(&mut after.login_alias);
        let (home, world, now) = (self.home(), self.world(), self.now());
        let at = ResourcePath::account(before.id);
        if after == *before || may_by_role(caller, home, world, UPDATE, &at, now) {
            return Ok(());
        }
        Err(Refusal::forbidden(UPDATE))
    }

    /// Refuses what another account of the platform has. Two writes at once meet at the database's own rule.
    async fn refuse_taken(
        &mut self,
        email: Option<&UniqueText>,
        alias: Option<&UniqueText>,
    ) -> Result<(), Refusal> {
        if let Some(email) = email
            && self.email_taken(&email.key).await?
        {
            let why = format!("another account has the e-mail address `{}`", email.text);
            return Err(Refusal::exists("EMAIL_TAKEN", why));
        }
        if let Some(alias) = alias
            && self.alias_taken(&alias.key).await?
        {
            let why = format!("another account has the login alias `{}`", alias.text);
            return Err(Refusal::exists("LOGIN_ALIAS_TAKEN", why));
        }
        Ok(())
    }
}

impl Edit<UniqueText> {
    fn apply(self, field: &mut Option<String>) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::To(new) => *field = Some(new.text),
        }
    }
}

/// Returns the text that nobody else may have yet: not one that is only spelled anew.
fn news<'a>(edit: &'a Edit<UniqueText>, old: Option<&str>) -> Option<&'a UniqueText> {
    let Edit::To(new) = edit else { return None };
    let old: Option<UniqueText> = old.and_then(|old| old.parse().ok());
    old.is_none_or(|old| old.key != new.key).then_some(new)
}

/// Refuses a tree that goes deeper than it may.
pub(super) fn too_deep(deepest: usize) -> Refusal {
    let why = format!("accounts go at most {deepest} levels deep, the root's included");
    Refusal::precondition("DEPTH_LIMIT", why)
}
