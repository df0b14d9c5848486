//! Random questions about a world: some about anything, most about what somebody there was given.

use std::collections::HashMap;
use std::sync::OnceLock;

use chancery::decision::Facts;
use chancery::model::catalogue::{Permission, PermissionSet};
use chancery::model::{
    AccountId, Assignment, Body, Named, Pair, ResourcePath, RoleGrant, RoleRef, UserId, UserKind,
};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::conditions::{Said, said};
use super::words::{catalogue, words};
use super::worlds::{
    ACCOUNTS, DOCUMENTS, NAMES, World, account_id, at, doc_id, operator_id, root_id, user_id,
};

/// What of a user is asked under which types; `/` parts the types of a path.
const ABOUT: &[(&str, &[&str])] = &[
    ("", &["account.read", "account.update", "account.delete", "account.report"]),
    ("", &["account.create", "account.suspend", "account.resume", "account.stamp"]),
    ("user", &["user.read", "user.create", "user.update", "user.update_profile", "user.delete"]),
    ("user", &["user.read", "user.undelete", "user.assume", "user.move", "user.set_active"]),
    ("role", &["role.read"]),
    ("user/role", &["role.assign"]),
    ("user/rights_document", &["rights_document.read", "rights_document.update"]),
    ("user/rights_document", &["rights_document.assign", "rights_document.write_master"]),
    ("user/session", &["session.read", "session.revoke"]),
    ("user/api_token", &["api_token.create"]),
    ("user/dashboard", &["dashboard.read"]),
    ("decision", &["decision.evaluate", "decision.search"]),
    ("user/decision", &["decision.evaluate"]),
    ("audit_event", &["audit_event.read"]),
    ("gate_group", &["gate_group.create", "gate_group.read", "gate_group.update"]),
    ("gate_group/gate", &["gate.create", "gate.read", "gate.update", "gate.report"]),
    ("cloud_group/cloud_profile", &["cloud_profile.create", "cloud_profile.read"]),
    ("cloud_profile_group/cloud_profile", &["cloud_profile.create", "cloud_profile.read"]),
    ("application", &["application.create", "application.read", "application.delete"]),
    ("scenario", &["scenario.create", "scenario.read", "scenario.update"]),
    ("application/scenario", &["scenario.read", "scenario.start_scenarios", "scenario.create"]),
    ("application/application_user", &["application_user.read", "application_user.add_user"]),
    ("recording", &["recording.listen", "recording.delete", "recording.read"]),
    ("sms_message", &["sms_message.read_body", "sms_message.read"]),
    ("product", &["product.create", "product.read", "product.update"]),
    ("cabinet", &["cabinet.create", "cabinet.read", "cabinet.open"]),
    ("library", &["library.create", "library.read", "library.open"]),
    ("cabinet/library", &["library.create", "library.read", "library.open"]),
    ("cabinet/shelf", &["shelf.create", "shelf.read", "shelf.burn"]),
    ("cabinet/library/shelf", &["shelf.create", "shelf.read", "shelf.open", "shelf.update"]),
    ("note", &["note.create", "note.read", "note.update"]),
    ("user/note", &["note.create", "note.read", "note.update"]),
    ("role_system", &["role_system.get_roles"]),
];

/// The numbers of these permissions.
fn numbered(permission: &str) -> Permission {
    static NUMBERS: OnceLock<HashMap<&str, Permission>> = OnceLock::new();
    let all = || ABOUT.iter().flat_map(|(_, list)| list.iter());
    let numbers = || all().map(|name| (*name, catalogue().parse(name).unwrap())).collect();
    NUMBERS.get_or_init(numbers)[permission]
}

/// A question, before it is known whom it meets.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) subject: Option<UserId>,
    pub(crate) permission: String,
    pub(crate) resource: ResourcePath,
    pub(crate) now: DateTime<Utc>,
    /// The credential's scopes, expanded; none = no limit.
    pub(crate) scopes: Vec<String>,
    /// What the asker says, for conditions.
    pub(crate) said: Said,
    /// As what conditions see the subject, in the reference alone; none = as what it is.
    pub(crate) seen_as: Option<UserKind>,
    who: Index,
    at: Index,
    whom: Index,
    about: Index,
    which: Index,
    ids: [Index; 3],
    aim: u8,
}

