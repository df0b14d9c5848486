//! What a search finds is what is left of all that there is when each is asked of the engine.

use std::collections::BTreeSet;

use chancery::decision::{
    Facts, Nothing, Question, Reason, Snapshot, Subject, Worlds, decide, known, possible_users,
};
use chancery::model::catalogue::Permission;
use chancery::model::{Named, ResourcePath, UserId};
use proptest::prelude::*;

use super::explaining::with;
use super::questions::{Asked, asked};
use super::words::{SYSTEM_THINGS, catalogue, words};
use super::worlds::{World, account_id, at, user_id, world};
use super::{built, config, engine, naive};

/// So many are found before a page is full: the next call goes on behind the last that was looked at.
const PAGE: usize = 3;

fn permitted(tenant: &Snapshot, asked: &Asked) -> bool {
    with(tenant, asked, |worlds, question| decide(worlds, question).is_permit()).unwrap()
}

/// Walks what lies behind a cursor, page by page, to the end.
fn pages<T, K: Clone>(page: impl Fn(Option<K>) -> Vec<(K, T)>) -> Vec<T> {
    let (mut found, mut last) = (Vec::new(), None);
    loop {
        let next = page(last.clone());
        let Some((key, _)) = next.last() else { return found };
        last = Some(key.clone());
        found.extend(next.into_iter().map(|(_, one)| one));
    }
}

fn subjects(tenant: &Snapshot, asked: &Asked, permission: Permission) -> Vec<UserId> {
    let page = |after: Option<UserId>| -> Vec<(UserId, UserId)> {
        let found = possible_users(tenant, permission, &asked.resource, after);
        found.take(PAGE).map(|id| (id, id)).collect()
    };
    let may = |id: &UserId| permitted(tenant, &asked.of(*id));
    pages(page).into_iter().filter(may).collect()
}

fn resources(tenant: &Snapshot, kind: &str) -> Vec<ResourcePath> {
    pages(|after: Option<String>| -> Vec<(String, ResourcePath)> {
        let found = known(tenant, kind, after.as_deref());
        found.take(PAGE).map(|one| (one.key, one.path)).collect()
    })
}

/// The actions of a type that somebody may do, asked one after the other in the order of the catalogue.
fn actions(tenant: &Snapshot, platform: &Snapshot, asked: &Asked) -> Vec<String> {
    let kind = tenant.catalogue().kind(asked.resource.kind()).unwrap();
    let page = |after: Option<usize>| -> Vec<(usize, String)> {
        let rest = kind.actions.iter().cloned().enumerate();
        rest.skip(after.map_or(0, |after| after + 1)).take(PAGE).collect()
    };
    let may = |action: &String| {
        engine(tenant, platform, &asked.to(action)).is_some_and(|answer| answer.is_permit())
    };
    pages(page).into_iter().filter(may).collect()
}

/// Everything of a type that the facts name, in no order.
fn all_of(facts: &Facts, kind: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut add = |path: ResourcePath| all.insert(path.to_string());
    let id = |id: &dyn ToString| Named::Id(id.to_string());
    for account in facts.accounts.iter().filter(|_| kind == "account") {
        add(ResourcePath::account(account.id));
    }
    for user in &facts.users {
        let home = ResourcePath::account(user.account);
        match (kind, &user.application) {
            ("user", _) => add(home.with("user", id(&user.id))),
            ("application_user", Some(of)) if user.delete_time.is_none() => {
                add(home.with("application", id(of)).with(kind, id(&user.id)))
            }
            _ => false,
        };
    }
    for role in facts.roles.iter().filter(|_| kind == "role") {
        add(ResourcePath::account(role.account).with(kind, id(&role.id)));
    }
    for document in &facts.documents {
        let owner = facts.users.iter().find(|user| user.id == document.owner).unwrap();
        if kind == "rights_document" && owner.delete_time.is_none() {
            let of = ResourcePath::account(owner.account).with("user", id(&owner.id));
            add(of.with(kind, id(&document.id)));
        }
        let entries = document.body.resource_permissions.iter();
        let entries = entries.map(|entry| (entry.resource_type.as_str(), &entry.resource_id));
        let products = document.body.product_permissions.iter();
        let entries = entries.chain(products.map(|entry| ("product", &entry.product)));
        for (of, named) in entries.filter(|(of, _)| *of == kind && words().lies_in(of, "account")) {
            add(ResourcePath::account(document.account).with(of, id(named)));
        }
    }
    for scope in facts.grants.iter().filter_map(|grant| grant.scope.as_ref()) {
        let scope: ResourcePath = scope.parse().unwrap();
        for (at, pair) in scope.pairs.iter().enumerate() {
            if pair.kind == kind && pair.named != Named::Any {
                let pairs = scope.pairs[..=at].to_vec();
                add(ResourcePath { account: scope.account, pairs });
            }
        }
    }
    let declared = SYSTEM_THINGS.iter().filter(|(of, _)| *of == kind);
    for (of, named) in declared {
        add(ResourcePath::account(facts.tenant.unwrap()).with(of, id(named)));
    }
    all
}

