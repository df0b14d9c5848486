//! One decision in process.

use std::hint::black_box;
use std::sync::Arc;

use benches::figures::{self, Spread, Target, rounds};
use benches::world::{self, MAIN};
use chancery::decision::{Facts, Snapshot};
use chancery::model::catalogue::{Catalogue, Permission};
use chancery::model::{
    AccountId, Assignment, Body, Named, ResourcePath, ResourcePermissions, RightsDocument, User,
    UserId,
};

use super::{ACCOUNTS, EACH, KINDS, ROLES, USERS, draw};

/// Questions of each kind.
const ASKED: usize = 50_000;

struct Question {
    tenant: usize,
    user: UserId,
    permission: Permission,
    path: ResourcePath,
}

pub(crate) fn measure(count: usize) {
    let catalogue = world::catalogue(None);
    let tenants: Vec<Snapshot> = (0..count).map(|_| tenant(&catalogue)).collect();
    let kinds: Vec<Vec<Question>> =
        (0..KINDS.len()).map(|kind| questions(&catalogue, kind, count)).collect();
    let decide = |question: &Question| {
        let Question { tenant, user, permission, path } = question;
        world::permits(&tenants[*tenant], *user, *permission, black_box(path))
    };
    for (questions, kind) in kinds.iter().zip(&KINDS) {
        assert!(questions.iter().all(|of| decide(of) == kind.permit), "{}", kind.name);
    }
    println!(
        "# One decision among {count} tenants of {EACH} users, {} interleaved rounds\n",
        rounds()
    );
    println!("Timing nothing takes {} ns, which is in every figure.\n", figures::clock());
    let mut figures = vec![(Vec::new(), Vec::new()); KINDS.len()];
    for round in 0..=rounds() {
        for (questions, (p50, p99)) in kinds.iter().zip(&mut figures) {
            let mut histogram = figures::histogram();
            let calls = questions.iter().map(|question| {
                || {
                    black_box(decide(question));
                }
            });
            figures::time_each(&mut histogram, calls);
            if round > 0 {
                p50.push(histogram.value_at_quantile(0.5) as f64);
                p99.push(histogram.value_at_quantile(0.99) as f64);
            }
        }
    }
    println!("| | p50, ns | p99, ns |\n|---|---|---|");
    for ((p50, p99), kind) in figures.iter().zip(&KINDS) {
        let [p50, p99] = [p50, p99].map(|all| Spread::of(all.iter().copied()));
        println!("| {} | {p50} | {p99} |", kind.label());
    }
    figures::heading();
    for ((p50, _), kind) in figures.iter().zip(&KINDS) {
        let what = format!("domain, {}: p50", kind.label());
        Target::AtMost(200.0).judge(&what, "ns", Spread::of(p50.iter().copied()));
    }
}

/// The accounts of a tenant, the main one first.
fn accounts() -> Vec<AccountId> {
    std::iter::once(MAIN).chain((1..ACCOUNTS).map(world::account_id)).collect()
}

/// Every user has two roles, and a document of its own over one group of its account and all within.
fn tenant(catalogue: &Arc<Catalogue>) -> Snapshot {
    let at = accounts();
    let mut facts = Facts {
        accounts: at.windows(2).map(|pair| world::account(pair[1], Some(pair[0]))).collect(),
        ..Facts::default()
    };
    for n in 0..EACH {
        let account = at[n / USERS];
        facts.users.push(User { parent: None, ..world::user(n, account) });
        facts.grants.extend(ROLES.map(|role| world::grant(n, account, role)));
        let entry = ResourcePermissions {
            resource_type: "gate_group".to_owned(),
            resource_id: n.to_string(),
            permissions: vec!["read".to_owned(), "update".to_owned()],
            cascade: true,
        };
        let body = Body { resource_permissions: vec![entry], ..Body::default() };
        let owner = world::user_id(n);
        facts.documents.push(RightsDocument { account, owner, ..world::document(n, body) });
        facts.assignments.push(Assignment { account, ..world::assignment(n, n) });
    }
    world::tenant(catalogue, facts)
}

fn questions(catalogue: &Catalogue, kind: usize, tenants: usize) -> Vec<Question> {
    let at = accounts();
    let of = &KINDS[kind];
    let permission = catalogue.permission(of.on, of.action).unwrap();
    let drawn = draw(kind, tenants, ASKED).into_iter();
    let question = drawn.map(|drawn| {
        let account = ResourcePath::account(at[drawn.user / USERS]);
        let path = account.with(of.on, Named::Id(drawn.id.to_string()));
        Question { tenant: drawn.tenant, user: world::user_id(drawn.user), permission, path }
    });
    question.collect()
}
