//! One call as its rule sees it: who, what, and about which object.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::decide::decide;
use super::fields::Fields;
use super::limits::Limits;
use super::question::{Answer, Nothing, Question, Subject, Worlds};
use super::rule::{Access, Rule, Slot};
use super::snapshot::Snapshot;
use crate::model::catalogue::Permission;
use crate::model::{
    AccountId, DocId, KeyId, ResourcePath, RoleId, SessionId, TokenId, UserId, UserKind,
};

/// How a template names the account of whoever calls.
pub(super) const OWN_ACCOUNT: &str = "caller.account_id";

/// Who calls, proved by a credential that was good a moment ago.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user whose rights count.
    pub user: UserId,
    /// Its account.
    pub account: AccountId,
    /// Its tenant.
    pub tenant: AccountId,
    /// What it is.
    pub kind: UserKind,
    /// The API token used.
    pub token: Option<TokenId>,
    /// Or the session.
    pub session: Option<CallerSession>,
    /// Who really acts, in an assumed session: it may what both may.
    pub actor: Option<Arc<Actor>>,
    /// The credential's own limits; `None` = none.
    pub limits: Option<Arc<Limits>>,
}

/// The session that a caller calls with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerSession {
    /// Which.
    pub id: SessionId,
    /// When its user has proved who it is.
    pub auth_time: DateTime<Utc>,
    /// When the access token that was sent expires.
    pub expire_time: DateTime<Utc>,
}

/// Who really acts in an assumed session.
#[derive(Debug, Clone)]
pub struct Actor {
    /// As a caller, with the credential that it took the session on with.
    pub caller: Caller,
    /// The newest snapshot of its own tenant.
    pub home: Arc<Snapshot>,
}

impl Caller {
    /// Returns the actor as a caller, with the snapshot of its own tenant: `home` where that is the caller's too.
    pub fn actor_in<'a>(&'a self, home: &'a Snapshot) -> Option<(&'a Caller, &'a Snapshot)> {
        self.actor.as_deref().map(|actor| {
            let same = actor.home.tenant() == home.tenant();
            (&actor.caller, if same { home } else { &*actor.home })
        })
    }

    /// Asks the engine whether the caller is permitted something; in an assumed session, whether the actor is as well.
    pub fn ask(
        &self,
        home: &Snapshot,
        there: Option<&Snapshot>,
        permission: Permission,
        resource: &ResourcePath,
        now: DateTime<Utc>,
    ) -> Answer {
        let ask = |caller: &Self, home: &Snapshot| {
            let question = Question {
                subject: Subject::User(caller.user),
                limits: caller.limits.as_deref(),
                permission,
                resource,
                now,
                asked: &Nothing,
            };
            decide(Worlds { home, there }, &question)
        };
        let answer = ask(self, home);
        match self.actor_in(home) {
            Some((actor, home)) if answer.is_permit() => ask(actor, home),
            _ => answer,
        }
    }
}

/// One call as its rule sees it.
#[derive(Debug, Clone)]
pub struct Ask {
    pub(super) rule: Arc<Rule>,
    pub(super) fields: Fields,
}

/// The object that a call names first of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// An account.
    Account(AccountId),
    /// A user.
    User(UserId),
    /// A custom role.
    Role(RoleId),
    /// An API token.
    Token(TokenId),
    /// A key of a service user.
    Key(KeyId),
    /// A rights document of an account.
    Document(DocId),
}

impl Ask {
    /// Makes the ask of a request: fills what the request leaves to its default, as the rule wants it.
    pub fn new(rule: Arc<Rule>, mut fields: Fields, caller: Option<&Caller>) -> Self {
        if let Some(caller) = caller {
            for name in &rule.defaults {
                if fields.text(name).is_some() {
                    continue;
                }
                if name.ends_with("account_id") {
                    fields.set_text(name, caller.account.to_string());
                } else {
                    fields.set_text(name, caller.user.to_string());
                }
            }
        }
        if let Some(application) = fields.text("filter").and_then(application_of) {
            let application = application.to_owned();
            fields.set_text("application_id", application);
        }
        Self { rule, fields }
    }

    /// Returns the rule.
    pub const fn rule(&self) -> &Arc<Rule> {
        &self.rule
    }

    /// Returns the request's fields, defaults filled in.
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Adds what only a look-up can tell, such as whose a token is.
    pub fn fill(&mut self, name: &str, value: String) {
        self.fields.set_text(name, value);
    }

    /// Adds it where the request leaves it out.
    pub fn fill_absent(&mut self, name: &str, value: &str) {
        if self.fields.text(name).is_none() {
            self.fields.set_text(name, value);
        }
    }

    /// Returns the object that the rule is about, read from the end of its main path.
    ///
    /// `None` where the request names none that is stored, or names it malformed.
    pub fn anchor(&self) -> Option<Anchor> {
        let Access::Checked { main, .. } = &self.rule.access else { return None };
        // What is asked in the caller's own account is not sought elsewhere.
        if matches!(main.resource.first(), Some((_, Slot::Field(name))) if &**name == OWN_ACCOUNT) {
            return None;
        }
        // On a user, a role is what is given or taken, and the user what it is done to.
        let under_user = main.resource.iter().any(|(kind, _)| &**kind == "user");
        main.resource.iter().rev().find_map(|(kind, slot)| {
            let Slot::Field(name) = slot else { return None };
            let text = self.fields.text(name)?;
            match &**kind {
                "user" => text.parse().ok().map(Anchor::User),
                "api_token" => text.parse().ok().map(Anchor::Token),
                "service_key" => text.parse().ok().map(Anchor::Key),
                // One that a catalogue declares is in every tenant: the users named tell which is meant.
                "rights_document" => {
                    let own = |id: &DocId| !id.is_system();
                    text.parse().ok().filter(own).map(Anchor::Document)
                }
                "role" if !under_user => text.parse().ok().map(Anchor::Role),
                "account" => text.parse().ok().map(Anchor::Account),
                _ => None,
            }
        })
    }

    /// Returns the rights document that the rule is about, one that a catalogue declares too.
    pub(super) fn document(&self) -> Option<DocId> {
        let Access::Checked { main, .. } = &self.rule.access else { return None };
        main.resource.iter().find_map(|(kind, slot)| match slot {
            Slot::Field(name) if &**kind == "rights_document" => {
                self.fields.text(name)?.parse().ok()
            }
            _ => None,
        })
    }

    /// Returns the parent that a new or moved user is to have, its default filled in (`model.md` §3).
    pub(super) fn parent(&self, caller: &Caller, kind: Option<UserKind>) -> Option<String> {
        if let Some(parent) = self.fields.text("parent_user_id") {
            return Some(parent.to_owned());
        }
        let creates = self.rule.method.ends_with("/CreateUser");
        let here = self.fields.text("account_id") == Some(caller.account.to_string().as_str());
        let root = self.fields.number("user.root_user") == Some(1);
        let application = kind == Some(UserKind::Application);
        (creates && here && !root && !application).then(|| caller.user.to_string())
    }
}

/// Finds the application that a filter names: `application_id = "…"`.
fn application_of(filter: &str) -> Option<&str> {
    let (_, rest) = filter.split_once("application_id")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?;
    rest.split_once('"').map(|(application, _)| application)
}
