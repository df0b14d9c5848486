//! The roles that an account makes for itself: create, update, delete.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde::{Deserialize, Serialize};

use super::{
    MOST_NAMED, MOST_TOUCHED, Notice, RoleFields, copy, includes, not_closed, patterns, tokens,
};
use crate::decision::{Caller, Snapshot, escalation, gains, sees_user};
use crate::model::{
    AccountId, Change, ChangeKind, CustomRole, Holder, Image, Reach, RoleGrant, RoleId, RoleRef,
    UserId, fold,
};
use crate::store::etags::{role_etag, unchanged};
use crate::store::rows::role_grant;
use crate::store::{Error, Refusal, Tx};

/// Who a custom role is for where nobody says.
pub(super) const DEFAULT_HOLDERS: [Holder; 2] = [Holder::Admin, Holder::Service];

/// A role was created.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoleCreated {
    /// Which.
    pub role: RoleId,
}

/// A role was changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoleUpdated {
    /// Which.
    pub role: RoleId,
    /// What was forced; nothing on a repeat.
    #[serde(skip)]
    pub notices: Vec<Notice>,
}

/// A role was deleted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoleDeleted {
    /// Which.
    pub role: RoleId,
    /// What it was; not kept for a repeat.
    #[serde(skip)]
    pub was: Option<CustomRole>,
    /// What was forced; nothing on a repeat.
    #[serde(skip)]
    pub notices: Vec<Notice>,
}

impl Tx {
    /// Creates a custom role (`model.md` §4). Nobody holds it yet, so that nothing is given.
    ///
    /// `UNKNOWN_PERMISSION`, `UNKNOWN_ROLE`, `INVALID_CONDITION`, `INVALID_FIELD`, `ACCOUNT_CLOSED`, `DEPTH_LIMIT`,
    /// `TOO_LARGE`, `ROLE_NAME_TAKEN`. `fields` has a name.
    pub fn create_role(
        &mut self,
        account: AccountId,
        fields: &RoleFields,
        copy_from: Option<&str>,
    ) -> Result<RoleCreated, Refusal> {
        if self.world().account(account).is_none() {
            return Err(Refusal::unseen("account", account));
        }
        let now = self.now();
        let mut role = CustomRole {
            id: RoleId::new(&**self.store.clock()),
            account,
            name: String::new(),
            description: String::new(),
            permits: Vec::new(),
            except: Vec::new(),
            includes: Vec::new(),
            reach: Reach::Account,
            on: None,
            when: None,
            assignable_to: DEFAULT_HOLDERS.to_vec(),
            active: true,
            create_time: now,
            update_time: now,
        };
        if let Some(written) = copy_from {
            copy::from(self.world(), account, written, &mut role)?;
        }
        let world = self.world();
        fields.fill(&mut role)?;
        patterns::check(world.catalogue(), &role, None)?;
        if let Some(written) = &fields.includes {
            role.includes = includes::resolve(world, &role, None, written)?;
        }
        not_closed(world, account)?;
        let after = Some(Image::Role(role.clone()));
        self.put(Change { account, kind: ChangeKind::RoleCreate, before: None, after })?;
        includes::within_limits(self.world(), role.id)?;
        name_is_free(self.world(), &role)?;
        Ok(RoleCreated { role: role.id })
    }

