//! Random questions about random worlds.

use chancery::model::{AccountId, Named, ResourcePath, UserId};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::conditions::{Said, said};
use super::worlds::{ACCOUNTS, World, account_id, at, root_id, user_id};

/// A question, before it is known whom it meets.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) subject: Option<UserId>,
    pub(crate) permission: String,
    pub(crate) resource: ResourcePath,
    pub(crate) now: DateTime<Utc>,
    pub(crate) said: Said,
    who: Index,
    at: Index,
    whom: Index,
    shape: u8,
}

const PERMISSIONS: &[&str] = &[
    "account.read",
    "account.create",
    "account.suspend",
    "account.resume",
    "user.read",
    "user.create",
    "user.update",
    "user.update_profile",
    "user.delete",
    "user.undelete",
    "user.assume",
    "role.assign",
    "role.read",
    "session.read",
    "api_token.create",
    "decision.evaluate",
    "audit_event.read",
    "scenario.read",
    "scenario.update",
    "recording.listen",
    "recording.delete",
    "gate_group.create",
    "gate.read",
    "application_user.read",
    "dashboard.read",
    "sms_message.read_body",
];

pub(crate) fn asked() -> impl Strategy<Value = Asked> {
    (any::<Index>(), select(PERMISSIONS), any::<Index>(), any::<Index>(), 0..6_u8, said()).prop_map(
        |(who, permission, at_account, whom, shape, said)| Asked {
            subject: None,
            permission: permission.to_owned(),
            resource: ResourcePath::account(root_id()),
            now: at(),
            said,
            who,
            at: at_account,
            whom,
            shape,
        },
    )
}

impl Asked {
    /// Meets the people of a world: a subject, an account and a path of the permission's type.
    pub(crate) fn in_world(&self, world: &World) -> Self {
        let mut people: Vec<UserId> = world.tenant.users.iter().map(|user| user.id).collect();
        people.extend(world.platform.users.iter().map(|user| user.id));
        people.push(user_id(999));
        let whom = people[self.whom.index(people.len())];
        let accounts: Vec<AccountId> =
            (0..ACCOUNTS).map(account_id).chain([root_id(), account_id(99)]).collect();
        let at = accounts[self.at.index(accounts.len())];
        let kind = self.permission.split('.').next().unwrap();
        let named = match self.shape {
            0 => Named::Any,
            _ => Named::Id("17".to_owned()),
        };
        let target = match self.shape {
            0 | 1 => Named::Any,
            _ => Named::Id(whom.to_string()),
        };
        let start = ResourcePath::account(at);
        let resource = match kind {
            "account" => start,
            "user" => start.with("user", target),
            "session" | "api_token" | "dashboard" => {
                start.with("user", target).with(kind, Named::Any)
            }
            "role" | "decision" if self.shape > 2 => start.with("user", target).with(kind, named),
            "gate" => start.with("gate_group", Named::Id("5".to_owned())).with(kind, named),
            "application_user" => {
                start.with("application", Named::Id("5".to_owned())).with(kind, target)
            }
            _ => start.with(kind, named),
        };
        Self { subject: Some(people[self.who.index(people.len())]), resource, ..self.clone() }
    }
}
