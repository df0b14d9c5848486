//! One decision in process among ten thousand tenants: accounts one to five deep, rights by roles and by documents that hold for
//! all within what they name, and most questions about few users, so that what is asked seldom is not in a processor's cache.

#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a bench may panic, and prints floats"
)]

use std::hint::black_box;
use std::sync::Arc;

use benches::figures::{self, Chance, ROUNDS, Spread, Target, Zipf};
use benches::world::{self, MAIN};
use chancery::decision::{Facts, Snapshot};
use chancery::model::catalogue::{Catalogue, Permission};
use chancery::model::{
    AccountId, Assignment, Body, Named, ResourcePath, ResourcePermissions, RightsDocument, User,
    UserId,
};

const TENANTS: usize = 10_000;
/// Accounts of a tenant below its main one: each in the one before.
const DEPTH: usize = 4;
/// Users of each account.
const USERS: usize = 2;
/// Questions of each kind.
const ASKED: usize = 50_000;

/// The kinds of questions, and how they are answered.
const KINDS: [(&str, bool); 4] = [
    ("by a role", true),
    ("by a document", true),
    ("nothing gives it", false),
    ("another document gives it", false),
];

struct Question {
    tenant: usize,
    user: UserId,
    permission: Permission,
    path: ResourcePath,
}

fn main() {
    let catalogue = world::catalogue(None);
    let tenants: Vec<Snapshot> = (0..TENANTS).map(|_| tenant(&catalogue)).collect();
    let kinds: Vec<Vec<Question>> =
        (0..KINDS.len()).map(|kind| questions(&catalogue, kind)).collect();
    let decide = |question: &Question| {
        let Question { tenant, user, permission, path } = question;
        world::permits(&tenants[*tenant], *user, *permission, black_box(path))
    };
    for (questions, (kind, permit)) in kinds.iter().zip(KINDS) {
        assert!(questions.iter().all(|question| decide(question) == permit), "{kind}");
    }
    let users = USERS * (DEPTH + 1);
    println!(
        "# One decision among {TENANTS} tenants of {users} users, {ROUNDS} interleaved rounds\n"
    );
    println!("Timing nothing takes {} ns, which is in every figure.\n", figures::clock());
    let mut figures = vec![(Vec::new(), Vec::new()); KINDS.len()];
    for round in 0..=ROUNDS {
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
    for ((p50, p99), (kind, permit)) in figures.iter().zip(KINDS) {
        let [p50, p99] = [p50, p99].map(|all| Spread::of(all.iter().copied()));
        println!("| {}, {kind} | {p50} | {p99} |", if permit { "permit" } else { "deny" });
    }
    figures::heading();
    for ((p50, _), (kind, permit)) in figures.iter().zip(KINDS) {
        let what = format!("domain, {}, {kind}: p50", if permit { "permit" } else { "deny" });
        Target::AtMost(200.0).judge(&what, "ns", Spread::of(p50.iter().copied()));
    }
}

/// The accounts of a tenant, the main one first.
fn accounts() -> Vec<AccountId> {
    std::iter::once(MAIN).chain((0..DEPTH).map(world::account_id)).collect()
}

/// Every user has two roles, and a document of its own over one group of its account and all within.
fn tenant(catalogue: &Arc<Catalogue>) -> Snapshot {
    let at = accounts();
    let mut facts = Facts {
        accounts: at.windows(2).map(|pair| world::account(pair[1], Some(pair[0]))).collect(),
        ..Facts::default()
    };
    for n in 0..USERS * at.len() {
        let account = at[n / USERS];
        facts.users.push(User { parent: None, ..world::user(n, account) });
        for role in ["ringcx/USER", "voximplant/Supervisor"] {
            facts.grants.push(world::grant(n, account, role));
        }
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

fn questions(catalogue: &Catalogue, kind: usize) -> Vec<Question> {
    let (mut chance, at) = (Chance::new(19), accounts());
    let each = USERS * at.len();
    let zipf = Zipf::new(TENANTS * each);
    let name = ["recording.listen", "gate_group.update", "recording.delete", "gate_group.update"];
    let permission = catalogue.parse(name[kind]).unwrap();
    let question = |_| {
        // Who is asked about often is of any tenant.
        let drawn = zipf.draw(&mut chance);
        let (tenant, n) = (drawn % TENANTS, drawn / TENANTS);
        let (of, id) = match kind {
            0 | 2 => ("recording", chance.below(1000)),
            1 => ("gate_group", n),
            _ => ("gate_group", n + 1),
        };
        let path = ResourcePath::account(at[n / USERS]).with(of, Named::Id(id.to_string()));
        Question { tenant, user: world::user_id(n), permission, path }
    };
    (0..ASKED).map(question).collect()
}