    /// Changes a custom role: as if it were assigned anew to each of its holders and to each role that includes it.
    ///
    /// What it is called, what for and for whom gives nobody anything. Of what [`Tx::create_role`] refuses all but
    /// the account's absence, and `ESCALATION`, `CYCLE`, `ROLE_IN_USE`, `CREDENTIALS_BY_OTHERS`, `TOO_LARGE`.
    pub fn update_role(
        &mut self,
        caller: &Caller,
        id: RoleId,
        fields: &RoleFields,
        force: bool,
        etag: &str,
    ) -> Result<RoleUpdated, Refusal> {
        // Of before the change: who holds the role that he edits does not hold what he adds to it.
        let (before, home) = (self.world().clone(), self.home().clone());
        let Some(old) = before.role(id).map(|found| &found.role) else {
            return Err(Refusal::unseen("role", id));
        };
        let mut role = old.clone();
        fields.fill(&mut role)?;
        patterns::check(before.catalogue(), &role, Some(old))?;
        if let Some(written) = &fields.includes {
            role.includes = includes::resolve(&before, &role, Some(old), written)?;
        }
        let holders =
            if gives(&role) == gives(old) { Ok(Vec::new()) } else { holders(&before, id) };
        let circle = includes::no_circle(&before, &role);
        if role != *old {
            role.update_time = self.now();
        }
        let changed = Change {
            account: old.account,
            kind: ChangeKind::RoleUpdate,
            before: Some(Image::Role(old.clone())),
            after: Some(Image::Role(role.clone())),
        };
        // What includes itself is not to be judged by what it gives, nor what too many hold.
        if circle.is_ok() {
            self.put(changed)?;
            if let Ok(holders) = &holders {
                self.reassigned(caller, &home, &role, holders)?;
            }
        }
        unchanged(etag, &role_etag(old))?;
        not_closed(&before, old.account)?;
        circle?;
        let mut holders = holders?;
        includes::within_limits(self.world(), id)?;
        fits_holders(&before, old, &role)?;
        holders.retain(|holder| gains(&before, self.world(), *holder, self.now()));
        let notice = self.tokens_by_others(caller, &holders);
        let notice = notice.map(|notice| notice.unless(force, self)).transpose()?;
        if role.name != old.name {
            name_is_free(&before, &role)?;
        }
        Ok(RoleUpdated { role: id, notices: notice.into_iter().collect() })
    }

    /// Judges a role as if it were given anew: all of what it gives now, to each of its holders, against the caller.
    fn reassigned(
        &self,
        caller: &Caller,
        home: &Snapshot,
        role: &CustomRole,
        holders: &[UserId],
    ) -> Result<(), Refusal> {
        let world = self.world();
        let mut without = world.clone();
        without.apply(&Change {
            account: role.account,
            kind: ChangeKind::RoleDelete,
            before: Some(Image::Role(role.clone())),
            after: None,
        })?;
        escalation(home, caller, Some(&without), world, holders, self.now())?;
        Ok(())
    }

    /// Deletes a custom role; with `force` it is taken from whoever holds it, from tokens that name it, and out of roles
    /// that include it, all at once. A custom role takes nothing away, so that nothing comes back.
    ///
    /// `ACCOUNT_CLOSED`, `ROLE_IN_USE`, `TOO_LARGE`.
    pub async fn delete_role(
        &mut self,
        caller: &Caller,
        id: RoleId,
        force: bool,
        etag: &str,
    ) -> Result<RoleDeleted, Refusal> {
        let before = self.world().clone();
        let Some(old) = before.role(id).map(|found| &found.role) else {
            return Err(Refusal::unseen("role", id));
        };
        unchanged(etag, &role_etag(old))?;
        not_closed(&before, old.account)?;
        let mut notices = Vec::new();
        if let Some(notice) = self.uses(caller, id) {
            notices.push(notice.unless(force, self)?);
            self.take_from_all(id).await?;
        }
        self.put(Change {
            account: old.account,
            kind: ChangeKind::RoleDelete,
            before: Some(Image::Role(old.clone())),
            after: None,
        })?;
        Ok(RoleDeleted { role: id, was: Some(old.clone()), notices })
    }

    /// Tells who has a role: users, deleted ones included, since they may come back, and roles.
    fn uses(&self, caller: &Caller, id: RoleId) -> Option<Notice> {
        let (world, home, now) = (self.world(), self.home(), self.now());
        let (mut seen, mut others) = (Vec::new(), false);
        for holder in world.holders(&RoleRef::Custom(id)) {
            if seen.len() < MOST_NAMED && sees_user(caller, home, world, holder, now) {
                seen.push(holder.to_string());
            } else {
                others = true;
            }
        }
        for role in world.roles().map(|found| &found.role).filter(|role| includes_it(role, id)) {
            if tokens::sees_role(caller, home, world, role, now) {
                seen.push(role.id.to_string());
            } else {
                others = true;
            }
        }
        let message = "the role is held by users, or other roles include it".to_owned();
        let used = others || !seen.is_empty();
        used.then_some(Notice { reason: "ROLE_IN_USE", message, seen, others })
    }