/// A credential's scopes, expanded; mostly none.
pub(crate) fn scopes() -> impl Strategy<Value = Vec<String>> {
    let pattern = (any::<Index>(), any::<Index>()).prop_map(|(about, which)| {
        let permissions = ABOUT[about.index(ABOUT.len())].1;
        permissions[which.index(permissions.len())].to_owned()
    });
    let scope = prop_oneof![
        2 => pattern,
        1 => Just("*".to_owned()),
        2 => select(NAMES).prop_map(|name| format!("role:{name}")),
    ];
    prop_oneof![25 => Just(Vec::new()), 1 => prop::collection::vec(scope, 1..4)]
}

pub(crate) fn asked() -> impl Strategy<Value = Asked> {
    let indices = (any::<Index>(), any::<Index>(), any::<Index>(), any::<Index>(), any::<Index>());
    (indices, any::<[Index; 3]>(), 0..10_u8, scopes(), said()).prop_map(
        |((who, at_account, whom, about, which), ids, aim, scopes, said)| Asked {
            subject: None,
            permission: String::new(),
            resource: ResourcePath::account(root_id()),
            now: at(),
            scopes,
            said,
            seen_as: None,
            who,
            at: at_account,
            whom,
            about,
            which,
            ids,
            aim,
        },
    )
}

fn people(world: &World) -> Vec<UserId> {
    let mut people: Vec<UserId> = world.tenant.users.iter().map(|user| user.id).collect();
    people.extend(world.platform.users.iter().map(|user| user.id));
    people.push(user_id(999));
    people
}

/// One thing that a document says: which actions, on what.
struct Saying<'a> {
    actions: &'a [String],
    product: Option<&'a str>,
    /// Type and id of a resource; none = everything.
    known: Option<(&'a str, &'a str)>,
    cascade: bool,
}

fn says(body: &Body) -> Vec<Saying<'_>> {
    let mut all = Vec::new();
    if !body.account_permissions.is_empty() {
        let actions = &body.account_permissions;
        all.push(Saying { actions, product: None, known: None, cascade: true });
    }
    for entry in &body.resource_permissions {
        let known = Some((entry.resource_type.as_str(), entry.resource_id.as_str()));
        let (actions, cascade) = (&entry.permissions, entry.cascade);
        all.push(Saying { actions, product: None, known, cascade });
    }
    for entry in &body.product_permissions {
        let (actions, cascade) = (&entry.permissions, entry.cascade);
        let known = (!cascade).then_some(("product", entry.product.as_str()));
        all.push(Saying { actions, product: Some(&entry.product), known, cascade });
    }
    all
}

impl Saying<'_> {
    /// Whether a question is about what it gives, or at least on the way to it.
    fn gives(&self, kinds: &str, permission: &str, roughly: bool) -> bool {
        let (kind, action) = permission.split_once('.').unwrap();
        let Some((of, _)) = self.known else {
            let its = self.product.is_none_or(|product| words().is_of(kind, product));
            return its && self.actions.iter().any(|one| one == action);
        };
        let mut way = vec!["account"];
        way.extend(kinds.split('/').filter(|kind| !kind.is_empty()));
        let Some(at) = way.iter().position(|kind| *kind == of) else { return false };
        let below = way.len() - 1 - at;
        // What does not cascade gives what is on the thing itself, and creating in it.
        let creates = action == "create";
        let fits = if self.cascade { !creates || below > 0 } else { below == usize::from(creates) };
        (fits || roughly) && self.actions.iter().any(|one| one == action)
    }
}

/// What the role of a grant gives by itself.
fn given_by(world: &World, grant: &RoleGrant) -> PermissionSet {
    let catalogue = catalogue();
    match &grant.role {
        RoleRef::BuiltIn(name) => {
            let role = catalogue.role(name).map(|ix| catalogue.get(ix).expanded.clone());
            role.unwrap_or_default()
        }
        RoleRef::Custom(id) => {
            let role = world.tenant.roles.iter().find(|role| role.id == *id).unwrap();
            let mut set = PermissionSet::new();
            for pattern in &role.permits {
                set.union_with(&catalogue.expand(pattern).unwrap());
            }
            set
        }
    }
}

