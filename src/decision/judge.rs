//! The rule layer's decision: may this caller make this call? (`api.md`, Conventions; `model.md` §10.)
//!
//! The object concerned is loaded by its own id, every check is asked of the engine that serves `Authorize`,
//! and a refusal says no more than the caller may see.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::ask::{Ask, Caller, OWN_ACCOUNT};
use super::object::{Object, object_of};
use super::question::Reason;
use super::row::{OfDocument, Row, row_of};
use super::rule::{Access, Check, Rule, Slot, When};
use super::sight::{may, sees_account, sees_document, sees_user};
use super::snapshot::Snapshot;
use crate::model::{DocId, EffectiveStatus, Named, ResourcePath, UserKind};

/// What a request may change of a user by `user.update_profile` alone.
const PROFILE: &[&str] =
    &["first_name", "last_name", "full_name", "phone_number", "regional_settings"];
/// What else `UpdateUser` changes.
const NOT_PROFILE: &[&str] = &["user_name", "email", "sso"];
/// `USER_KIND_APPLICATION` on the wire.
const KIND_APPLICATION: i64 = 3;

/// Proof that a call was judged and permitted. Made here only.
#[derive(Debug, Clone)]
#[must_use]
pub struct Permit {
    rule: Arc<Rule>,
    /// The checks that it stands on: the main one, or the one in its stead, and those besides that applied.
    by: Vec<Arc<str>>,
}

impl Permit {
    /// Returns the method that was permitted.
    pub fn method(&self) -> &str {
        &self.rule.method
    }

    /// Lists the permissions that it stands on; none where the caller needs none.
    pub fn used(&self) -> impl Iterator<Item = &str> {
        self.by.iter().map(|permission| &**permission)
    }
}

/// The call is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The caller's account, or that of the object, does not work.
    #[error("the account is not active")]
    AccountNotActive,
    /// The caller sees the object but may not do this to it.
    #[error("you do not have permission to access this resource: it needs `{permission}`")]
    Forbidden {
        /// What is missing.
        permission: String,
    },
    /// The object is not there, or the caller may not know that it is.
    #[error("{kind} `{id}` was not found")]
    Unseen {
        /// `account`, `user`, `role` or `token`.
        kind: &'static str,
        /// The id as sent.
        id: String,
    },
}

/// Judges a call. `there` is the tenant of its object, or the caller's own where it has none.
pub fn judge(
    ask: &Ask,
    caller: &Caller,
    home: &Snapshot,
    there: &Snapshot,
    now: DateTime<Utc>,
) -> Result<Permit, Refused> {
    if home.effective_status(caller.account) != Some(EffectiveStatus::Active) {
        return Err(Refused::AccountNotActive);
    }
    let permit = |by| Permit { rule: Arc::clone(&ask.rule), by };
    let Access::Checked { main, also, or, answers } = &ask.rule.access else {
        return Ok(permit(Vec::new()));
    };
    if *answers {
        return Ok(permit(Vec::new()));
    }
    let judge = Judge { ask, caller, home, there, now, row: row_of(ask, caller, there)? };
    let mut refused = judge.check(main, Oneself::Counts).err();
    let mut by = vec![Arc::clone(&main.permission)];
    if refused.is_some() {
        let instead = |check: &&Check| {
            judge.applies(check) && judge.check(check, Oneself::NeedsScope).is_ok()
        };
        if let Some(check) = or.iter().find(instead) {
            (refused, by) = (None, vec![Arc::clone(&check.permission)]);
        }
    }
    for check in also.iter().filter(|check| judge.applies(check)) {
        by.push(Arc::clone(&check.permission));
        match (judge.check(check, Oneself::Counts), &refused) {
            // What is not seen is said before what is not allowed.
            (Err(unseen @ Refused::Unseen { .. }), Some(Refused::Forbidden { .. }) | None) => {
                refused = Some(unseen);
            }
            (Err(error), None) => refused = Some(error),
            _ => {}
        }
    }
    refused.map_or_else(|| Ok(permit(by)), Err)
}

/// What it is worth in a check to be the one concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Oneself {
    /// It is enough: other checks are held besides.
    Counts,
    /// It stands for the main check.
    NeedsScope,
}

struct Judge<'a> {
    ask: &'a Ask,
    caller: &'a Caller,
    home: &'a Snapshot,
    there: &'a Snapshot,
    now: DateTime<Utc>,
    row: Row,
}

