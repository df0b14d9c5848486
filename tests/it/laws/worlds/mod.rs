//! Random small worlds.

mod documents;

use chancery::decision::Facts;
use chancery::model::{
    Account, AccountId, AccountStatus, CustomRole, Holder, Named, Reach, RegionalSettings,
    Relation, ResourcePath, Revision, RoleGrant, RoleId, RoleRef, SessionMarks, User, UserId,
    UserKind,
};
use chrono::{DateTime, TimeDelta, Utc};
pub(crate) use documents::{DOCUMENTS, Paper, assigned, doc_id, paper};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use uuid::Uuid;

use super::conditions::CONDITIONS;

pub(crate) const ACCOUNTS: usize = 5;
const USERS: usize = 7;
const ROLES: usize = 3;

/// A tenant, and the platform above it with two users of its own.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) tenant: Facts,
    pub(crate) platform: Facts,
}

/// A grant, before it is known who gets it.
#[derive(Debug, Clone)]
pub(crate) struct Granted {
    who: Index,
    role: String,
    custom: Option<Index>,
    scope: Option<(Index, u8)>,
    expires: Option<i64>,
}

pub(crate) fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

pub(crate) fn root_id() -> AccountId {
    AccountId(Uuid::from_u128(1))
}

pub(crate) fn account_id(n: usize) -> AccountId {
    AccountId(Uuid::from_u128(0xA00 + n as u128))
}

pub(crate) fn user_id(n: usize) -> UserId {
    UserId(Uuid::from_u128(0xB00 + n as u128))
}

pub(crate) fn operator_id(n: usize) -> UserId {
    UserId(Uuid::from_u128(0xF00 + n as u128))
}

fn role_id(n: usize) -> RoleId {
    RoleId(Uuid::from_u128(0xC00 + n as u128))
}

pub(crate) const NAMES: &[&str] = &[
    "ringcx/SUPER_USER",
    "ringcx/SUPER_USER",
    "ringcx/SUPER_USER",
    "ringcx/USER",
    "ringcx/MANAGE_USERS",
    "ringcx/MANAGE_RIGHTS",
    "ringcx/ACCESS_SIBLINGS",
    "ringcx/ACCESS_AUDIT_LOG",
    "ringcx/ASSUME_USERS",
    "ringcx/NO_ACCESS",
    "core/DECISION_CLIENT",
    "core/DECISION_EXPLORER",
    "core/AUDITOR",
    "core/OPERATOR",
    "core/ONBOARDING",
    "voximplant/Owner",
    "voximplant/Supervisor",
    "voximplant/Developer@service",
    "voximplant/MainAccount",
    "ringcx/VANISHED",
];

const ACCOUNT_ROLES: &[Option<&str>] = &[
    None,
    None,
    None,
    None,
    None,
    None,
    None,
    None,
    Some("restcomm/Administrator"),
    Some("restcomm/Administrator"),
    Some("restcomm/Developer"),
    Some("restcomm/Developer"),
    Some("restcomm/ProvisioningAgent"),
    Some("restcomm/Vanished"),
];

const PATTERNS: &[&str] = &[
    "user.*",
    "*.read",
    "account.read",
    "scenario.*",
    "recording.delete",
    "role.assign",
    "gate.read",
    "rights_document.*",
    "note.*",
    "decision.*",
    "*",
];

/// Below the root where it is the first, else below an earlier one.
fn account(n: usize, parent: usize, status: u8, role: Option<&'static str>) -> Account {
    let parent = if n == 0 { root_id() } else { account_id(parent) };
    Account {
        id: account_id(n),
        parent: Some(parent),
        tenant: account_id(0),
        display_name: String::new(),
        email: None,
        login_alias: None,
        role: role.map(str::to_owned),
        status: match status {
            0 => AccountStatus::Suspended,
            1 => AccountStatus::Pending,
            2 => AccountStatus::Closed,
            _ => AccountStatus::Active,
        },
        suspended_from: None,
        quarantined_from: (status == 3).then(root_id),
        created_by: None,
        create_time: at(),
        update_time: at(),
    }
}

fn user(id: UserId, account: AccountId, parent: Option<UserId>, kind: u8, state: u8) -> User {
    let kind = match kind {
        0 => UserKind::Service,
        1 => UserKind::Application,
        _ => UserKind::Admin,
    };
    User {
        id,
        account,
        parent: parent.filter(|_| kind != UserKind::Application),
        kind,
        user_name: id.to_string(),
        first_name: String::new(),
        last_name: String::new(),
        full_name: String::new(),
        email: None,
        phone_number: String::new(),
        regional_settings: RegionalSettings::default(),
        enabled: state != 0,
        sso: false,
        application: (kind == UserKind::Application).then(|| "5".to_owned()),
        create_time: at(),
        update_time: at(),
        delete_time: (state == 1).then(at),
        session_marks: SessionMarks::default(),
        identity: None,
    }
}

