//! How a snapshot is kept current: by exactly the changes that the ledger keeps.

use std::sync::Arc;

use super::limits::Limits;
use super::snapshot::{BrokenWorld, CompiledRole, Held, Principal, Snapshot, TokenFacts};
use super::things::{as_customer, in_scope};
use crate::model::catalogue::{Part, PermissionSet};
use crate::model::{
    Account, ApiToken, BadPath, Change, Condition, CustomRole, Image, ResourcePath, RoleGrant,
    RoleRef, User, UserId, fold,
};

impl Snapshot {
    /// Applies one change. A change that does not fit is refused, and the snapshot is to be dropped.
    ///
    /// A catalogue is not applied: its change makes new snapshots of everything.
    pub fn apply(&mut self, change: &Change) -> Result<(), BrokenWorld> {
        match (&change.before, &change.after) {
            (_, Some(Image::Account(account))) => self.put_account(account.clone()),
            (_, Some(Image::User(user))) => self.put_user(user),
            (before, Some(Image::RoleGrant(grant))) => {
                if let Some(Image::RoleGrant(old)) = before {
                    self.remove_grant(old)?;
                }
                self.put_grant(grant)?;
            }
            (_, Some(Image::Role(role))) => self.put_role(role.clone()),
            (_, Some(Image::ApiToken(token))) => self.put_token(token.clone())?,
            (_, Some(Image::Document(document))) => self.put_document(document.clone()),
            (None, Some(Image::Assignment(one))) => self.put_assignment(one)?,
            (Some(Image::Document(document)), None) => self.remove_document(document.id),
            (Some(Image::Assignment(one)), None) => self.remove_assignment(one)?,
            (_, Some(Image::SigningKey(key))) => {
                self.signing_keys.insert(key.id, key.clone());
            }
            (Some(Image::SigningKey(key)), None) => {
                self.signing_keys.remove(&key.id);
            }
            // No decision rests on what was sent to whom.
            (_, Some(Image::Catalogue(_) | Image::Message(_)))
            | (Some(Image::Catalogue(_) | Image::Message(_)), None) => {}
            (Some(Image::RoleGrant(grant)), None) => self.remove_grant(grant)?,
            (Some(Image::Role(role)), None) => {
                self.roles.remove(&role.id);
            }
            (Some(Image::ApiToken(token)), None) => self.remove_token(token)?,
            (Some(Image::Account(_) | Image::User(_)) | None, None)
            | (Some(_), Some(Image::Assignment(_))) => {
                return Err(BrokenWorld::Misfit(change.entity()));
            }
        }
        Ok(())
    }

    pub(super) fn put_account(&mut self, account: Account) {
        if let Some(old) = self.accounts.get(&account.id).and_then(|old| old.parent) {
            self.sub_accounts.remove(&(old, account.id));
        }
        if let Some(parent) = account.parent {
            self.sub_accounts.insert((parent, account.id));
        }
        self.accounts.insert(account.id, Arc::new(account));
    }

    pub(super) fn put_user(&mut self, user: &User) {
        let old = self.users.get(&user.id).cloned();
        if let Some(old) = &old {
            self.names.remove(&(old.account, Arc::clone(&old.name)));
            if let Some(parent) = old.parent {
                self.children.remove(&(parent, user.id));
            }
        }
        let name: Arc<str> =
            fold(&user.user_name).map_or_else(|_| Arc::from(""), |key| Arc::from(key.as_str()));
        self.names.insert((user.account, Arc::clone(&name)), user.id);
        self.members.insert((user.account, user.id));
        if let Some(parent) = user.parent {
            self.children.insert((parent, user.id));
        }
        let user_name = if *name == *user.user_name {
            Arc::clone(&name)
        } else {
            Arc::from(user.user_name.as_str())
        };
        let (held, tokens, documents, sums) = old.as_ref().map_or_else(Default::default, |old| {
            (old.held.clone(), old.tokens.clone(), old.documents.clone(), old.sums.clone())
        });
        let principal = Principal {
            id: user.id,
            account: user.account,
            parent: user.parent,
            kind: user.kind,
            enabled: user.enabled,
            sso: user.sso,
            delete_time: user.delete_time,
            application: user.application.as_deref().map(Arc::from),
            name,
            user_name,
            held,
            tokens,
            documents,
            sums,
            session_marks: (!user.session_marks.is_empty())
                .then(|| Arc::new(user.session_marks.clone())),
        };
        self.things.replace(old.as_deref().and_then(as_customer), as_customer(&principal));
        self.users.insert(user.id, Arc::new(principal));
    }

