//! What somebody may do: all actions that `Authorize` permits, one by one.

use std::collections::{BTreeMap, BTreeSet};

use chancery::proto::v1 as pb;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::what_of;
use crate::support::{Person, Service, ask, engines};

/// Makes somebody who has a document of an account and nothing else.
async fn holder(service: &Service, boss: &Person, at: &str, actions: &[&str]) -> Person {
    let holder = service.person(at, "holder", &[]).await;
    let document = pb::RightsDocument {
        rights_doc_name: Some("All".to_owned()),
        account_id: at.to_owned(),
        account_permissions: actions.iter().map(|one| (*one).to_owned()).collect(),
        ..Default::default()
    };
    let request = pb::CreateRightsDocumentRequest {
        user_id: boss.user_id.clone(),
        rights_document: Some(document),
        ..Default::default()
    };
    let made = service.rights(boss).create_rights_document(request).await.unwrap();
    let assign = pb::AssignRightsDocumentRequest {
        rights_doc_id: made.into_inner().rights_document.unwrap().rights_doc_id,
        user_ids: vec![holder.user_id.clone()],
        force: true,
        ..Default::default()
    };
    service.rights(boss).assign_rights_document(assign).await.unwrap();
    holder
}

/// Lists the types that lie right in accounts, with their actions.
async fn types(service: &Service) -> BTreeMap<String, BTreeSet<String>> {
    of_types(service, |kind| kind.parents.iter().any(|parent| parent == "account")).await
}

async fn all_types(service: &Service) -> BTreeMap<String, BTreeSet<String>> {
    of_types(service, |_| true).await
}

async fn of_types(
    service: &Service,
    wanted: impl Fn(&pb::ResourceType) -> bool,
) -> BTreeMap<String, BTreeSet<String>> {
    let request = pb::ListCataloguesRequest::default();
    let listed = service.roles(&service.root).list_catalogues(request).await.unwrap();
    let mut types: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let catalogues = listed.into_inner().catalogues.into_iter();
    for kind in catalogues.flat_map(|catalogue| catalogue.resource_types) {
        if wanted(&kind) {
            types.entry(kind.resource_type).or_default().extend(kind.actions);
        }
    }
    types
}

/// Keeps those of some actions that are permitted.
async fn permitted(
    service: &Service,
    user_id: &str,
    (kind, id): (&str, &str),
    known: &BTreeSet<String>,
) -> BTreeSet<String> {
    let question = ask(user_id, "", kind, id);
    let items = known.iter().map(|name| pb::EvaluationRequest {
        action: Some(pb::Action { name: name.clone(), properties: None }),
        ..Default::default()
    });
    let batch = pb::BatchAuthorizeRequest {
        subject: question.subject,
        resource: question.resource,
        evaluations: items.collect(),
        ..Default::default()
    };
    let answers = service.authorization(&service.root).batch_authorize(batch).await.unwrap();
    let answers = answers.into_inner().evaluations;
    assert_eq!(answers.len(), known.len());
    let both = known.iter().zip(answers);
    both.filter(|(_, answer)| answer.decision).map(|(name, _)| name.clone()).collect()
}

/// Every action of every type that lies right in an account, of people who have what they have by roles, by documents, below
/// a ceiling, and by nothing at all.
#[tokio::test]
async fn of_every_type_those_actions_are_found_that_authorize_permits() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let low = service.account(&acme, "Low").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let people = [
            service.person(&acme, "user", &["USER"]).await,
            service.person(&low, "low", &["SUPER_USER"]).await,
            service.person(&acme, "nobody", &[]).await,
            holder(&service, &boss, &low, &["READ", "UPDATE"]).await,
            holder(&service, &boss, &acme, &["READ", "REPORT"]).await,
            boss,
        ];
        let ceiling = pb::SetAccountRoleRequest {
            account_id: low.clone(),
            role: "Developer".to_owned(),
            ..Default::default()
        };
        service.accounts(&service.root).set_account_role(ceiling).await.unwrap();
        let types = types(&service).await;
        let (mut yes, mut all) = (0, 0);
        for (at, person) in people.iter().enumerate() {
            for (kind, known) in &types {
                let id = format!("account/{}/{kind}/-", [&acme, &low][at % 2]);
                let found = found(&service, &person.user_id, kind, &id).await;
                let wanted = permitted(&service, &person.user_id, (kind, &id), known).await;
                assert_eq!(found, wanted, "{} {id}", person.user_id);
                (yes, all) = (yes + wanted.len(), all + known.len());
            }
        }
        assert!(yes > 50 && all - yes > 50, "{yes} of {all}");
    }
}