impl Judge<'_> {
    fn applies(&self, check: &Check) -> bool {
        let Some(when) = check.when else { return true };
        let fields = &self.ask.fields;
        match when {
            When::ParentSet => self.parent().is_some(),
            When::NoParent => self.parent().is_none() && self.kind() != Some(UserKind::Application),
            When::RolesSet => fields.text("user.roles").is_some(),
            When::KindApplication => self.kind() == Some(UserKind::Application),
            When::ProfileOnly => self.is_profile_only(),
            When::SubjectIsCaller => fields.text("token.user_id") == Some(&self.me()),
            When::SubjectIsNotCaller => fields.text("token.user_id") != Some(&self.me()),
            When::CreatedByCaller => {
                self.row.created_by == Some(self.caller.user)
                    && self.row.account != Some(self.caller.account)
            }
            When::OtherUserSet => fields.text("other_user_id").is_some(),
            When::ReassignSet => fields.text("reassign_user_id").is_some(),
            When::FilterNamesApplication => fields.text("application_id").is_some(),
            When::OwnerIsCaller => match self.row.document {
                Some(document) => document.owner == Some(self.caller.user),
                None => fields.text("user_id") == Some(&self.me()),
            },
            When::IsMaster => {
                self.row.document.is_some_and(|document| document.master)
                    || fields.number("rights_document.is_master") == Some(1)
            }
        }
    }

    fn me(&self) -> String {
        self.caller.user.to_string()
    }

    fn kind(&self) -> Option<UserKind> {
        let wire = self.ask.fields.number("user.kind") == Some(KIND_APPLICATION);
        self.row.kind.or(wire.then_some(UserKind::Application))
    }

    fn parent(&self) -> Option<String> {
        self.ask.parent(self.caller, self.kind())
    }

    fn is_profile_only(&self) -> bool {
        let fields = &self.ask.fields;
        let top = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
        if fields.has("update_mask.paths") {
            return fields
                .texts("update_mask.paths")
                .all(|path| PROFILE.contains(&top(path).as_str()));
        }
        !NOT_PROFILE.iter().any(|name| fields.has(&format!("user.{name}")))
    }

    /// Asks one check of the engine, for each element where a list is named.
    fn check(&self, check: &Check, oneself: Oneself) -> Result<(), Refused> {
        for path in self.paths(check)? {
            let last = path.pairs.iter().rev().find(|pair| pair.kind == "user");
            let mine = last.is_some_and(|pair| pair.named == Named::Id(self.me()));
            if check.or_self && mine && self.counts(oneself, &check.permission) {
                continue;
            }
            self.ask_engine(&check.permission, path)?;
        }
        Ok(())
    }

    /// Returns whether being the one concerned is enough. Standing alone, it takes a caller whom nothing suppresses, and a
    /// credential whose scopes leave the permission.
    fn counts(&self, oneself: Oneself, permission: &str) -> bool {
        let Self { caller, home, now, .. } = *self;
        let mut unlimited = caller.clone();
        unlimited.limits = None;
        let me = ResourcePath::account(caller.account).with("user", Named::Id(self.me()));
        let wanted = home.catalogue().parse(permission);
        let left = |wanted| caller.limits.as_ref().is_none_or(|limits| limits.allows(wanted));
        oneself == Oneself::Counts
            || (wanted.is_some_and(left) && may(&unlimited, home, home, "user.read", &me, now))
    }

    fn ask_engine(&self, permission: &str, path: ResourcePath) -> Result<(), Refused> {
        let forbidden = || Refused::Forbidden { permission: permission.to_owned() };
        let catalogue = self.home.catalogue();
        let wanted = catalogue.parse(permission).ok_or_else(forbidden)?;
        let kind = catalogue.kind_of(wanted);
        let object = object_of(&path);
        let path = if path.kind() == kind { path } else { path.with(kind, Named::Any) };
        let answer = self.caller.ask(self.home, Some(self.there), wanted, &path, self.now);
        if answer.is_permit() {
            return Ok(());
        }
        if !self.sees(&object, &path) {
            let (kind, id) = object.name();
            return Err(Refused::Unseen { kind, id });
        }
        Err(match answer.reason {
            Reason::AccountNotActive => Refused::AccountNotActive,
            _ => forbidden(),
        })
    }

    fn sees(&self, object: &Object, path: &ResourcePath) -> bool {
        let Self { caller, home, there, now, .. } = *self;
        match object {
            Object::Account(id) => sees_account(caller, home, there, *id, now),
            // A path that contradicts the row is as good as none (`edges.md` §3).
            Object::User(id) => id.parse().is_ok_and(|id| {
                there.any_user(id).is_some_and(|user| user.account == path.account)
                    && sees_user(caller, home, there, id, now)
            }),
            Object::Document(id) => {
                id.parse().is_ok_and(|id| sees_document(caller, home, there, id, now))
            }
            // One of an account above is read in one's own, where it is used.
            Object::Role(id) => {
                let own = ResourcePath::account(caller.account);
                let own = own.with("role", Named::Id(id.clone()));
                let used = id.parse().ok().and_then(|id| there.role(id)).is_some_and(|found| {
                    there.tenant() == home.tenant()
                        && home.is_in(caller.account, found.role.account)
                });
                may(caller, home, there, "role.read", path, now)
                    || (used && may(caller, home, home, "role.read", &own, now))
            }
            Object::Token(_) => may(caller, home, there, "api_token.read", path, now),
            Object::Key(_) => may(caller, home, there, "service_key.read", path, now),
        }
    }

    /// Fills the template; several paths where it names a list.
    fn paths(&self, check: &Check) -> Result<Vec<ResourcePath>, Refused> {
        let Some((_, Slot::Field(first))) = check.resource.first() else {
            return self.paths_of(check);
        };
        let named = first.strip_suffix(".account_id");
        match named.filter(|of| of.ends_with("user_id") || of.ends_with("user_ids")) {
            Some(of) => self.paths_of_users(check, of),
            None => self.paths_of(check),
        }
    }

    /// Fills a template that begins with the account of a user, or of each of a list: who gets a document, or loses it. All
    /// must be there, and seen where it is not permitted, and before them what they get must be.
    fn paths_of_users(&self, check: &Check, of: &str) -> Result<Vec<ResourcePath>, Refused> {
        let Self { caller, home, there, now, .. } = *self;
        let unseen = |id: &DocId| !sees_document(caller, home, there, *id, now);
        if let Some(id) = self.ask.document().filter(unseen) {
            return Err(Refused::Unseen { kind: "rights_document", id: id.to_string() });
        }
        let mut paths = Vec::new();
        for text in self.ask.fields.texts(of) {
            let unseen = || Refused::Unseen { kind: "user", id: text.to_owned() };
            let found = text.parse().ok().and_then(|id| self.there.user(id)).ok_or_else(unseen)?;
            let mut path = ResourcePath::account(found.account);
            let seen = self.sees(&Object::User(text.to_owned()), &path);
            for (kind, slot) in check.resource.iter().skip(1) {
                let named = match slot {
                    Slot::Field(name) if **name == *of => Named::Id(text.to_owned()),
                    slot => self.values(slot).into_iter().next().ok_or_else(unseen)?,
                };
                path = path.with(kind, named);
            }
            if !seen && !may(caller, home, there, &check.permission, &path, now) {
                return Err(unseen());
            }
            paths.push(path);
        }
        some(paths, check)
    }

    fn paths_of(&self, check: &Check) -> Result<Vec<ResourcePath>, Refused> {
        let mut steps = check.resource.iter();
        let account = steps.next().map(|(_, slot)| self.values(slot)).unwrap_or_default();
        let Some(Named::Id(account)) = account.into_iter().next() else {
            return Err(Refused::Unseen { kind: "account", id: String::new() });
        };
        let id = account
            .parse()
            .map_err(|_| Refused::Unseen { kind: "account", id: account.clone() })?;
        let mut paths = vec![ResourcePath::account(id)];
        for (kind, slot) in steps {
            let values = self.values(slot);
            paths = paths
                .iter()
                .flat_map(|path| values.iter().map(|value| path.clone().with(kind, value.clone())))
                .collect();
        }
        some(paths, check)
    }

    fn values(&self, slot: &Slot) -> Vec<Named> {
        let Slot::Field(name) = slot else { return vec![Named::Any] };
        let given: Vec<Named> =
            self.ask.fields.texts(name).map(|text| Named::Id(text.to_owned())).collect();
        if !given.is_empty() {
            return given;
        }
        let caller = self.caller;
        let derived = match &**name {
            OWN_ACCOUNT => Some(caller.account.to_string()),
            "caller.user_id" => Some(self.me()),
            "root_account_id" => self
                .there
                .chain(self.there.tenant())
                .last()
                .map(|top| top.parent.unwrap_or(top.id).to_string()),
            "account_id" | "user.account_id" => self.row.account.map(|id| id.to_string()),
            "owner.account_id" => self.row.document.map(|of| of.account.to_string()),
            "owner_id" => match self.row.document {
                // Who lives elsewhere, or nobody, is not named here.
                Some(OfDocument { owner, .. }) => {
                    let here = owner.filter(|owner| self.there.user(*owner).is_some());
                    return vec![here.map_or(Named::Any, |owner| Named::Id(owner.to_string()))];
                }
                None => None,
            },
            "user_id" => self.row.user.map(|id| id.to_string()),
            "parent_account_id" => self.row.parent_account.map(|id| id.to_string()),
            "application_id" => self.row.application.as_deref().map(str::to_owned),
            "parent_user_id" => self.parent(),
            _ => None,
        };
        derived.map(Named::Id).into_iter().collect()
    }
}

/// A rule that is asked of nothing permits nothing.
fn some(paths: Vec<ResourcePath>, check: &Check) -> Result<Vec<ResourcePath>, Refused> {
    if paths.is_empty() {
        return Err(Refused::Forbidden { permission: check.permission.to_string() });
    }
    Ok(paths)
}