fn pick<T>(list: &[T], index: Index) -> Option<&T> {
    (!list.is_empty()).then(|| &list[index.index(list.len())])
}

impl Asked {
    /// The same of somebody else.
    pub(crate) fn of(&self, subject: UserId) -> Self {
        Self { subject: Some(subject), ..self.clone() }
    }

    /// The same about something else.
    pub(crate) fn on(&self, resource: ResourcePath) -> Self {
        Self { resource, ..self.clone() }
    }

    /// The same about another action.
    pub(crate) fn to(&self, action: &str) -> Self {
        Self { permission: format!("{}.{action}", self.resource.kind()), ..self.clone() }
    }

    /// Meets the people of a world.
    pub(crate) fn in_world(&self, world: &World) -> Self {
        let facts = if self.which.index(8) == 0 { &world.platform } else { &world.tenant };
        match self.aim {
            0 => self.at_random(world),
            1..=4 => {
                let grant = pick(&facts.grants, self.who);
                let aimed = grant.and_then(|grant| self.at_a_grant(world, grant));
                aimed.unwrap_or_else(|| self.at_random(world))
            }
            _ => self.at_a_document(world, facts).unwrap_or_else(|| self.at_random(world)),
        }
    }

    /// About one who was just given something: the last role or document of a world.
    pub(crate) fn about_gift(&self, world: &World, to: UserId, by_document: bool) -> Self {
        if by_document && self.aim > 2 {
            let last = world.tenant.assignments.last();
            let aimed = last.and_then(|last| self.at_an_assignment(world, &world.tenant, last));
            return aimed.unwrap_or_else(|| self.at_random(world));
        }
        let last = world.tenant.grants.last().filter(|grant| grant.user == to);
        let aimed = last.and_then(|last| self.at_a_grant(world, last));
        aimed.unwrap_or_else(|| self.at_random(world))
    }

    fn at_random(&self, world: &World) -> Self {
        let people = people(world);
        let mut accounts: Vec<AccountId> = (0..ACCOUNTS).map(account_id).collect();
        accounts.extend([root_id(), account_id(99)]);
        let (subject, at) = (*pick(&people, self.who).unwrap(), *pick(&accounts, self.at).unwrap());
        let about = ABOUT[self.about.index(ABOUT.len())];
        self.about(world, subject, at, about, None)
    }

    /// About one who has a role, where it mostly reaches.
    fn at_a_grant(&self, world: &World, grant: &RoleGrant) -> Option<Self> {
        let below = account_id(self.at.index(ACCOUNTS));
        let at = if self.which.index(12) == 0 { below } else { grant.account };
        let scope: Option<ResourcePath> = grant.scope.as_ref().map(|scope| scope.parse().unwrap());
        let scope = scope.filter(|_| self.is_near());
        let at = scope.as_ref().map_or(at, |scope| scope.account);
        let within = scope.and_then(|scope| scope.pairs.into_iter().next());
        let given = given_by(world, grant);
        let fits = |kinds: &str, permission: &str| {
            let starts =
                within.as_ref().is_none_or(|pair| kinds.split('/').next() == Some(&pair.kind));
            starts && given.contains(numbered(permission))
        };
        let (kinds, permission) = self.one_of(&fits)?;
        let near = self.one_near(world, grant.user);
        let known = match &within {
            Some(Pair { kind, named: Named::Id(id) }) => Some((kind.as_str(), id.as_str())),
            _ => near.as_ref().filter(|_| self.is_near()).map(|id| ("user", id.as_str())),
        };
        Some(self.about(world, grant.user, at, (kinds, &[permission]), known))
    }

    /// About one who has a document, or somebody of its account, and what the document says something about.
    fn at_a_document(&self, world: &World, facts: &Facts) -> Option<Self> {
        let assignment = pick(&facts.assignments, self.who)?;
        self.at_an_assignment(world, facts, assignment)
    }