    pub(super) fn change_user(
        &mut self,
        id: UserId,
        child: impl FnOnce() -> String,
        change: impl FnOnce(&mut Principal),
    ) -> Result<(), BrokenWorld> {
        let Some(user) = self.users.get_mut(&id) else {
            return Err(BrokenWorld::NoParent { child: child(), parent: id.to_string() });
        };
        change(Arc::make_mut(user));
        Ok(())
    }

    pub(super) fn put_grant(&mut self, grant: &RoleGrant) -> Result<(), BrokenWorld> {
        let misfit = || Image::RoleGrant(grant.clone()).entity();
        let scope = scope_of(grant)?.map(Arc::new);
        let named = scope.as_deref().map(in_scope).unwrap_or_default();
        let (role, built_in) = match &grant.role {
            RoleRef::BuiltIn(name) => match self.catalogue.role(name) {
                // The catalogue's own text of it, so that it is not kept once a holder.
                Some(ix) => (RoleRef::BuiltIn(self.catalogue.get(ix).full_name.clone()), Some(ix)),
                None => (grant.role.clone(), None),
            },
            RoleRef::Custom(_) => (grant.role.clone(), None),
        };
        let held = Held { role: role.clone(), built_in, scope, expire_time: grant.expire_time };
        self.change_user(grant.user, misfit, |user| user.held.add(held))?;
        self.holders.insert((role, grant.user));
        self.things.replace([], named);
        Ok(())
    }

    fn remove_grant(&mut self, grant: &RoleGrant) -> Result<(), BrokenWorld> {
        let misfit = || Image::RoleGrant(grant.clone()).entity();
        let scope = scope_of(grant)?;
        let (mut found, mut others) = (false, false);
        self.change_user(grant.user, misfit, |user| {
            found = user.held.remove(&grant.role, scope.as_ref());
            others = user.held.roles().any(|role| *role == grant.role);
        })?;
        if !found {
            return Err(BrokenWorld::Misfit(misfit()));
        }
        self.things.replace(scope.as_ref().map(in_scope).unwrap_or_default(), []);
        if !others {
            self.holders.remove(&(grant.role.clone(), grant.user));
        }
        Ok(())
    }

    pub(super) fn put_role(&mut self, role: CustomRole) {
        let expand = |patterns: &[String]| {
            let mut set = PermissionSet::new();
            for pattern in patterns {
                // What has vanished from the catalogues gives nothing and takes nothing (`model.md` §4).
                if let Ok(some) = self.catalogue.expand(pattern) {
                    set.union_with(&some);
                }
            }
            set
        };
        let mut permissions = expand(&role.permits);
        permissions.difference_with(&expand(&role.except));
        let own = Part {
            permissions,
            reach: role.reach,
            on: role.on,
            when: role.when.as_deref().map(|text| Arc::new(Condition::stored(text))),
        };
        self.roles.insert(role.id, Arc::new(CompiledRole { role, own }));
    }

    pub(super) fn put_token(&mut self, token: ApiToken) -> Result<(), BrokenWorld> {
        let id = token.id;
        self.change_user(
            token.user,
            || id.to_string(),
            |user| {
                if !user.tokens.contains(&id) {
                    user.tokens.push(id);
                }
            },
        )?;
        let limits = Limits::compile(&token.expanded, &self.catalogue).map(Arc::new);
        self.tokens.insert(id, Arc::new(TokenFacts { token, limits }));
        Ok(())
    }

    fn remove_token(&mut self, token: &ApiToken) -> Result<(), BrokenWorld> {
        self.tokens.remove(&token.id);
        let entity = || token.id.to_string();
        self.change_user(token.user, entity, |user| user.tokens.retain(|id| *id != token.id))
    }

    pub(super) fn check_trees(&self) -> Result<(), BrokenWorld> {
        for account in self.accounts.values() {
            if self.chain(account.id).count() > self.accounts.len() {
                return Err(BrokenWorld::Circle(account.id.to_string()));
            }
        }
        for user in self.users.values() {
            let missing = user.parent.filter(|parent| !self.users.contains_key(parent));
            if let Some(parent) = missing {
                let (child, parent) = (user.id.to_string(), parent.to_string());
                return Err(BrokenWorld::NoParent { child, parent });
            }
            if !self.accounts.contains_key(&user.account) {
                let (child, parent) = (user.id.to_string(), user.account.to_string());
                return Err(BrokenWorld::NoParent { child, parent });
            }
            if self.ancestors(user.id).count() > self.users.len() {
                return Err(BrokenWorld::Circle(user.id.to_string()));
            }
        }
        Ok(())
    }
}

/// Reads where a grant holds.
fn scope_of(grant: &RoleGrant) -> Result<Option<ResourcePath>, BrokenWorld> {
    let misfit = |_: BadPath| BrokenWorld::Misfit(Image::RoleGrant(grant.clone()).entity());
    grant.scope.as_ref().map(|text| text.parse()).transpose().map_err(misfit)
}