fn relations() -> impl Strategy<Value = Option<Relation>> {
    select(vec![
        None,
        Some(Relation::Own),
        Some(Relation::Subtree),
        Some(Relation::Siblings),
        Some(Relation::Account),
    ])
}

fn role(n: usize) -> impl Strategy<Value = CustomRole> {
    let patterns = || prop::collection::vec(select(PATTERNS), 0..4);
    let what = (patterns(), patterns(), prop::option::of(select(CONDITIONS)));
    (what, any::<bool>(), relations(), 0..4_u8, any::<Index>(), select(NAMES)).prop_map(
        move |((permits, except, when), wide, on, state, at_account, includes)| CustomRole {
            id: role_id(n),
            account: account_id(at_account.index(ACCOUNTS)),
            name: format!("custom_{n}"),
            description: String::new(),
            permits: permits.into_iter().map(str::to_owned).collect(),
            except: except.into_iter().map(str::to_owned).collect(),
            includes: match state {
                // Roles include only later ones, so that there is no circle.
                1 if n + 1 < ROLES => vec![RoleRef::Custom(role_id(n + 1))],
                2 if includes != "ringcx/NO_ACCESS" => vec![RoleRef::BuiltIn(includes.into())],
                _ => Vec::new(),
            },
            reach: if wide { Reach::Subtree } else { Reach::Account },
            on,
            when: when.map(str::to_owned),
            assignable_to: vec![Holder::Admin],
            active: state != 0,
            create_time: at(),
            update_time: at(),
        },
    )
}

pub(crate) fn grant() -> impl Strategy<Value = Granted> {
    let custom = prop::option::weighted(0.15, any::<Index>());
    let scope = prop::option::weighted(0.15, (any::<Index>(), 0..3_u8));
    let expires = prop::option::weighted(0.15, select(vec![-60_i64, 0, 60]));
    (any::<Index>(), select(NAMES), custom, scope, expires).prop_map(
        |(who, role, custom, scope, expires)| Granted {
            who,
            role: role.to_owned(),
            custom,
            scope,
            expires,
        },
    )
}

impl Granted {
    /// Meets somebody of the tenant.
    pub(crate) fn of_world(&self, world: &World) -> RoleGrant {
        let user = &world.tenant.users[self.who.index(world.tenant.users.len())];
        self.to(user.id, user.account)
    }

    pub(crate) fn to(&self, user: UserId, account: AccountId) -> RoleGrant {
        let role = match self.custom {
            Some(custom) => RoleRef::Custom(role_id(custom.index(ROLES))),
            None => RoleRef::BuiltIn(self.role.as_str().into()),
        };
        let scope = self.scope.map(|(at, shape)| scope(account_id(at.index(ACCOUNTS)), shape));
        RoleGrant {
            user,
            account,
            role,
            scope: scope.map(|path| path.to_string()),
            expire_time: self.expires.map(|seconds| at() + TimeDelta::seconds(seconds)),
            create_time: at(),
            created_by: None,
        }
    }
}

/// A path of one of a few shapes.
fn scope(account: AccountId, shape: u8) -> ResourcePath {
    let start = ResourcePath::account(account);
    let id = |id: &str| Named::Id(id.to_owned());
    match shape {
        0 => start,
        1 => start.with("application", id("5")),
        _ => start.with("gate_group", id("5")),
    }
}