    fn at_an_assignment(
        &self,
        world: &World,
        facts: &Facts,
        assignment: &Assignment,
    ) -> Option<Self> {
        let document = facts.documents.iter().find(|d| d.id == assignment.document);
        let mates: Vec<UserId> = (facts.users.iter())
            .filter(|user| user.account == assignment.account)
            .map(|user| user.id)
            .collect();
        let other = self.whom.index(12) == 0;
        let subject = if other { *pick(&mates, self.whom)? } else { assignment.user };
        let declared = words().system.iter().find(|declared| declared.id == assignment.document);
        let (body, master) = match (document, declared) {
            (Some(document), _) => (&document.body, document.master),
            (None, declared) => (&declared?.body, declared?.master),
        };
        let of = document.map_or(assignment.account, |document| document.account);
        let anywhere = master || self.which.index(12) == 0;
        let at = if anywhere && of != root_id() { account_id(self.at.index(ACCOUNTS)) } else { of };
        let says = says(body);
        let one = pick(&says, self.ids[1])?;
        let fits = |kinds: &str, permission: &str| {
            let givable = catalogue().is_for_documents(numbered(permission));
            one.gives(kinds, permission, !self.is_near())
                && (!self.is_near() || (givable && !kinds.starts_with("user")))
        };
        let (kinds, permission) = self.one_of(&fits)?;
        Some(self.about(world, subject, at, (kinds, &[permission]), one.known))
    }

    /// One of the questions whose permission passes a test.
    fn one_of(&self, test: &dyn Fn(&str, &str) -> bool) -> Option<(&'static str, &'static str)> {
        let all = ABOUT.iter().flat_map(|(kinds, list)| list.iter().map(move |p| (*kinds, *p)));
        let fitting: Vec<_> = all.filter(|(kinds, permission)| test(kinds, permission)).collect();
        pick(&fitting, self.about).copied()
    }

    /// Whether it is to be about what is likely to be permitted.
    fn is_near(&self) -> bool {
        self.ids[2].index(4) > 0
    }

    /// One whom a user stands in some relation to, itself among them.
    fn one_near(&self, world: &World, of: UserId) -> Option<String> {
        let users = &world.tenant.users;
        let own = users.iter().find(|user| user.id == of)?;
        let near = users.iter().filter(|user| {
            user.id == of
                || user.parent == Some(of)
                || (user.parent.is_some() && user.parent == own.parent)
        });
        pick(&near.collect::<Vec<_>>(), self.whom).map(|user| user.id.to_string())
    }

    fn about(
        &self,
        world: &World,
        subject: UserId,
        at: AccountId,
        (kinds, permissions): (&str, &[&str]),
        known: Option<(&str, &str)>,
    ) -> Self {
        let mut path = ResourcePath::account(at);
        let permission = *pick(permissions, self.which).unwrap();
        for (step, kind) in kinds.split('/').filter(|kind| !kind.is_empty()).enumerate() {
            let index = self.ids[step];
            let named = known.filter(|(of, _)| *of == kind).map(|(_, id)| Named::Id(id.to_owned()));
            path = path.with(kind, named.unwrap_or_else(|| self.id(world, at, kind, index)));
        }
        Self {
            subject: Some(subject),
            permission: permission.to_owned(),
            resource: path,
            ..self.clone()
        }
    }

    fn id(&self, world: &World, at: AccountId, kind: &str, index: Index) -> Named {
        let ids: Vec<String> = match kind {
            "user" | "application_user" => {
                let here = world.tenant.users.iter().filter(|user| user.account == at);
                let mut ids: Vec<String> = here.map(|user| user.id.to_string()).collect();
                ids.push(pick(&people(world), self.whom).unwrap().to_string());
                ids.push(operator_id(0).to_string());
                ids
            }
            "rights_document" => (0..DOCUMENTS).map(|n| doc_id(n).to_string()).collect(),
            "product" => vec!["ACD".to_owned(), "SURVEY".to_owned()],
            _ => vec!["5".to_owned(), "17".to_owned(), "6".to_owned()],
        };
        match index.index(6) {
            0 => Named::Any,
            _ => Named::Id(pick(&ids, index).unwrap().clone()),
        }
    }
}