/// Finds all actions, a few at a time.
async fn found(service: &Service, user_id: &str, kind: &str, id: &str) -> BTreeSet<String> {
    let (mut found, mut token) = (BTreeSet::new(), String::new());
    loop {
        let page = Some(pb::SearchPage { size: 3, token });
        let request = pb::SearchActionsRequest { page, ..what_of(user_id, kind, id) };
        let answer = service.authorization(&service.root).search_actions(request).await;
        let answer = answer.unwrap().into_inner();
        for action in answer.results {
            assert!(found.insert(action.name.clone()), "{} twice", action.name);
        }
        let end = answer.page.unwrap();
        if end.complete {
            return found;
        }
        token = end.next_token;
    }
}

/// What one of a random world is given.
#[derive(Debug, Clone)]
struct Given {
    low: bool,
    roles: Vec<&'static str>,
    scoped: Option<(&'static str, Index)>,
    document: Option<Paper>,
}

/// What one document says.
#[derive(Debug, Clone)]
struct Paper {
    master: bool,
    everywhere: Vec<&'static str>,
    products: Vec<(&'static str, Vec<&'static str>, bool)>,
    things: Vec<(&'static str, &'static str, Vec<&'static str>, bool)>,
}

const ROLES: &[&str] = &[
    "USER",
    "MANAGE_USERS",
    "MANAGE_RIGHTS",
    "SUPER_USER",
    "ACCESS_AUDIT_LOG",
    "NO_ACCESS",
    "core/AUDITOR",
    "core/DECISION_EXPLORER",
    "voximplant/Owner",
    "voximplant/Supervisor",
];

/// What is asked about: types in their places, whose ids are those that documents and scopes name.
const PLACES: &[&[&str]] = &[
    &[],
    &["gate_group"],
    &["gate_group", "gate"],
    &["agent_group", "agent"],
    &["cloud_group", "cloud_profile"],
    &["application"],
    &["application", "scenario"],
    &["scenario"],
    &["recording"],
    &["product"],
    &["user"],
    &["user", "dashboard"],
    &["role"],
];

fn documents() -> impl Strategy<Value = Paper> {
    let actions = || {
        prop::collection::vec(select(&["CREATE", "READ", "UPDATE", "DELETE", "REPORT"][..]), 1..3)
            .prop_map(|mut all| {
                all.sort_unstable();
                all.dedup();
                all
            })
    };
    let everywhere = prop_oneof![2 => Just(Vec::new()), 1 => actions()];
    let product = (select(&["ACD", "AGENT", "CLOUD_PROFILE"][..]), actions(), any::<bool>());
    let kinds = ["GATE_GROUP", "GATE", "AGENT_GROUP", "CLOUD_PROFILE", "SCENARIO"];
    let thing = (select(kinds.to_vec()), select(&["5", "6"][..]), actions(), any::<bool>());
    let lists =
        (prop::collection::vec(product, 0..2), prop::collection::vec(thing, 0..4), any::<bool>());
    (everywhere, lists).prop_map(|(everywhere, (products, things, master))| Paper {
        master,
        everywhere,
        products,
        things,
    })
}

fn givens() -> impl Strategy<Value = Vec<Given>> {
    let roles = prop::collection::btree_set(select(ROLES), 0..3);
    let scoped = prop::option::of((select(&["MANAGE_USERS", "SUPER_USER"][..]), any::<Index>()));
    let given = (any::<bool>(), roles, scoped, prop::option::of(documents()));
    let given = given.prop_map(|(low, roles, scoped, document)| Given {
        low,
        roles: roles.into_iter().collect(),
        scoped,
        document,
    });
    prop::collection::vec(given, 6)
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Paper {
    fn of(&self, name: String, account: &str) -> pb::RightsDocument {
        let products = self.products.iter().map(|(product, actions, cascade)| {
            let (product, permissions) = ((*product).to_owned(), texts(actions));
            pb::ProductPermissions { product, permissions, cascade: *cascade }
        });
        let things = self.things.iter().map(|(kind, id, actions, cascade)| {
            let (resource_type, resource_id) = ((*kind).to_owned(), (*id).to_owned());
            let (permissions, cascade) = (texts(actions), *cascade);
            pb::ResourcePermissions { resource_type, resource_id, permissions, cascade }
        });
        pb::RightsDocument {
            rights_doc_name: Some(name),
            account_id: account.to_owned(),
            is_master: Some(self.master),
            account_permissions: texts(&self.everywhere),
            product_permissions: products.collect(),
            resource_permissions: things.collect(),
            ..Default::default()
        }
    }
}

/// A tenant of two accounts, and who has what in it.
struct Town {
    service: Service,
    accounts: [String; 2],
    boss: Person,
    people: Vec<Person>,
}

impl Town {
    async fn built(engine: &crate::support::Engine, givens: &[Given]) -> Self {
        let service = Service::start(engine).await;
        let acme = service.tenant("Acme").await;
        let low = service.account(&acme, "Low").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let mut town = Self { service, accounts: [acme, low], boss, people: Vec::new() };
        for (at, given) in givens.iter().enumerate() {
            let home = town.accounts[usize::from(given.low)].clone();
            let person = town.service.person(&home, &format!("p{at}"), &given.roles).await;
            town.give(at, given, &person, &home).await;
            town.people.push(person);
        }
        town
    }

    async fn give(&self, at: usize, given: &Given, person: &Person, home: &str) {
        if let Some((role, place)) = given.scoped.filter(|(role, _)| !given.roles.contains(role)) {
            let scope = path(home, PLACES[place.index(3)], &person.user_id, 1);
            let request = pb::AddUserRoleRequest {
                user_id: person.user_id.clone(),
                role_type: role.to_owned(),
                scope,
                force: true,
                ..Default::default()
            };
            self.service.roles(&self.service.root).add_user_role(request).await.unwrap();
        }
        let Some(paper) = &given.document else { return };
        let account = if paper.master { &self.accounts[0] } else { home };
        let document = paper.of(format!("d{at}"), account);
        let request = pb::CreateRightsDocumentRequest {
            user_id: self.boss.user_id.clone(),
            rights_document: Some(document),
            ..Default::default()
        };
        let rights = || self.service.rights(&self.service.root);
        let made = rights().create_rights_document(request).await.unwrap().into_inner();
        let request = pb::AssignRightsDocumentRequest {
            rights_doc_id: made.rights_document.unwrap().rights_doc_id,
            user_ids: vec![person.user_id.clone()],
            force: true,
            ..Default::default()
        };
        rights().assign_rights_document(request).await.unwrap();
    }
}

/// A path through types; `which` chooses between the ids that are known, one that is not, and none.
fn path(account: &str, kinds: &[&str], user: &str, which: usize) -> String {
    let mut path = format!("account/{account}");
    for kind in kinds {
        let id = match (*kind, which) {
            (_, 0) => "-",
            ("user", _) => user,
            ("product", _) => "ACD",
            (_, 1) => "5",
            _ => "77",
        };
        path = format!("{path}/{kind}/{id}");
    }
    path
}

/// Random worlds: whatever somebody was given, and wherever it is asked about.
#[tokio::test]
async fn in_any_world_those_actions_are_found_that_authorize_permits() {
    let mut runner = TestRunner::default();
    for engine in engines() {
        let givens = givens().new_tree(&mut runner).unwrap().current();
        let town = Town::built(&engine, &givens).await;
        let (service, known) = (&town.service, all_types(&town.service).await);
        let (mut yes, mut all) = (0, 0);
        for (person, given) in town.people.iter().zip(&givens) {
            for (at, kinds) in PLACES.iter().enumerate() {
                let account = &town.accounts[at % 2];
                let id = path(account, kinds, &person.user_id, (at + kinds.len()) % 3);
                let kind = kinds.last().copied().unwrap_or("account");
                let found = found(service, &person.user_id, kind, &id).await;
                let known = &known[kind];
                let wanted = permitted(service, &person.user_id, (kind, &id), known).await;
                assert_eq!(found, wanted, "{given:?} {id}");
                (yes, all) = (yes + wanted.len(), all + known.len());
            }
        }
        println!("{yes} of {all} are permitted");
    }
}