pub(crate) fn world() -> impl Strategy<Value = World> {
    let accounts = prop::collection::vec(
        (any::<Index>(), 0..150_u8, prop_oneof![2 => Just(None), 1 => select(ACCOUNT_ROLES)]),
        ACCOUNTS..=ACCOUNTS,
    );
    let users = prop::collection::vec(
        (any::<Index>(), prop::option::weighted(0.7, any::<Index>()), 0..10_u8, 0..60_u8),
        USERS..=USERS,
    );
    let grants = prop::collection::vec(grant(), 4..14);
    let operators = prop::collection::vec(grant(), 0..4);
    let moved = prop::option::weighted(0.2, (any::<Index>(), any::<Index>()));
    (accounts, users, grants, operators, role(0), role(1), role(2), documents::papers(), moved)
        .prop_map(|(accounts, users, grants, operators, r0, r1, r2, papers, moved)| {
            let mut tenant = Facts { tenant: Some(account_id(0)), ..Facts::default() };
            for (n, (parent, status, role)) in accounts.into_iter().enumerate() {
                tenant.accounts.push(account(n, parent.index(n.max(1)), status, role));
            }
            for (n, (at, parent, kind, state)) in users.into_iter().enumerate() {
                let at = account_id(at.index(ACCOUNTS));
                // Above a user stands an earlier one of its account, so that there is no circle.
                let here: Vec<UserId> = tenant
                    .users
                    .iter()
                    .filter(|user| user.account == at && user.kind != UserKind::Application)
                    .map(|user| user.id)
                    .collect();
                let parent = parent.filter(|_| !here.is_empty()).map(|p| here[p.index(here.len())]);
                tenant.users.push(user(user_id(n), at, parent, kind, state));
            }
            tenant.roles = vec![r0, r1, r2];
            let mut seen = std::collections::HashSet::new();
            let facts = tenant.clone();
            for granted in &grants {
                let user = &facts.users[granted.who.index(facts.users.len())];
                let grant = granted.to(user.id, user.account);
                if seen.insert((grant.user, grant.role.clone(), grant.scope.clone())) {
                    tenant.grants.push(grant);
                }
            }
            papers.put(&mut tenant);
            if let Some((which, to)) = moved {
                move_account(&mut tenant, which.index(ACCOUNTS), to.index(ACCOUNTS));
            }
            let mut platform = platform(&operators);
            papers.put_in_platform(&mut platform);
            World { tenant, platform }
        })
}

/// Moves an account elsewhere after all else was there; never the main account, nor one below itself.
fn move_account(facts: &mut Facts, which: usize, to: usize) {
    let mut at = Some(account_id(to));
    while let Some(id) = at {
        if id == account_id(which) {
            return;
        }
        at = facts.accounts.iter().find(|account| account.id == id).and_then(|found| found.parent);
    }
    if which > 0 {
        facts.accounts[which].parent = Some(account_id(to));
    }
}

fn platform(operators: &[Granted]) -> Facts {
    let root = Account {
        parent: None,
        id: root_id(),
        tenant: root_id(),
        role: None,
        quarantined_from: None,
        status: AccountStatus::Active,
        ..account(0, 0, 9, None)
    };
    let mut facts = Facts {
        tenant: Some(root_id()),
        revision: Revision(1),
        accounts: vec![root],
        users: (0..2).map(|n| user(operator_id(n), root_id(), None, 9, 9)).collect(),
        ..Facts::default()
    };
    let mut seen = std::collections::HashSet::new();
    for granted in operators.iter().filter(|granted| granted.custom.is_none()) {
        let grant = granted.to(operator_id(granted.who.index(2)), root_id());
        if seen.insert((grant.user, grant.role.clone(), grant.scope.clone())) {
            facts.grants.push(grant);
        }
    }
    facts
}

impl World {
    /// The same facts in another order.
    pub(crate) fn shuffled(&self, seed: u64) -> Self {
        fn turn<T>(list: &mut [T], seed: u64) {
            if !list.is_empty() {
                let by = usize::try_from(seed).unwrap_or_default() % list.len();
                list.rotate_left(by);
                list.reverse();
            }
        }
        let mut world = self.clone();
        turn(&mut world.tenant.accounts, seed);
        turn(&mut world.tenant.users, seed);
        turn(&mut world.tenant.roles, seed);
        turn(&mut world.tenant.grants, seed);
        turn(&mut world.tenant.documents, seed);
        turn(&mut world.tenant.assignments, seed);
        world
    }

    /// Two accounts, one above the other.
    pub(crate) fn small() -> Self {
        let accounts = vec![account(0, 0, 9, None), account(1, 0, 9, None)];
        let tenant = Facts { tenant: Some(account_id(0)), accounts, ..Facts::default() };
        Self { tenant, platform: platform(&[]) }
    }

    /// One user, and below it so many that hold by its cascading document; one more stands beside it.
    pub(crate) fn crowded(below: usize) -> Self {
        let mut world = Self::small();
        let home = account_id(0);
        let one = |n: usize, parent| user(user_id(n), home, parent, 9, 9);
        world.tenant.users = vec![one(0, None), one(1, None)];
        world.tenant.users.extend((0..below).map(|n| one(n + 2, Some(user_id(0)))));
        world.tenant.documents = vec![documents::cascading(home, user_id(1))];
        world.tenant.assignments = vec![assigned(doc_id(0), user_id(0), home)];
        world
    }
}