/// Below a holder of a cascading document are more than a page could put in order: nobody is missed, and nobody comes twice.
#[test]
fn a_crowd_below_one_holder_is_found_whole() {
    let world = World::crowded(10_020);
    let tenant = built(&world.tenant);
    let permission = tenant.catalogue().parse("gate.read").unwrap();
    let id = |id: &str| Named::Id(id.to_owned());
    let path = ResourcePath::account(account_id(0));
    let path = path.with("gate_group", id("5")).with("gate", id("17"));
    let page = |after: Option<UserId>| -> Vec<(UserId, UserId)> {
        let found = possible_users(&tenant, permission, &path, after);
        found.take(1_000).map(|id| (id, id)).collect()
    };
    let may = |id: &UserId| {
        let subject = Subject::User(*id);
        let (limits, now, resource) = (None, at(), &path);
        let question = Question { subject, limits, permission, resource, now, asked: &Nothing };
        decide(Worlds { home: &tenant, there: Some(&tenant) }, &question).is_permit()
    };
    let found: Vec<UserId> = pages(page).into_iter().filter(may).collect();
    let all = world.tenant.users.iter().map(|user| user.id);
    let mut all: Vec<UserId> = all.filter(|id| *id != user_id(1)).collect();
    all.sort_unstable();
    assert!(found == all, "{} of {}", found.len(), all.len());
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn the_subjects_found_are_all_who_are_permitted(
        world in world(),
        questions in prop::collection::vec(asked(), 10),
    ) {
        let tenant = built(&world.tenant);
        for asked in &questions {
            let asked = asked.in_world(&world);
            let permission = tenant.catalogue().parse(&asked.permission).unwrap();
            let found = subjects(&tenant, &asked, permission);
            let mut all: Vec<UserId> = world.tenant.users.iter().map(|user| user.id).collect();
            all.sort_unstable();
            all.retain(|id| permitted(&tenant, &asked.of(*id)));
            prop_assert_eq!(found, all, "{:?}", &asked);
        }
    }

    #[test]
    fn the_resources_found_are_all_that_are_known_and_permitted(
        world in world(),
        questions in prop::collection::vec(asked(), 6),
    ) {
        let tenant = built(&world.tenant);
        for asked in &questions {
            let asked = asked.in_world(&world);
            let (kind, _) = asked.permission.split_once('.').unwrap();
            let found = resources(&tenant, kind);
            let distinct: BTreeSet<String> = found.iter().map(ToString::to_string).collect();
            prop_assert_eq!(distinct.len(), found.len(), "each once");
            let left = found.into_iter().filter(|path| permitted(&tenant, &asked.on(path.clone())));
            let found: BTreeSet<String> = left.map(|path| path.to_string()).collect();
            let mut all = all_of(&world.tenant, kind);
            all.retain(|path| permitted(&tenant, &asked.on(path.parse().unwrap())));
            prop_assert_eq!(found, all, "{:?}", &asked);
        }
    }

    #[test]
    fn the_actions_found_are_all_that_the_files_declare_and_that_are_permitted(
        world in world(),
        questions in prop::collection::vec(asked(), 10),
    ) {
        let (tenant, platform) = (built(&world.tenant), built(&world.platform));
        for asked in &questions {
            let asked = asked.in_world(&world);
            let found = actions(&tenant, &platform, &asked);
            let distinct: BTreeSet<&str> = found.iter().map(String::as_str).collect();
            prop_assert_eq!(distinct.len(), found.len(), "each once");
            let mut all = words().actions(asked.resource.kind());
            all.retain(|action| {
                let said = naive::decide(&catalogue(), &world, &asked.to(action));
                said.is_some_and(|(reason, _)| reason == Reason::Permitted)
            });
            prop_assert_eq!(distinct, all, "{:?}", &asked);
        }
    }
}