    async fn take_from_all(&mut self, id: RoleId) -> Result<(), Refusal> {
        let role = RoleRef::Custom(id);
        let rows = role_grant::Entity::find()
            .filter(role_grant::Column::Role.eq(role.to_string()))
            .all(&self.db)
            .await
            .map_err(Error::from)?;
        if rows.len() > MOST_TOUCHED {
            return Err(too_many());
        }
        let holders: Vec<UserId> = self.world().holders(&role).collect();
        for grant in rows.into_iter().map(RoleGrant::from) {
            self.put(Change {
                account: grant.account,
                kind: ChangeKind::RoleRevoke,
                before: Some(Image::RoleGrant(grant)),
                after: None,
            })?;
        }
        for holder in holders {
            self.strip_tokens(holder, &role)?;
        }
        let now = self.now();
        let customs = self.world().roles().map(|found| &found.role);
        let including: Vec<CustomRole> =
            customs.filter(|role| includes_it(role, id)).cloned().collect();
        for old in including {
            let mut role = old.clone();
            role.includes.retain(|one| *one != RoleRef::Custom(id));
            role.update_time = now;
            self.put(Change {
                account: old.account,
                kind: ChangeKind::RoleUpdate,
                before: Some(Image::Role(old)),
                after: Some(Image::Role(role)),
            })?;
        }
        Ok(())
    }
}

fn includes_it(role: &CustomRole, id: RoleId) -> bool {
    role.includes.contains(&RoleRef::Custom(id))
}

/// Lists whoever holds a role, by itself or by one that includes it; refuses more than one change touches.
fn holders(world: &Snapshot, id: RoleId) -> Result<Vec<UserId>, Refusal> {
    let mut holders = BTreeSet::new();
    for id in std::iter::once(id).chain(includes::including(world, id)) {
        for holder in world.holders(&RoleRef::Custom(id)) {
            holders.insert(holder);
            if holders.len() > MOST_TOUCHED {
                return Err(too_many());
            }
        }
    }
    Ok(holders.into_iter().collect())
}

fn too_many() -> Refusal {
    let why = format!("more than {MOST_TOUCHED} users hold the role: take it from some first");
    Refusal::precondition("TOO_LARGE", why)
}

/// Returns what decides what a role gives to whom.
fn gives(role: &CustomRole) -> impl PartialEq {
    let CustomRole { permits, except, includes, reach, on, when, active, .. } = role.clone();
    (permits, except, includes, reach, on, when, active)
}

/// Refuses a name that a catalogue, the account, or one above or below it has for a role (`edges.md` §1).
fn name_is_free(world: &Snapshot, role: &CustomRole) -> Result<(), Refusal> {
    let bad = |error: crate::model::BadName| {
        Refusal::invalid("INVALID_FIELD", "role.name", error.to_string())
    };
    let name = fold(&role.name).map_err(bad)?;
    let near = |other: &CustomRole| {
        world.is_in(other.account, role.account) || world.is_in(role.account, other.account)
    };
    let mut others = world.roles().map(|found| &found.role).filter(|other| other.id != role.id);
    let taken = world.catalogue().has_role_named(name.as_str())
        || others.any(|other| fold(&other.name).as_ref() == Ok(&name) && near(other));
    if taken {
        let why = format!(
            "`{}` is the name of a role of a catalogue, this account, or one above or below it",
            role.name
        );
        return Err(Refusal::exists("ROLE_NAME_TAKEN", why));
    }
    Ok(())
}

/// Refuses to leave somebody with a role that is no longer for such.
fn fits_holders(world: &Snapshot, old: &CustomRole, new: &CustomRole) -> Result<(), Refusal> {
    if old.assignable_to.iter().all(|holder| new.assignable_to.contains(holder)) {
        return Ok(());
    }
    let kind = |id| world.any_user(id).map(|user| Holder::from(user.kind));
    let role = RoleRef::Custom(old.id);
    let kinds = world.holders(&role).filter_map(kind);
    let left = kinds.filter(|kind| !new.assignable_to.contains(kind)).count();
    if left > 0 {
        let why = format!("{left} users hold the role for whom it would no longer be");
        return Err(Refusal::precondition("ROLE_IN_USE", why));
    }
    Ok(())
}
